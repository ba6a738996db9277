/* Stopping and going on: the interrupted run is the uninterrupted one, bit for bit. */
#include <math.h>

#include "tests/trainer/job_fixture.h"

static const char *const cnn =
    "{\"data\": {\"source\": \"synthetic:96x1x8x8x4\", \"val_fraction\": 0.2, \"flip\": 0.5,"
    "\"crop_padding\": 1},"
    "\"model\": {\"layers\": [{\"type\": \"conv2d\", \"out\": 4, \"bias\": false}, \"batch_norm\", "
    "\"relu\","
    "\"max_pool\", \"flatten\", {\"type\": \"dropout\", \"rate\": 0.2}, \"linear\"]},"
    "\"schedule\": {\"type\": \"one_cycle\"},"
    "\"train\": {\"duration\": \"8 steps\", \"global_batch_size\": 32, \"threads\": 1},"
    "\"eval\": {\"every\": \"3 steps\"}, \"tracking\": {\"log_every\": \"2 steps\"}}";

/* One sitting: signal_after 0 runs to the end. The job is the caller's to close. */
static ty_status sit(world *w, job *j, const char *folder, const char *set, int64_t signal_after) {
    const job_options options = {.text = cnn, .sets = {set}, .run_folder = folder, .comm = w->comm};
    job_open(&w->ctx, j, &options);
    j->rec.signal_after = signal_after;
    return job_run(j);
}

static const char *const curves[] = {"train/loss", "train/accuracy", "train/gradient_norm",
                                     "val/loss", "val/accuracy"};

/* Every point of the parts is the whole's. */
static void assert_same_curves(const job *whole, const job *part) {
    for (int64_t i = 0; i < part->rec.n_points; i++) {
        const point *p = &part->rec.points[i];
        for (size_t k = 0; k < sizeof curves / sizeof curves[0]; k++) {
            if (strcmp(p->key, curves[k]) == 0 && p->value != job_metric(whole, p->key, p->step))
                fail_msg("%s at step %lld: %.17g, want %.17g", p->key, (long long)p->step, p->value,
                         job_metric(whole, p->key, p->step));
        }
    }
}

static void check_each_step(world *w, const char *set) {
    job whole;
    assert_int_equal(sit(w, &whole, NULL, set, 0), TY_OK);
    for (int64_t k = 1; k < 8; k++) {
        const temp_folder folder = temp_folder_make();
        job first, second;
        assert_int_equal(sit(w, &first, folder.path, set, k), TY_STOP_REQUEUE);
        assert_int_equal(first.result.step, k);
        assert_false(first.result.is_complete);
        job_close(&first);
        assert_int_equal(sit(w, &second, folder.path, set, 0), TY_OK);
        assert_int_equal(ty_trainer_report(second.trainer)->resumed_step, k);
        if (second.result.params_hash != whole.result.params_hash)
            fail_msg("stopped after step %lld: other parameters", (long long)k);
        assert_same_curves(&whole, &first);
        assert_same_curves(&whole, &second);
        assert_int_equal(second.result.best_step, whole.result.best_step);
        assert_true(second.result.best_value == whole.result.best_value);
        job_close(&second);
        temp_folder_remove(&folder);
    }
    job_close(&whole);
}

static void resume_continues_adamw_exactly_at_every_step(void **state) {
    check_each_step(*state, "optimizer=adamw");
}

static void resume_continues_momentum_exactly_at_every_step(void **state) {
    check_each_step(*state, "optimizer=sgd");
}

/* One sitting that an observer pauses at a step or at an evaluation; 0: to the end. What it says is agreed
 * on at the evaluation after the step (every third), or in the next step. */
static void sit_until_paused(world *w, job *j, const char *folder, int64_t at, bool at_eval) {
    const job_options options = {.text = cnn, .run_folder = folder, .comm = w->comm};
    job_open(&w->ctx, j, &options);
    j->rec.answer_at = at;
    j->rec.answers_at_eval = at_eval;
    j->rec.answer = TY_PAUSE;
    if (job_run(j) != TY_OK)
        fail_msg("%s", w->ctx.message);
    assert_int_equal(j->result.is_complete, at == 0);
    if (at == 0)
        return;
    assert_int_equal(j->result.step, at % 3 == 0 ? at : at + 1);
    if (ty_comm_rank(w->comm) == 0)
        assert_string_equal(j->result.reason, "the test said so");
}

static void check_paused(world *w, const job *whole, int64_t at, bool at_eval) {
    const temp_folder folder = temp_folder_make();
    job first, second;
    sit_until_paused(w, &first, folder.path, at, at_eval);
    job_close(&first);
    sit_until_paused(w, &second, folder.path, 0, at_eval);
    assert_int_equal(ty_trainer_report(second.trainer)->resumed_step, first.result.step);
    assert_true(second.result.params_hash == whole->result.params_hash);
    assert_same_curves(whole, &first);
    assert_same_curves(whole, &second);
    assert_int_equal(first.rec.n_steps + second.rec.n_steps, whole->rec.n_steps);
    assert_int_equal(first.rec.n_evals + second.rec.n_evals, whole->rec.n_evals);
    assert_true(second.result.best_value == whole->result.best_value);
    job_close(&second);
    temp_folder_remove(&folder);
}

