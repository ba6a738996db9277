/* Rows: what is loaded, where it came from, and that walk, dump and hash agree on it. */
#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rows_fixture.h"

#define MINIMAL "\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": []}"

typedef struct fixture {
    ty_ctx ctx;
    ty_doc *doc;
    fixture_config config;
} fixture;

static const char *fake_getenv(const char *name) {
    return strcmp(name, "WEIRD") == 0 ? "a \"b\" ${env:HOME}" : NULL;
}

static int setup(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    f->ctx.getenv = fake_getenv;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fixture *f = *state;
    ty_doc_close(f->doc);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

static void load_set(fixture *f, const char *text, const char *assignment) {
    ty_doc_close(f->doc);
    f->doc = NULL;
    f->config = (fixture_config){0};
    ty_status st = ty_doc_parse(&f->ctx, "c.json", text, strlen(text), &f->doc);
    if (st == TY_OK && assignment)
        st = ty_doc_set(&f->ctx, f->doc, assignment);
    if (st == TY_OK)
        st = ty_rows_load(&f->ctx, &fixture_rows, fixture_foreign, f->doc, &f->config);
    if (st != TY_OK)
        print_error("%s\n", f->ctx.message);
    assert_int_equal(st, TY_OK);
}

static void load(fixture *f, const char *text) {
    load_set(f, text, NULL);
}

static void assert_real(double got, double wanted) {
    if (!(got == wanted))
        print_error("%.17g is not %.17g\n", got, wanted);
    assert_true(got == wanted);
}

/* --- loading ---------------------------------------------------------------------------------- */

static void what_is_not_written_has_its_default(void **state) {
    fixture *f = *state;
    load(f, "{" MINIMAL "}");
    const fixture_config *c = &f->config;
    assert_string_equal(c->name, "run");
    assert_string_equal(c->best, "val/loss");
    assert_int_equal(c->seed, 0);
    assert_true(c->threads == TY_AUTO);
    assert_int_equal(c->device, 0);
    assert_true(c->deterministic);
    assert_true(isnan(c->floor));
    assert_real(c->train.deadline.value, 60);
    assert_int_equal(c->train.deadline.unit, TY_UNIT_SECONDS);
    assert_true(c->train.micro_batch_size == TY_AUTO);
    assert_null(c->train.early_stop.metric);
    assert_int_equal(c->train.early_stop.patience, 3);
    assert_int_equal(c->milestones.n, 0);
    assert_int_equal(c->optimizer.row->id, FORM_ADAMW);
    const adamw_config *adamw = c->optimizer.config;
    assert_real(adamw->learning_rate, 0.001);
    assert_real(adamw->betas.v[1], 0.999);
    assert_null(c->schedule.row);
}

static void what_is_written_is_what_is_loaded(void **state) {
    fixture *f = *state;
    load(f, "{\"$schema\": \"x\", \"name\": \"\xc3\xa9\", \"best\": null, \"seed\": "
            "-9223372036854775807,"
            "\"threads\": 4, \"device\": \"cuda\", \"deterministic\": false, \"dropout\": 0, "
            "\"floor\": -1e-3,"
            "\"milestones\": [0.5, 1], \"tags\": [\"a\", \"b\"], \"schedule\": \"cosine\", " MINIMAL
            "}");
    const fixture_config *c = &f->config;
    assert_string_equal(c->name, "\xc3\xa9");
    assert_null(c->best);
    assert_true(c->seed == -9223372036854775807);
    assert_int_equal(c->threads, 4);
    assert_int_equal(c->device, 2);
    assert_false(c->deterministic);
    assert_real(c->floor, -0.001);
    assert_int_equal(c->milestones.n, 2);
    assert_real(c->milestones.v[0], 0.5);
    assert_int_equal(c->tags.n, 2);
    assert_string_equal(c->tags.v[1], "b");
    assert_int_equal(c->schedule.row->id, FORM_COSINE);
    assert_null(c->schedule.config);
    assert_string_equal(c->schedule.path, "schedule");
}

static void one_value_is_a_list_of_one(void **state) {
    fixture *f = *state;
    load(f, "{\"milestones\": 0.25, \"tags\": \"solo\", " MINIMAL "}");
    assert_int_equal(f->config.milestones.n, 1);
    assert_real(f->config.milestones.v[0], 0.25);
    assert_int_equal(f->config.tags.n, 1);
    assert_string_equal(f->config.tags.v[0], "solo");
}

static void an_integer_may_be_written_as_a_real(void **state) {
    fixture *f = *state;
    load(f, "{\"seed\": 1e6, " MINIMAL "}");
    assert_int_equal(f->config.seed, 1000000);
}

static void amounts_know_their_units(void **state) {
    fixture *f = *state;
    static const struct {
        const char *written;
        double value;
        ty_unit unit;
    } cases[] = {
        {"10 epochs", 10, TY_UNIT_EPOCHS},     {"1 epoch", 1, TY_UNIT_EPOCHS},
        {"0.5 epochs", 0.5, TY_UNIT_EPOCHS},   {"10epochs", 10, TY_UNIT_EPOCHS},
        {"2000 steps", 2000, TY_UNIT_STEPS},   {"1 step", 1, TY_UNIT_STEPS},
        {"1e6 samples", 1e6, TY_UNIT_SAMPLES}, {"30 min", 1800, TY_UNIT_SECONDS},
        {"90 s", 90, TY_UNIT_SECONDS},         {"2 h", 7200, TY_UNIT_SECONDS},
        {"1.5 hours", 5400, TY_UNIT_SECONDS},  {"2   days", 172800, TY_UNIT_SECONDS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[128];
        (void)snprintf(text, sizeof text,
                       "{\"train\": {\"duration\": \"%s\"}, \"model\": {\"layers\": []}}",
                       cases[i].written);
        load(f, text);
        assert_real(f->config.train.duration.value, cases[i].value);
        assert_int_equal(f->config.train.duration.unit, cases[i].unit);
    }
}

static void percent_never_and_plain_numbers_are_amounts_where_allowed(void **state) {
    fixture *f = *state;
    load(f, "{\"train\": {\"duration\": \"1 step\", \"warmup\": \"7.5%\", \"every\": \"never\", "
            "\"deadline\": 90},"
            "\"model\": {\"layers\": []}}");
    assert_real(f->config.train.warmup.value, 7.5);
    assert_int_equal(f->config.train.warmup.unit, TY_UNIT_PERCENT);
    assert_int_equal(f->config.train.every.unit, TY_UNIT_NONE);
    assert_real(f->config.train.deadline.value, 90);
    assert_int_equal(f->config.train.deadline.unit, TY_UNIT_SECONDS);
}

static void variants_nest(void **state) {
    fixture *f = *state;
    load(f, "{\"train\": {\"duration\": \"1 step\"}, \"model\": {\"layers\": ["
            "{\"type\": \"conv2d\", \"out\": 16}, \"relu\", {\"type\": \"residual\", \"skip\": "
            "{\"scale\": 0.5},"
            " \"layers\": [{\"type\": \"relu\"}, {\"type\": \"conv2d\", \"out\": 8, \"kernel\": "
            "5}]}]}}");
    const ty_variants *layers = &f->config.model.layers;
    assert_int_equal(layers->n, 3);
    const conv2d_config *conv = layers->v[0].config;
    assert_int_equal(conv->out, 16);
    assert_int_equal(conv->kernel, 3);
    assert_string_equal(layers->v[1].row->type, "relu");
    const residual_config *residual = layers->v[2].config;
    assert_real(residual->skip.scale, 0.5);
    assert_int_equal(residual->layers.n, 2);
    assert_string_equal(residual->layers.v[1].path, "model.layers.2.layers.1");
    assert_int_equal(((const conv2d_config *)residual->layers.v[1].config)->kernel, 5);
}

static void a_variant_without_type_has_its_defaults_type(void **state) {
    fixture *f = *state;
    load_set(f, "{" MINIMAL "}", "optimizer.weight_decay=0.5");
    assert_int_equal(f->config.optimizer.row->id, FORM_ADAMW);
    assert_real(((const adamw_config *)f->config.optimizer.config)->weight_decay, 0.5);
}

static void one_variant_is_read_alone(void **state) {
    fixture *f = *state;
    ty_variant layer = {0};
    assert_int_equal(ty_rows_load_variant(&f->ctx, "layer", layer_forms,
                                          "{\"type\": \"conv2d\", \"out\": 7}", &f->doc, &layer),
                     TY_OK);
    assert_string_equal(layer.row->type, "conv2d");
    assert_string_equal(layer.path, "layer");
    assert_int_equal(((const conv2d_config *)layer.config)->out, 7);
}

static void one_variant_that_is_wrong_leaves_no_document(void **state) {
    fixture *f = *state;
    static const char *const wrong[] = {"\"convd\"", "{\"type\": \"relu\", \"out\": 7}", "{", ""};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ty_variant layer = {0};
        assert_int_equal(
            ty_rows_load_variant(&f->ctx, "layer", layer_forms, wrong[i], &f->doc, &layer),
            TY_ERR_CONFIG);
        assert_null(f->doc);
        assert_null(layer.row);
    }
}

static void strings_outlive_a_later_set(void **state) {
    fixture *f = *state;
    load(f, "{\"name\": \"before\", " MINIMAL "}");
    const char *name = f->config.name;
    assert_int_equal(ty_doc_set(&f->ctx, f->doc, "name=after"), TY_OK);
    assert_string_equal(name, "before");
}

/* --- walking ---------------------------------------------------------------------------------- */

static ty_status write_down(void *self, const ty_resolved *key) {
    static const char *const effects[] = {"R", "C", "D"};
    const char *from = key->origin.file ? key->origin.file : key->origin.set ? "--set" : "default";
    ty_text_addf(self, "%s = %s %s %s:%d\n", key->path, key->value, effects[key->effect], from,
                 key->origin.line);
    return TY_OK;
}

static void walk_shows_every_key_with_its_origin(void **state) {
    fixture *f = *state;
    load_set(f,
             "{\"dropout\": 0.10,\n \"model\": {\"layers\": [\"relu\",\n {\"type\": \"conv2d\", "
             "\"out\": 16}]},\n"
             " \"train\": {\"duration\": \"3 epochs\"}}",
             "optimizer.learning_rate=3e-4");
    ty_text text = {0};
    assert_int_equal(ty_rows_walk(&f->ctx, &fixture_rows, f->doc, write_down, &text), TY_OK);
    assert_string_equal(text.data, "name = run D default:0\n"
                                   "best = val/loss R default:0\n"
                                   "seed = 0 R default:0\n"
                                   "threads = auto C default:0\n"
                                   "device = auto R default:0\n"
                                   "deterministic = true R default:0\n"
                                   "dropout = 0.10 R c.json:1\n"
                                   "floor = auto R default:0\n"
                                   "train.duration = 3 epochs R c.json:4\n"
                                   "train.every = 1 epoch D default:0\n"
                                   "train.warmup = 5% R default:0\n"
                                   "train.deadline = 60 C default:0\n"
                                   "train.global_batch_size = 128 R default:0\n"
                                   "train.micro_batch_size = auto C default:0\n"
                                   "train.early_stop.metric = null R default:0\n"
                                   "train.early_stop.patience = 3 R default:0\n"
                                   "optimizer.type = adamw R default:0\n"
                                   "optimizer.learning_rate = 3e-4 R --set:0\n"
                                   "optimizer.weight_decay = 1e-2 R default:0\n"
                                   "optimizer.betas = [0.9, 0.999] R default:0\n"
                                   "schedule = null R default:0\n"
                                   "model.layers.0.type = relu R c.json:2\n"
                                   "model.layers.1.type = conv2d R c.json:3\n"
                                   "model.layers.1.out = 16 R c.json:3\n"
                                   "model.layers.1.kernel = 3 R default:0\n"
                                   "model.layers.1.stride = 1 R default:0\n"
                                   "milestones = [] R default:0\n"
                                   "tags = [] D default:0\n"
                                   "display.log_every = 1 D default:0\n");
    ty_text_clear(&text);
}

static ty_status refuse_third(void *self, const ty_resolved *key) {
    int *n = self;
    (void)key;
    return ++*n == 3 ? TY_STOP_INTERRUPT : TY_OK;
}

static void a_visitor_ends_the_walk(void **state) {
    fixture *f = *state;
    load(f, "{" MINIMAL "}");
    int n = 0;
    assert_int_equal(ty_rows_walk(&f->ctx, &fixture_rows, f->doc, refuse_third, &n),
                     TY_STOP_INTERRUPT);
    assert_int_equal(n, 3);
}

/* --- dump and hash ---------------------------------------------------------------------------- */

static char *dump(fixture *f) {
    ty_text text = {0};
    assert_int_equal(ty_rows_dump(&f->ctx, &fixture_rows, f->doc, &text), TY_OK);
    return text.data;
}

static uint64_t hash(fixture *f) {
    uint64_t out = 0;
    assert_int_equal(ty_rows_hash(&f->ctx, &fixture_rows, f->doc, &out), TY_OK);
    return out;
}

static const char rich[] = "{\"name\": \"${env:WEIRD}\", \"best\": null, \"dropout\": 0.10, "
                           "\"seed\": 1e3, \"milestones\": [5e-1],"
                           "\"schedule\": \"cosine\", \"optimizer\": {\"type\": \"sgd\", "
                           "\"momentum\": 0}, \"tags\": \"t\","
                           "\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": "
                           "[\"relu\", {\"type\": \"residual\","
                           "\"layers\": [{\"type\": \"conv2d\", \"out\": 8}, {\"type\": "
                           "\"residual\", \"layers\": []}]}]}}";

static void dump_is_readable_and_keeps_numbers_as_written(void **state) {
    fixture *f = *state;
    load(f,
         "{\"dropout\": 0.10, \"optimizer\": {\"learning_rate\": 3e-4},"
         "\"train\": {\"duration\": \"3 epochs\"}, \"model\": {\"layers\": [\"relu\", \"relu\"]}}");
    char *text = dump(f);
    assert_string_equal(text, "{\n"
                              "  \"name\": \"run\",\n"
                              "  \"best\": \"val/loss\",\n"
                              "  \"seed\": 0,\n"
                              "  \"threads\": \"auto\",\n"
                              "  \"device\": \"auto\",\n"
                              "  \"deterministic\": true,\n"
                              "  \"dropout\": 0.10,\n"
                              "  \"floor\": \"auto\",\n"
                              "  \"train\": {\n"
                              "    \"duration\": \"3 epochs\",\n"
                              "    \"every\": \"1 epoch\",\n"
                              "    \"warmup\": \"5%\",\n"
                              "    \"deadline\": 60,\n"
                              "    \"global_batch_size\": 128,\n"
                              "    \"micro_batch_size\": \"auto\",\n"
                              "    \"early_stop\": {\n"
                              "      \"metric\": null,\n"
                              "      \"patience\": 3\n"
                              "    }\n"
                              "  },\n"
                              "  \"optimizer\": {\n"
                              "    \"type\": \"adamw\",\n"
                              "    \"learning_rate\": 3e-4,\n"
                              "    \"weight_decay\": 1e-2,\n"
                              "    \"betas\": [0.9, 0.999]\n"
                              "  },\n"
                              "  \"schedule\": null,\n"
                              "  \"model\": {\n"
                              "    \"layers\": [\n"
                              "      {\n"
                              "        \"type\": \"relu\"\n"
                              "      },\n"
                              "      {\n"
                              "        \"type\": \"relu\"\n"
                              "      }\n"
                              "    ]\n"
                              "  },\n"
                              "  \"milestones\": [],\n"
                              "  \"tags\": [],\n"
                              "  \"display\": {\n"
                              "    \"log_every\": 1\n"
                              "  }\n"
                              "}\n");
    free(text);
}

static void a_dump_reads_back_to_the_same_config(void **state) {
    fixture *f = *state;
    load(f, rich);
    char *first = dump(f);
    uint64_t before = hash(f);
    load(f, first);
    char *second = dump(f);
    assert_string_equal(first, second);
    assert_true(hash(f) == before);
    assert_string_equal(f->config.name, "a \"b\" ${env:HOME}");
    free(first);
    free(second);
}

static void a_document_as_it_was_written_has_no_default_and_takes_another_type(void **state) {
    fixture *f = *state;
    ty_text text = {0}, again = {0};
    load(f, rich);
    const uint64_t before = hash(f);
    ty_doc_dump(f->doc, &text);
    assert_null(strstr(text.data, "weight_decay"));
    assert_non_null(strstr(text.data, "\n  \"seed\": 1e3,\n"));
    load(f, text.data);
    assert_true(hash(f) == before);
    ty_doc_dump(f->doc, &again);
    assert_string_equal(text.data, again.data);
    load_set(f, "{\"optimizer\": {\"type\": \"adamw\"}, " MINIMAL "}", NULL);
    text.length = 0;
    ty_doc_dump(f->doc, &text);
    load_set(f, text.data, "optimizer.type=sgd");
    ty_text_clear(&text);
    ty_text_clear(&again);
}

static uint64_t hash_of(fixture *f, const char *text, const char *assignment) {
    load_set(f, text, assignment);
    return hash(f);
}

static void the_hash_sees_meaning_not_spelling(void **state) {
    fixture *f = *state;
    uint64_t plain = hash_of(f, "{" MINIMAL "}", NULL);
    static const char *const same[] = {
        "{\"model\": {\"layers\": []}, \"train\": {\"duration\": \"3 epochs\"}}",
        "{\"train\": {\"duration\": \"3.0epochs\", \"warmup\": \"5 percent\"}, \"model\": "
        "{\"layers\": []}}",
        "{\"dropout\": -0.0, \"seed\": 0e5, " MINIMAL "}",
        "{\"optimizer\": {\"type\": \"adamw\", \"weight_decay\": 0.010, \"learning_rate\": "
        "1e-3}, " MINIMAL "}",
        "{\"milestones\": [], \"schedule\": null, \"threads\": 7, \"name\": \"other\", " MINIMAL
        "}",
        "{\"display\": {\"log_every\": 100}, \"tags\": [\"x\"], " MINIMAL "}",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        assert_true(hash_of(f, same[i], NULL) == plain);
    assert_true(hash_of(f, "{\"milestones\": 0.5, " MINIMAL "}", NULL) ==
                hash_of(f, "{\"milestones\": [5e-1], " MINIMAL "}", NULL));
    assert_true(hash_of(f, "{" MINIMAL "}", "model.layers=[\"relu\"]") ==
                hash_of(f, "{" MINIMAL "}", "model.layers=[{\"type\": \"relu\"}]"));
    assert_true(hash_of(f, "{" MINIMAL "}", "train.duration=2 min") ==
                hash_of(f, "{" MINIMAL "}", "train.duration=120 s"));
}

static void the_hash_sees_every_result(void **state) {
    fixture *f = *state;
    static const char *const sets[] = {
        "seed=1",
        "device=cpu",
        "deterministic=false",
        "dropout=1e-17",
        "floor=0",
        "best=null",
        "best=\"null\"",
        "train.duration=4 epochs",
        "train.duration=3 steps",
        "train.warmup=5 steps",
        "train.early_stop.metric=x",
        "optimizer=sgd",
        "optimizer.betas=[0.9, 0.9990000000000001]",
        "schedule=cosine",
        "model.layers=[\"relu\"]",
        "model.layers=[\"relu\", \"relu\"]",
        "milestones=[0.5]",
        "milestones=[0.5, 0.5]",
        "train.global_batch_size=129",
    };
    enum { N = sizeof sets / sizeof sets[0] };
    uint64_t hashes[N + 1] = {hash_of(f, "{" MINIMAL "}", NULL)};
    for (size_t i = 0; i < N; i++) {
        hashes[i + 1] = hash_of(f, "{" MINIMAL "}", sets[i]);
        for (size_t j = 0; j <= i; j++)
            assert_true(hashes[i + 1] != hashes[j]);
    }
}

static void a_new_row_that_is_no_result_leaves_the_hash(void **state) {
    fixture *f = *state;
    static const ty_row old_v[] = {{.key = "a", .type = TY_ROW_INT, .fallback = "1", .help = ""}};
    static const ty_row new_v[] = {
        {.key = "b",
         .type = TY_ROW_INT,
         .offset = 8,
         .fallback = "1",
         .effect = TY_EFFECT_COST,
         .help = ""},
        {.key = "a", .type = TY_ROW_INT, .fallback = "1", .help = ""},
    };
    static const ty_row more_v[] = {
        {.key = "a", .type = TY_ROW_INT, .fallback = "1", .help = ""},
        {.key = "b", .type = TY_ROW_INT, .offset = 8, .fallback = "1", .help = ""},
    };
    static const ty_rows tables[] = {TY_ROWS(old_v), TY_ROWS(new_v), TY_ROWS(more_v)};
    uint64_t hashes[3];
    for (int i = 0; i < 3; i++) {
        int64_t out[2] = {0};
        ty_doc_close(f->doc);
        assert_int_equal(ty_doc_parse(&f->ctx, "c", "{}", 2, &f->doc), TY_OK);
        assert_int_equal(ty_rows_load(&f->ctx, &tables[i], NULL, f->doc, out), TY_OK);
        assert_int_equal(ty_rows_hash(&f->ctx, &tables[i], f->doc, &hashes[i]), TY_OK);
    }
    assert_true(hashes[0] == hashes[1]);
    assert_true(hashes[0] != hashes[2]);
}

static void one_text_and_a_list_of_it_have_one_hash(void **state) {
    fixture *f = *state;
    static const ty_row v[] = {{.key = "t", .type = TY_ROW_TEXTS, .fallback = "[]", .help = ""}};
    static const ty_rows rows = TY_ROWS(v);
    static const char *const texts[] = {"{\"t\": \"x\"}", "{\"t\": [\"x\"]}",
                                        "{\"t\": [\"x\", \"x\"]}"};
    uint64_t hashes[3];
    for (int i = 0; i < 3; i++) {
        ty_texts out = {0};
        ty_doc_close(f->doc);
        assert_int_equal(ty_doc_parse(&f->ctx, "c", texts[i], strlen(texts[i]), &f->doc), TY_OK);
        assert_int_equal(ty_rows_load(&f->ctx, &rows, NULL, f->doc, &out), TY_OK);
        assert_int_equal(ty_rows_hash(&f->ctx, &rows, f->doc, &hashes[i]), TY_OK);
    }
    assert_true(hashes[0] == hashes[1]);
    assert_true(hashes[0] != hashes[2]);
}

/* --- memory ----------------------------------------------------------------------------------- */

static size_t bytes_in_use(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void a_hostile_document_takes_bounded_memory(void **state) {
    fixture *f = *state;
    static const struct {
        const char *head, *unit, *tail;
    } cases[] = {
        {"{\"train\": {\"duration\": \"1 step\"}, \"model\": {\"layers\": [\"relu\"", ",\"relu\"",
         "]}}"},
        {"{\"train\": {\"duration\": \"1 step\"}, \"model\": {\"layers\": [\"relu\"",
         ",{\"type\":\"conv2d\",\"out\":1}", "]}}"},
        {"{\"train\": {\"duration\": \"1 step\"}, \"model\": {\"layers\": []}, \"milestones\": [1",
         ",1", "]}"},
        {"{\"train\": {\"duration\": \"1 step\"}, \"model\": {\"layers\": [0", ",0", "]}}"},
    };
    if (bytes_in_use() == 0) {
        print_message("this allocator (a sanitizer's) does not count; the plain build does\n");
        skip();
    }
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ty_text text = {0};
        ty_text_add(&text, cases[i].head);
        size_t per_unit = i == 1 ? 3 : 1, room = TY_DOC_MAX_BYTES - 256,
               n = room / strlen(cases[i].unit);
        if (n > (TY_DOC_MAX_VALUES - 20) / per_unit)
            n = (TY_DOC_MAX_VALUES - 20) / per_unit;
        for (size_t k = 0; k < n; k++)
            ty_text_add(&text, cases[i].unit);
        ty_text_add(&text, cases[i].tail);
        size_t before = bytes_in_use();
        assert_int_equal(ty_doc_parse(&f->ctx, "c", ty_text_string(&text), text.length, &f->doc),
                         TY_OK);
        ty_status st = ty_rows_load(&f->ctx, &fixture_rows, NULL, f->doc, &f->config);
        assert_int_equal(st, i == 3 ? TY_ERR_CONFIG : TY_OK);
        assert_in_range(bytes_in_use() - before, 1, 64u << 20);
        ty_doc_close(f->doc);
        f->doc = NULL;
        ty_text_clear(&text);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_written_has_its_default),
        TEST(what_is_written_is_what_is_loaded),
        TEST(one_value_is_a_list_of_one),
        TEST(an_integer_may_be_written_as_a_real),
        TEST(amounts_know_their_units),
        TEST(percent_never_and_plain_numbers_are_amounts_where_allowed),
        TEST(variants_nest),
        TEST(a_variant_without_type_has_its_defaults_type),
        TEST(one_variant_is_read_alone),
        TEST(one_variant_that_is_wrong_leaves_no_document),
        TEST(strings_outlive_a_later_set),
        TEST(walk_shows_every_key_with_its_origin),
        TEST(a_visitor_ends_the_walk),
        TEST(dump_is_readable_and_keeps_numbers_as_written),
        TEST(a_dump_reads_back_to_the_same_config),
        TEST(a_document_as_it_was_written_has_no_default_and_takes_another_type),
        TEST(the_hash_sees_meaning_not_spelling),
        TEST(the_hash_sees_every_result),
        TEST(a_new_row_that_is_no_result_leaves_the_hash),
        TEST(one_text_and_a_list_of_it_have_one_hash),
        TEST(a_hostile_document_takes_bounded_memory),
    };
    return cmocka_run_group_tests_name("base.rows", tests, NULL, NULL);
}
