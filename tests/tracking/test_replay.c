/* run.journal cut into parcels: what goes out together, what is held back, what is left out. */
#include "tests/tracking/fixture.h"

#include "tracking/sinks/replay.h"

static const char run_id[] = "0123456789abcdef0123456789abcdef";

typedef struct writing {
    fixture *f;
    ty_journal *journal;
} writing;

static writing begin(fixture *f) {
    writing w = {.f = f};
    assert_ok(f, ty_dir_make(&f->ctx, f->run));
    assert_ok(f, ty_journal_open(&f->ctx, f->journal, &w.journal));
    return w;
}

static void add_payload(writing *w, uint32_t type, const char *payload) {
    assert_ok(w->f,
              ty_journal_append(&w->f->ctx, w->journal, type, payload, strlen(payload), NULL));
}

static void add(writing *w, ty_track_record record) {
    ty_text payload = {0};
    record.time_ns = record.time_ns != 0 ? record.time_ns : 5000000;
    ty_track_encode(&record, &payload);
    add_payload(w, record.type, ty_text_string(&payload));
    ty_text_clear(&payload);
}

static void add_run(writing *w) {
    add(w, (ty_track_record){.type = TY_TRACK_RUN,
                             .run = {.run_id = run_id, .experiment = "e", .name = "one"}});
}

static void add_text(writing *w, ty_track_type type, const char *key, const char *value) {
    add(w, (ty_track_record){.type = type, .text = {key, value}});
}

static void add_dataset(writing *w, const char *name, const char *context) {
    add(w, (ty_track_record){.type = TY_TRACK_DATASET,
                             .dataset = {.name = name, .digest = "1f", .context = context}});
}

static void add_state(writing *w, ty_run_state state, const char *reason) {
    add(w, (ty_track_record){.type = TY_TRACK_STATE, .state = {state, reason}});
}

static void add_start(writing *w, int64_t from_step) {
    add(w, (ty_track_record){.type = TY_TRACK_START,
                             .start = {.is_resumed = from_step > 0, .from_step = from_step}});
}

static void finish(writing *w) {
    assert_ok(w->f, ty_journal_close(&w->f->ctx, w->journal));
}

static const char *describe(fixture *f, const ty_parcel *p) {
    static const char *const kinds[] = {"none", "run", "values", "datasets", "package"};
    static const char marks[] = "mpt";
    ty_text out = {0};
    ty_text_addf(&out, "%s %d-%d", kinds[p->kind], (int)p->first, (int)p->last);
    for (int64_t i = 0; i < p->n_items; i++) {
        const ty_item *item = &p->items[i];
        ty_text_addf(&out, " %c:%s", marks[item->kind], item->key);
        if (item->kind == TY_ITEM_METRIC)
            ty_text_addf(&out, "@%d", (int)item->metric.step);
        else
            ty_text_addf(&out, "=%s%s%s", item->value, item->previous ? "<" : "",
                         item->previous ? item->previous : "");
    }
    for (int64_t i = 0; i < p->n_datasets; i++)
        ty_text_addf(&out, " %s(%s)", p->datasets[i].name, p->datasets[i].context);
    if (p->status)
        ty_text_addf(&out, " -> %s %d", p->status, (int)p->end_ms);
    const char *copy = ty_arena_string(&f->arena, ty_text_string(&out));
    ty_text_clear(&out);
    return copy;
}

static ty_replay *open_after(fixture *f, uint64_t done) {
    ty_replay *replay = NULL;
    assert_ok(f, ty_replay_open(&f->ctx, f->run, done, &replay));
    return replay;
}

/* The next parcel of all that there is; false: there is no more. */
static bool take_last(fixture *f, ty_replay *replay, ty_parcel *out) {
    assert_ok(f, ty_replay_next(&f->ctx, replay, UINT64_MAX, true, out));
    return out->kind != TY_PARCEL_NONE;
}

/* The next parcel up to a sequence behind which more may follow; "" for none. */
static void assert_next(fixture *f, ty_replay *replay, uint64_t up_to, const char *want) {
    ty_parcel parcel;
    assert_ok(f, ty_replay_next(&f->ctx, replay, up_to, false, &parcel));
    assert_string_equal(parcel.kind == TY_PARCEL_NONE ? "" : describe(f, &parcel), want);
}