static void a_run_paused_at_any_step_goes_on_exactly(void **state) {
    job whole;
    assert_int_equal(sit(*state, &whole, NULL, NULL, 0), TY_OK);
    for (int64_t at = 1; at < 7; at++)
        check_paused(*state, &whole, at, false);
    job_close(&whole);
}

/* Nothing is evaluated or trained beyond the rung, and nothing twice. */
static void a_run_paused_at_an_evaluation_ends_there_and_goes_on_exactly(void **state) {
    job whole;
    assert_int_equal(sit(*state, &whole, NULL, NULL, 0), TY_OK);
    for (int64_t at = 3; at < 8; at += 3)
        check_paused(*state, &whole, at, true);
    job_close(&whole);
}

static void a_finished_run_says_so(void **state) {
    world *w = *state;
    const temp_folder folder = temp_folder_make();
    job j;
    assert_int_equal(sit(w, &j, folder.path, NULL, 0), TY_OK);
    const uint64_t hash = j.result.params_hash;
    assert_true(j.rec.n_models >= 2);
    assert_non_null(j.result.best_checkpoint);
    job_close(&j);
    assert_int_equal(sit(w, &j, folder.path, NULL, 0), TY_OK);
    assert_true(ty_trainer_report(j.trainer)->is_finished);
    assert_int_equal(j.rec.n_steps, 0);
    assert_true(j.result.params_hash == hash);
    assert_true(j.result.is_complete);
    job_close(&j);
    temp_folder_remove(&folder);
}

static void another_config_in_the_same_folder_is_refused(void **state) {
    world *w = *state;
    const temp_folder folder = temp_folder_make();
    job j;
    assert_int_equal(sit(w, &j, folder.path, NULL, 3), TY_STOP_REQUEUE);
    job_close(&j);
    const job_options options = {
        .text = cnn, .sets = {"seed=2"}, .run_folder = folder.path, .comm = w->comm};
    assert_int_equal(job_try_open(&w->ctx, &j, &options), TY_ERR_CONFIG);
    assert_non_null(strstr(w->ctx.message, "another config"));
    job_close(&j);
    temp_folder_remove(&folder);
}

static void a_checkpoint_given_by_name_may_start_another_config(void **state) {
    world *w = *state;
    const temp_folder folder = temp_folder_make();
    char path[1024];
    job j;
    assert_int_equal(sit(w, &j, folder.path, NULL, 3), TY_STOP_REQUEUE);
    (void)snprintf(path, sizeof path, "%s", j.result.last_checkpoint);
    const float weight = j.trainer->state.params[5];
    job_close(&j);
    const job_options options = {
        .text = cnn, .sets = {"seed=2"}, .checkpoint = path, .comm = w->comm};
    job_open(&w->ctx, &j, &options);
    assert_int_equal(ty_trainer_report(j.trainer)->resumed_step, 0);
    assert_true(j.trainer->state.params[5] == weight);
    job_close(&j);
    temp_folder_remove(&folder);
}

static void evaluating_what_was_never_saved_is_an_error(void **state) {
    world *w = *state;
    const temp_folder folder = temp_folder_make();
    job j;
    const job_options options = {
        .text = cnn, .run_folder = folder.path, .comm = w->comm, .is_forward_only = true};
    assert_int_equal(job_try_open(&w->ctx, &j, &options), TY_ERR_NOT_FOUND);
    job_close(&j);
    temp_folder_remove(&folder);
}

static ty_status sit_with_signal(world *w, job *j, const char *folder, sig_atomic_t number) {
    const job_options options = {.text = cnn, .run_folder = folder, .comm = w->comm};
    job_open(&w->ctx, j, &options);
    j->rec.signal_after = 2;
    j->rec.signal_number = number;
    return job_run(j);
}

static void signals_have_their_own_endings(void **state) {
    const struct {
        sig_atomic_t number;
        ty_status status;
    } cases[] = {{SIGUSR1, TY_STOP_REQUEUE},
                 {SIGUSR2, TY_STOP_REQUEUE},
                 {SIGINT, TY_STOP_INTERRUPT},
                 {SIGTERM, TY_STOP_TERMINATE}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const temp_folder folder = temp_folder_make();
        job j;
        assert_int_equal(sit_with_signal(*state, &j, folder.path, cases[i].number),
                         cases[i].status);
        assert_non_null(j.result.last_checkpoint);
        job_close(&j);
        temp_folder_remove(&folder);
    }
}

static void a_second_signal_skips_the_save(void **state) {
    const temp_folder folder = temp_folder_make();
    job j;
    assert_int_equal(sit_with_signal(*state, &j, folder.path, -SIGINT), TY_STOP_INTERRUPT);
    assert_null(j.result.last_checkpoint);
    job_close(&j);
    temp_folder_remove(&folder);
}

static void the_best_checkpoint_is_what_use_best_evaluates(void **state) {
    world *w = *state;
    const temp_folder folder = temp_folder_make();
    job j;
    assert_int_equal(sit(w, &j, folder.path, "checkpoint.best=val/loss:min", 0), TY_OK);
    const uint64_t hash = ty_state_hash(&j.trainer->state);
    ty_eval_result best, last;
    assert_int_equal(ty_trainer_evaluate(&w->ctx, j.trainer, TY_SPLIT_VAL, true, &best), TY_OK);
    assert_true(best.loss == j.result.best_value);
    assert_true(ty_state_hash(&j.trainer->state) == hash);
    assert_int_equal(ty_trainer_evaluate(&w->ctx, j.trainer, TY_SPLIT_VAL, false, &last), TY_OK);
    assert_true(last.loss == job_metric(&j, "val/loss", 8));
    job_close(&j);
    temp_folder_remove(&folder);
}

/* --- each thing that is kept, lost once: the test of the test --------------------------------- */

typedef void mutate_fn(ty_trainer *trainer);

static void lose_params(ty_trainer *t) {
    t->state.params[3] += 1e-3f;
}
static void lose_stats(ty_trainer *t) {
    t->state.stats[1] += 1e-2f;
}
static void lose_m(ty_trainer *t) {
    t->state.slots[0][0] += 1e-3f;
}
static void lose_v(ty_trainer *t) {
    t->state.slots[1][0] += 1e-3f;
}
static void lose_updates(ty_trainer *t) {
    t->progress.updates = 0;
}
static void lose_step(ty_trainer *t) {
    t->progress.step = 2;
}
static void lose_window(ty_trainer *t) {
    t->progress.window_loss = t->progress.window_weight = 0;
}
static void lose_best(ty_trainer *t) {
    t->progress.best_value = 1e9;
}

static bool is_same(const job *whole, const job *part) {
    if (whole->result.params_hash != part->result.params_hash ||
        whole->result.best_step != part->result.best_step)
        return false;
    for (int64_t i = 0; i < part->rec.n_points; i++) {
        const point *p = &part->rec.points[i];
        for (size_t k = 0; k < sizeof curves / sizeof curves[0]; k++) {
            if (strcmp(p->key, curves[k]) == 0 && p->value != job_metric(whole, p->key, p->step))
                return false;
        }
    }
    return true;
}

static void whatever_is_lost_on_the_way_is_noticed(void **state) {
    world *w = *state;
    const struct {
        const char *name;
        mutate_fn *lose;
        bool is_noticed;
    } losses[] = {{"nothing", NULL, false},
                  {"parameters", lose_params, true},
                  {"statistics", lose_stats, true},
                  {"m", lose_m, true},
                  {"v", lose_v, true},
                  {"updates", lose_updates, true},
                  {"step", lose_step, true},
                  {"window", lose_window, true},
                  {"best", lose_best, true}};
    job whole;
    assert_int_equal(sit(w, &whole, NULL, "checkpoint.best=val/loss:min", 0), TY_OK);
    for (size_t i = 0; i < sizeof losses / sizeof losses[0]; i++) {
        const temp_folder folder = temp_folder_make();
        job first, second;
        assert_int_equal(sit(w, &first, folder.path, "checkpoint.best=val/loss:min", 5),
                         TY_STOP_REQUEUE);
        job_close(&first);
        const job_options options = {.text = cnn,
                                     .sets = {"checkpoint.best=val/loss:min"},
                                     .run_folder = folder.path,
                                     .comm = w->comm};
        job_open(&w->ctx, &second, &options);
        if (losses[i].lose)
            losses[i].lose(second.trainer);
        assert_int_equal(job_run(&second), TY_OK);
        if (is_same(&whole, &second) == losses[i].is_noticed)
            fail_msg("losing %s is %snoticed", losses[i].name, losses[i].is_noticed ? "not " : "");
        job_close(&second);
        temp_folder_remove(&folder);
    }
    job_close(&whole);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resume_continues_adamw_exactly_at_every_step),
        cmocka_unit_test(resume_continues_momentum_exactly_at_every_step),
        cmocka_unit_test(a_run_paused_at_any_step_goes_on_exactly),
        cmocka_unit_test(a_run_paused_at_an_evaluation_ends_there_and_goes_on_exactly),
        cmocka_unit_test(a_finished_run_says_so),
        cmocka_unit_test(another_config_in_the_same_folder_is_refused),
        cmocka_unit_test(a_checkpoint_given_by_name_may_start_another_config),
        cmocka_unit_test(evaluating_what_was_never_saved_is_an_error),
        cmocka_unit_test(signals_have_their_own_endings),
        cmocka_unit_test(a_second_signal_skips_the_save),
        cmocka_unit_test(the_best_checkpoint_is_what_use_best_evaluates),
        cmocka_unit_test(whatever_is_lost_on_the_way_is_noticed),
    };
    return cmocka_run_group_tests(tests, world_open, world_close);
}