/* All parcels, one a line. */
static const char *replay_from(fixture *f, uint64_t done) {
    ty_replay *replay = open_after(f, done);
    ty_parcel parcel;
    ty_text out = {0};
    while (take_last(f, replay, &parcel))
        ty_text_addf(&out, "%s\n", describe(f, &parcel));
    ty_replay_close(replay);
    const char *copy = ty_arena_string(&f->arena, ty_text_string(&out));
    ty_text_clear(&out);
    return copy;
}

static void a_run_becomes_parcels_in_its_order(void **state) {
    fixture *f = *state;
    writing w = begin(f);
    add_run(&w);
    add_start(&w, 0);
    add_text(&w, TY_TRACK_PARAM, "a[0]", "1");
    add_text(&w, TY_TRACK_TAG, "color", "red");
    add_dataset(&w, "d", "training");
    add_payload(&w, TY_TRACK_METRICS, "{\"keys\":[\"x\"],\"points\":[[0,1,5,0.5],[0,2,6,0.25]]}");
    add_text(&w, TY_TRACK_TAG, "color", "blue");
    add_state(&w, TY_RUN_FINISHED, "");
    finish(&w);
    assert_string_equal(replay_from(f, 0), "run 1-1\n"
                                           "values 2-4 p:a_0_=1 t:color=red\n"
                                           "datasets 5-5 d(training)\n"
                                           "values 6-8 m:x@1 m:x@2 t:color=blue<red"
                                           " -> FINISHED 5\n");
}

static void what_is_done_makes_no_parcel_but_is_remembered(void **state) {
    fixture *f = *state;
    writing w = begin(f);
    add_run(&w);
    add_text(&w, TY_TRACK_PARAM, "p", "1");
    add_text(&w, TY_TRACK_TAG, "t", "1");
    add_payload(&w, TY_TRACK_METRICS, "{\"keys\":[\"x\"],\"points\":[[0,1,5,0.5]]}");
    add_text(&w, TY_TRACK_PARAM, "p", "2");
    add_text(&w, TY_TRACK_TAG, "t", "2");
    finish(&w);
    assert_string_equal(replay_from(f, 4), "values 5-6 t:t=2<1\n");
    assert_string_equal(replay_from(f, 6), "");
}

static void the_first_value_of_a_param_holds(void **state) {
    fixture *f = *state;
    writing w = begin(f);
    add_run(&w);
    add_text(&w, TY_TRACK_PARAM, "a@", "1");
    add_text(&w, TY_TRACK_PARAM, "a@", "2");
    add_text(&w, TY_TRACK_PARAM, "a%", "3"); /* the same key for MLflow */
    finish(&w);
    assert_string_equal(replay_from(f, 0), "run 1-1\nvalues 2-4 p:a_=1\n");
}

static void the_last_value_of_a_tag_goes_out_once(void **state) {
    fixture *f = *state;
    writing w = begin(f);
    add_run(&w);
    add_text(&w, TY_TRACK_TAG, "t", "1");
    add_text(&w, TY_TRACK_TAG, "t", "2");
    add_start(&w, 40);
    finish(&w);
    assert_string_equal(replay_from(f, 0), "run 1-1\nvalues 2-4 t:t=2 t:resumed.from_step=40\n");
}

static void a_data_set_goes_out_with_all_its_roles(void **state) {
    fixture *f = *state;
    writing w = begin(f);
    add_run(&w);
    add_dataset(&w, "d", "training");
    add_dataset(&w, "d", "test");
    add_dataset(&w, "e", "test");
    finish(&w);
    assert_string_equal(replay_from(f, 0), "run 1-1\ndatasets 2-4 d(training, test) e(test)\n");
}

static void data_sets_wait_until_no_more_can_follow(void **state) {
    fixture *f = *state;
    writing w = begin(f);
    add_run(&w);
    add_dataset(&w, "d", "training");
    ty_replay *replay = open_after(f, 1);
    assert_next(f, replay, 2, "");
    add_dataset(&w, "d", "test");
    add_text(&w, TY_TRACK_TAG, "t", "1");
    finish(&w);
    assert_next(f, replay, 3, ""); /* only up to 3 is durable */
    assert_next(f, replay, 4, "datasets 2-3 d(training, test)");
    assert_next(f, replay, 4, "values 4-4 t:t=1");
    ty_replay_close(replay);
}

static void a_run_that_goes_on_says_so_and_looks_at_its_files_again(void **state) {
    fixture *f = *state;
    writing w = begin(f);
    add_run(&w);
    add_start(&w, 0);
    add(&w,
        (ty_track_record){.type = TY_TRACK_FILE, .file = {.path = "r", .artifact = "artifacts/r"}});
    add_state(&w, TY_RUN_KILLED, "SIGTERM");
    add_start(&w, 10);
    finish(&w);
    ty_replay *replay = open_after(f, 3);
    assert_next(f, replay, 4, "values 4-4 t:exit.reason=SIGTERM -> KILLED 5");
    ty_replay_file *file = ty_keymap_find(&ty_replay_known(replay)->files, "artifacts/r");
    assert_non_null(file);
    assert_true(file->is_dirty);
    assert_true(ty_replay_known(replay)->has_ended);
    file->is_dirty = false;
    assert_next(f, replay, 5, "values 5-5 t:resumed.from_step=10 -> RUNNING 0");
    assert_true(file->is_dirty);
    ty_replay_close(replay);
}

static void what_says_how_good_a_model_is_is_kept_also_when_done(void **state) {
    fixture *f = *state;
    ty_parcel parcel;
    writing w = begin(f);
    add_run(&w);
    add_dataset(&w, "d", "training");
    add_dataset(&w, "d", "test");
    add_payload(&w, TY_TRACK_METRICS,
                "{\"keys\":[\"x\",\"test/a\"],\"points\":[[0,1,5,1],[1,7,6,2]]}");
    finish(&w);
    ty_replay *replay = open_after(f, 4);
    assert_false(take_last(f, replay, &parcel));
    const ty_replay_facts *facts = ty_replay_known(replay);
    assert_int_equal(facts->points.n, 1);
    const ty_replay_point *point = facts->points.v[0].item;
    assert_string_equal(point->key, "test/a");
    assert_int_equal(point->step, 7);
    assert_string_equal(facts->test_name, "d");
    assert_string_equal(facts->run_id, run_id);
    ty_replay_close(replay);
}

static void many_points_are_cut_into_parcels(void **state) {
    fixture *f = *state;
    ty_text payload = {0};
    ty_parcel parcel;
    writing w = begin(f);
    add_run(&w);
    for (int64_t r = 0; r < 160; r++) {
        payload.length = 0;
        ty_text_add(&payload, "{\"keys\":[\"x\"],\"points\":[");
        for (int64_t i = 0; i < 256; i++)
            ty_text_addf(&payload, "%s[0,%d,5,1]", i != 0 ? "," : "", (int)(r * 256 + i));
        ty_text_add(&payload, "]}");
        add_payload(&w, TY_TRACK_METRICS, ty_text_string(&payload));
    }
    ty_text_clear(&payload);
    finish(&w);
    int64_t next = 0, n_parcels = 0;
    ty_replay *replay = open_after(f, 1);
    while (take_last(f, replay, &parcel)) {
        n_parcels++;
        assert_true(parcel.n_items <= TY_REPLAY_MAX_ITEMS);
        for (int64_t i = 0; i < parcel.n_items; i++)
            assert_int_equal(parcel.items[i].metric.step, next++);
    }
    ty_replay_close(replay);
    assert_int_equal(next, 160 * 256);
    assert_int_equal(n_parcels, 3);
}

static void a_damaged_record_is_told(void **state) {
    fixture *f = *state;
    ty_parcel parcel;
    writing w = begin(f);
    add_run(&w);
    add_payload(&w, TY_TRACK_PARAM, "[]");
    finish(&w);
    ty_replay *replay = open_after(f, 0);
    assert_int_equal(ty_replay_next(&f->ctx, replay, UINT64_MAX, true, &parcel), TY_ERR_INTEGRITY);
    ty_replay_close(replay);
}

int main(void) {
#define ROW(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)
    const struct CMUnitTest tests[] = {
        ROW(a_run_becomes_parcels_in_its_order),
        ROW(what_is_done_makes_no_parcel_but_is_remembered),
        ROW(the_first_value_of_a_param_holds),
        ROW(the_last_value_of_a_tag_goes_out_once),
        ROW(a_data_set_goes_out_with_all_its_roles),
        ROW(data_sets_wait_until_no_more_can_follow),
        ROW(a_run_that_goes_on_says_so_and_looks_at_its_files_again),
        ROW(what_says_how_good_a_model_is_is_kept_also_when_done),
        ROW(many_points_are_cut_into_parcels),
        ROW(a_damaged_record_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
