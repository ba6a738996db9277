/* The way of the data from a config to a finished, recorded run (docs/ARCHITECTURE.md walks it). */
#include "cli/train/train_run.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/compare.h"
#include "cli/train/export.h"
#include "cli/train/note.h"
#include "cli/plan.h"
#include "cli/train/summary.h"
#include "tracking/tracking.h"

/* What a checkpoint is best by: "val/accuracy:max". */
static void primary_metric(const train_run *t, char metric[64], const char **goal) {
    const char *best = t->job.config.checkpoint.best;
    const bool has_classes = ty_dataset_info(t->job.data)->is_classification;
    if (!best || strcmp(best, "auto") == 0)
        best = has_classes ? "val/accuracy:max" : "val/loss:min";
    (void)snprintf(metric, 64, "%.*s", (int)strcspn(best, ":"), best);
    *goal = strstr(best, ":max") ? "max" : "min";
}

/* In the job's arena; NULL: no memory, and no description. */
static const char *experiment_note(train_run *t) {
    ty_text note = {0};
    note_write_experiment(t->job.data, &note);
    const char *kept = ty_arena_string(&t->job.arena, ty_text_string(&note));
    ty_text_clear(&note);
    return kept;
}

static ty_status take_run(train_run *t) {
    char metric[64];
    ty_tracker_options options = {.folder = t->app->folder,
                                  .target = &t->job.target,
                                  .run_folder = t->job.run_folder,
                                  .experiment = t->job.config.experiment,
                                  .run_name = t->job.run_name,
                                  .run_id = t->job.given_run_id,
                                  .experiment_note = experiment_note(t),
                                  .primary_metric = metric,
                                  .source = ty_text_string(&t->command_line)};
    ty_ctx *ctx = &t->app->ctx;
    primary_metric(t, metric, &options.primary_goal);
    TY_TRY(ty_dir_make(ctx, t->job.run_folder));
    const ty_status st = ty_tracker_open(ctx, &options, &t->tracker);
    if (st == TY_ERR_BUSY)
        return ty_fail_within(ctx, st,
                              "another process works on this run: wait for it, or start another "
                              "attempt with --fresh");
    if (st == TY_ERR_INTEGRITY)
        return ty_fail_within(ctx, st,
                              "this run cannot go on (--fresh starts another attempt and leaves it "
                              "as it is)");
    return st;
}

/* Whether the journal says that the run came to its end. */
static bool has_ended(train_run *t, ty_run_record *record) {
    return ty_runs_read(&t->app->ctx, t->job.run_folder, &t->job.arena, record) == TY_OK &&
           record->info.state == TY_RUN_FINISHED;
}

/* A run that is over needs no lease to be told so: it may lie where nobody writes. */
static ty_status open_tracker(train_run *t) {
    ty_ctx *ctx = &t->app->ctx;
    char kept[TY_MESSAGE_BYTES];
    ty_run_record record = {0};
    if (ty_comm_rank(t->job.comm) != 0)
        return TY_OK;
    const ty_status st = take_run(t);
    memcpy(kept, ctx->message, sizeof kept);
    t->is_only_read = st == TY_ERR_IO && !t->job.run_is_new && has_ended(t, &record);
    memcpy(ctx->message, kept, sizeof kept);
    return t->is_only_read ? TY_OK : st;
}

/* Two processes may start the same new run: the second finds the first one's work when it is its
 * turn. */
static ty_status check_still_new(train_run *t) {
    ty_ctx *ctx = &t->app->ctx;
    char *path = ty_path_join(&t->job.arena, t->job.run_folder, "checkpoints");
    if (ty_comm_rank(t->job.comm) != 0 || !path || !ty_file_exists(ctx, path))
        return TY_OK;
    return ty_fail(ctx, TY_ERR_BUSY,
                   "another process has just worked on %s: the same command again continues it",
                   t->job.run_folder);
}

/* Under the same --name only the same run may go on. */
static ty_status check_same_run(train_run *t) {
    ty_ctx *ctx = &t->app->ctx;
    char *path = ty_path_join(&t->job.arena, t->job.run_folder, "config.json");
    t->lacks_config = path && !ty_file_exists(ctx, path);
    if (!path || t->lacks_config)
        return TY_OK;
    ty_text difference = {0};
    ty_status st = compare_configs(ctx, path, t->job.doc, t->job.config_hash, &difference);
    if (st == TY_ERR_CONFIG && difference.length)
        st = ty_fail(ctx, TY_ERR_CONFIG,
                     "run %s was started with another configuration:\n%s"
                     "  give it another --name, or --fresh to start a new attempt",
                     t->job.run_folder, ty_text_string(&difference));
    else if (st != TY_OK && st != TY_ERR_NOMEM) {
        ty_log(ctx, TY_LOG_WARN, "run", "%s is damaged and is written anew", path);
        t->lacks_config = true;
        st = TY_OK;
    }
    ty_text_clear(&difference);
    return st;
}

static ty_status open_trainer(train_run *t) {
    ty_trainer_options options = {.config = &t->job.config,
                                  .config_json = ty_text_string(&t->job.config_json),
                                  .memory_bytes = facts_memory(&t->app->ctx),
                                  .config_hash = t->job.config_hash,
                                  .comm = t->job.comm,
                                  .data = t->job.data,
                                  .run_folder = t->job.run_folder,
                                  .checkpoint = t->wish->from,
                                  .stop_signal = t->wish->stop_signal ? t->wish->stop_signal
                                                                      : &t->job.signals.stop,
                                  .post = &t->post};
    const ty_status st = ty_trainer_open(&t->app->ctx, &options, &t->trainer);
    if (st == TY_ERR_DATA && !t->job.run_is_new)
        return ty_fail_within(
            &t->app->ctx, st,
            "this run only goes on with its own data (another --name, or --fresh, "
            "starts one with these)");
    return job_place(t->app, &t->job, st);
}

static void reap(train_run *t) {
    ty_ctx *ctx = &t->app->ctx;
    int64_t reaped = 0;
    if (t->wish->comm)
        return; /* one of many runs: who starts them has looked */
    if (ty_comm_rank(t->job.comm) == 0 && ty_runs_reap(ctx, t->app->folder, &reaped) != TY_OK)
        ty_log(ctx, TY_LOG_WARN, "runs", "looking for dead runs: %s", ctx->message);
}

/* A new run is planned and initialised before anything is created, so that what is wrong leaves no
 * trace; a run that exists is read under its lease, which the tracker holds. */
static ty_status open_all(train_run *t) {
    ty_ctx *ctx = &t->app->ctx;
    TY_TRY(job_open(t->app, &t->job));
    TY_TRY(job_choose_run(t->app, &t->job, t->wish->name, t->wish->is_fresh));
    TY_TRY(ty_comm_agree(ctx, t->job.comm, check_same_run(t)));
    TY_TRY(ty_comm_agree(ctx, t->job.comm, job_check_data(t->app, &t->job)));
    if (t->job.run_is_new)
        TY_TRY(open_trainer(t));
    reap(t);
    TY_TRY(ty_comm_agree(ctx, t->job.comm, open_tracker(t)));
    return t->job.run_is_new ? ty_comm_agree(ctx, t->job.comm, check_still_new(t))
                             : open_trainer(t);
}

static ty_status wire_observers(train_run *t) {
    if (ty_comm_rank(t->job.comm) != 0)
        return TY_OK;
    const train_wish *wish = t->wish;
    ty_observer *rows = ty_arena_array(&t->job.arena, (size_t)wish->n_observers + 3, sizeof *rows);
    if (!rows)
        return ty_fail_nomem(&t->app->ctx, "the observers of a run");
    bool is_classification = ty_dataset_info(t->job.data)->is_classification;
    progress_init(&t->progress, &t->app->ctx, &t->app->console, is_classification);
    rows[0] = progress_observer(&t->progress);
    rows[1] = ty_tracker_observer(t->tracker);
    for (int64_t i = 0; i < wish->n_observers; i++)
        rows[2 + i] = wish->observers[i];
    t->observers = (ty_observers){.v = rows, .n = 2 + wish->n_observers};
    if (wish->trial)
        rows[1] = trial_lend(wish->trial, rows[1]);
    const char *images = ty_path_join(&t->job.arena, t->job.run_folder, "artifacts/images");
    if (!images)
        return TY_OK;
    gallery_init(&t->gallery, &t->app->ctx, t->trainer, t->job.data, images, rows[1]);
    rows[t->observers.n++] = gallery_observer(&t->gallery);
    return TY_OK;
}

/* The machine's load goes to the journal alone, from a thread of its own. */
static ty_status open_monitor(train_run *t) {
    ty_ctx *ctx = &t->app->ctx;
    const double every = monitor_interval(ctx, t->job.config.tracking.system_every);
    uint64_t is_wanted = every > 0;
    TY_TRY(ty_comm_vote(ctx, t->job.comm, is_wanted, &is_wanted));
    if (!is_wanted)
        return TY_OK;
    const monitor_options options = {.comm = t->job.comm,
                                     .folder = t->app->folder,
                                     .gpu_uuid = ty_trainer_report(t->trainer)->gpu_uuid,
                                     .every_s = every > 0 ? every : 10,
                                     .observer = t->tracker ? ty_tracker_observer(t->tracker)
                                                            : (ty_observer){0}};
    TY_TRY(monitor_open(ctx, &options, &t->monitor));
    t->post = monitor_post(t->monitor);
    return TY_OK;
}

static void say_summary(train_run *t, const ty_train_result *result, const ty_eval_result *test,
                        ty_split split) {
    ty_text out = {0};
    const summary words = {.app = t->app,
                           .run_folder = t->job.run_folder,
                           .report = t->report,
                           .package = t->package,
                           .result = result,
                           .test = test,
                           .test_split = ty_split_names[split],
                           .target = &t->job.target,
                           .link = ty_tracker_describe(t->tracker)->deep_link};
    summary_write(&words, &out);
    console_print(&t->app->console, ty_text_string(&out));
    ty_text_clear(&out);
}

/* -1: there is none. */
static long long step_of(const char *checkpoint) {
    const char *name = checkpoint ? strrchr(checkpoint, '/') : NULL;
    long long step = -1;
    return name && sscanf(name, "/step_%lld.h5", &step) == 1 ? step : -1;
}

/* Training went on without a disk to write to; what it made is lost all the same. */
static ty_status check_saved(train_run *t, const ty_train_result *result) {
    const long long saved = step_of(result->last_checkpoint);
    if (saved == (long long)result->step)
        return TY_OK;
    if (saved < 0)
        return ty_fail(&t->app->ctx, TY_ERR_IO, "the trained model " RUN_NOT_SAVED);
    return ty_fail(&t->app->ctx, TY_ERR_IO,
                   "the model of step %lld " RUN_NOT_SAVED ": it continues from step %lld",
                   (long long)result->step, saved);
}

static void tell_package(train_run *t, const export_made *made, const ty_run_record *record) {
    const ty_run_package package = {
        .model_id = made->model_id, .step = made->step, .time_ns = ty_now_wall_ns(&t->app->ctx)};
    ty_text note = {0};
    if (record)
        ty_card_write(record, &package, NULL, &note);
    const bool has_note = record && !note.is_short && note.length <= TY_CARD_MAX_BYTES;
    t->package = made->folder;
    train_tell(t, (ty_event){.kind = TY_EVENT_PACKAGE,
                             .step = made->step,
                             .package = {.model_id = made->model_id,
                                         .name = made->name,
                                         .folder = made->folder,
                                         .note = has_note ? ty_text_string(&note) : NULL}});
    ty_text_clear(&note);
}

/* A run whose model cannot leave is a good run all the same. record: as train_read_record has it.
 * Collective. */
static ty_status export_best(train_run *t, const ty_train_result *result,
                             const ty_run_record *record) {
    ty_ctx *ctx = &t->app->ctx;
    const char *best = result->best_checkpoint ? result->best_checkpoint : result->last_checkpoint;
    const bool is_mine = ty_comm_rank(t->job.comm) == 0 && best;
    export_wish wish = {.run_folder = t->job.run_folder, .checkpoint = best, .data = t->job.data};
    export_made made = {0};
    ty_status exported = TY_OK;
    if (!t->job.config.checkpoint.exports)
        return TY_OK;
    if (is_mine)
        wish.run_id = ty_tracker_describe(t->tracker)->run_id;
    TY_TRY(export_model_apart(ctx, t->job.comm, is_mine ? &wish : NULL, &t->job.arena, &made,
                              &exported));
    if (exported != TY_OK)
        ty_log(ctx, TY_LOG_WARN, "export", "%s", ctx->message);
    else if (is_mine)
        tell_package(t, &made, record);
    return TY_OK;
}

/* The last word of a complete run: the best model on the test data (on val where there is none),
 * the model for others, the report. */
static ty_status finish(train_run *t, const ty_train_result *result) {
    const ty_data_info *info = ty_dataset_info(t->job.data);
    ty_split split = info->count[TY_SPLIT_TEST] ? TY_SPLIT_TEST : TY_SPLIT_VAL;
    ty_eval_result test = {0};
    const bool has_test = info->count[split] > 0 && !t->wish->leaves_test_alone;
    if (ty_comm_rank(t->job.comm) == 0)
        gallery_finish(&t->gallery);
    if (has_test)
        TY_TRY(ty_trainer_evaluate(&t->app->ctx, t->trainer, split, true, &test));
    csv_timing *timings = NULL;
    const ty_run_record *record = NULL;
    TY_TRY(train_gather_timings(t, result, &timings));
    if (ty_comm_rank(t->job.comm) == 0 && has_test && split == TY_SPLIT_TEST)
        train_tell_scores(t, &test, "test",
                          result->best_step >= 0 ? result->best_step : result->step);
    if (ty_comm_rank(t->job.comm) == 0)
        record = train_read_record(t);
    TY_TRY(export_best(t, result, record));
    if (ty_comm_rank(t->job.comm) != 0)
        return TY_OK;
    if (record)
        train_show_result(t, result, has_test ? &test : NULL, split, timings, record);
    if (!t->wish->comm)
        say_summary(t, result, has_test ? &test : NULL, split);
    return check_saved(t, result);
}

/* A server's own link follows once it has answered. */
static void say_target(train_run *t) {
    console_say(&t->app->console, "track   %s   run %s", job_target_name(t->app, &t->job),
                ty_tracker_describe(t->tracker)->run_id);
}

static ty_status start(train_run *t) {
    TY_TRY(ty_comm_agree(&t->app->ctx, t->job.comm, t->is_only_read ? take_run(t) : TY_OK));
    ty_status st = wire_observers(t);
    plan_say(t->app, &t->job, t->trainer);
    if (t->tracker)
        say_target(t);
    if (st == TY_OK && ty_comm_rank(t->job.comm) == 0)
        st = train_tell_start(t);
    TY_TRY(ty_comm_agree(&t->app->ctx, t->job.comm, st));
    return open_monitor(t);
}

static void say_stopped(train_run *t, ty_status st, const ty_train_result *result) {
    const char *reason = result->reason && *result->reason ? result->reason : ty_status_meaning(st);
    if (result->last_checkpoint)
        console_say(&t->app->console,
                    "stopped at step %lld (%s); the same command continues from %s",
                    (long long)result->step, reason, result->last_checkpoint);
}

/* A run that an observer paused goes on with what was saved. */
static ty_status leave_paused(train_run *t, const ty_train_result *result) {
    say_stopped(t, TY_OK, result);
    return ty_comm_rank(t->job.comm) == 0 ? check_saved(t, result) : TY_OK;
}

/* A run that had its end before trains no more and begins nothing; who wished for it may still not know
 * what it evaluated, and can read that in its folder. */
static ty_status tell_finished(train_run *t, const ty_train_result *result) {
    const char *reason = NULL;
    ty_answer answer;
    const ty_event start = {
        .kind = TY_EVENT_START,
        .time_ns = ty_now_wall_ns(&t->app->ctx),
        .step = result->step,
        .start = {.is_resumed = true,
                  .from_step = result->step,
                  .samples_per_epoch = ty_dataset_info(t->job.data)->count[TY_SPLIT_TRAIN],
                  .samples_per_step = t->job.config.train.global_batch_size,
                  .run_folder = t->job.run_folder}};
    for (int64_t i = 0; ty_comm_rank(t->job.comm) == 0 && i < t->wish->n_observers; i++)
        (void)t->wish->observers[i].notify(t->wish->observers[i].self, &start, &reason);
    return ty_observers_await(&t->app->ctx, t->job.comm, &t->observers, &answer, &reason);
}

static ty_status run_opened(train_run *t, ty_train_result *result) {
    ty_ctx *ctx = &t->app->ctx;
    TY_TRY(start(t));
    t->job.signals.is_training = true;
    ty_status st = ty_trainer_run(ctx, t->trainer, &t->observers, result);
    if (st == TY_OK && ty_trainer_report(t->trainer)->is_finished)
        st = tell_finished(t, result);
    if (st == TY_OK && result->is_complete)
        st = finish(t, result);
    else if (st == TY_OK)
        st = leave_paused(t, result);
    else
        say_stopped(t, st, result);
    monitor_close(t->monitor);
    t->monitor = NULL;
    train_tell_state(t, st, result, st == TY_OK ? result->reason : ctx->message);
    return st;
}

/* Whether nothing is left to do: everything is trained, and the journal knows that the run came to
 * its end. A process that is killed after its last checkpoint has not tested its model yet. */
static ty_status is_over(train_run *t, ty_run_record *record, bool *out) {
    ty_ctx *ctx = &t->app->ctx;
    uint64_t lacks_end = 0;
    if (ty_trainer_report(t->trainer)->is_finished && ty_comm_rank(t->job.comm) == 0)
        lacks_end = !has_ended(t, record);
    TY_TRY(ty_comm_vote(ctx, t->job.comm, lacks_end, &lacks_end));
    *out = ty_trainer_report(t->trainer)->is_finished && !lacks_end;
    return TY_OK;
}

static ty_status say_finished(train_run *t, const ty_run_record *record, ty_train_result *result) {
    TY_TRY(ty_trainer_run(&t->app->ctx, t->trainer, &t->observers, result));
    TY_TRY(tell_finished(t, result));
    if (ty_comm_rank(t->job.comm) != 0)
        return TY_OK;
    if (t->lacks_config && t->tracker)
        train_publish(t, "config.json", ty_text_string(&t->job.config_json));
    if (t->app->console.is_json && !t->wish->comm) {
        ty_text line = {0};
        summary_write_again(record, t->job.run_folder, result, &line);
        console_print(&t->app->console, ty_text_string(&line));
        ty_text_clear(&line);
    }

    console_say(&t->app->console,
                "run %s is finished: nothing to do (--fresh starts a new attempt)",
                t->job.run_folder);
    return TY_OK;
}

/* --- the whole -------------------------------------------------------------------------------- */

/* The result's texts live in the trainer. */
static void fill_outcome(train_run *t, const ty_train_result *result, train_outcome *out) {
    const ty_eval_result *val = t->trainer ? ty_trainer_newest_eval(t->trainer) : NULL;
    out->is_complete = result->is_complete;
    out->step = result->step;
    out->epoch = result->epoch;
    out->best_step = result->best_step;
    out->best_value = result->best_value;
    out->params_hash = result->params_hash;
    if (val) {
        out->val_loss = val->loss;
        out->val_accuracy = val->confusion ? val->accuracy : NAN;
    }
    if (result->reason)
        (void)snprintf(out->reason, sizeof out->reason, "%s", result->reason);
    if (t->job.run_folder)
        (void)snprintf(out->run_folder, sizeof out->run_folder, "%s", t->job.run_folder);
    if (t->tracker)
        (void)snprintf(out->run_id, sizeof out->run_id, "%s",
                       ty_tracker_describe(t->tracker)->run_id);
}

/* A peer is gone: leaving in order would wait for it. */
static void leave_without(train_run *t, ty_status st, const char *message) {
    console_fail(&t->app->console, st, message);
    ty_comm_abort(t->job.comm, ty_status_exit_code(st));
}

/* A trial that was asked to stop goes on with its sweep, and tells then what is left: whoever asked
 * waits for it. */
static int exit_wait_ms(const train_run *t, ty_status st) {
    enum { STOPPED_MS = 1000 };
    const int wanted_ms = (int)(t->job.config.tracking.exit_wait * 1000);
    const bool is_waited_for = t->wish->trial && st >= TY_STOP_REQUEUE;
    return is_waited_for && wanted_ms > STOPPED_MS ? STOPPED_MS : wanted_ms;
}

static void close_all(train_run *t, ty_status st) {
    char kept[TY_MESSAGE_BYTES];
    memcpy(kept, t->app->ctx.message, sizeof kept);
    monitor_close(t->monitor);
    ty_trainer_close(t->trainer);
    if (t->tracker && ty_tracker_close(&t->app->ctx, t->tracker, exit_wait_ms(t, st)) != TY_OK)
        ty_log(&t->app->ctx, TY_LOG_WARN, "tracking", "%s", t->app->ctx.message);
    ty_text_clear(&t->command_line);
    if (st == TY_ERR_COMM && t->job.comm && !t->wish->comm && ty_comm_size(t->job.comm) > 1)
        leave_without(t, st, kept);
    job_close(&t->job);
    memcpy(t->app->ctx.message, kept, sizeof kept);
}

static ty_status run(train_run *t, ty_train_result *result) {
    ty_run_record record = {0};
    bool is_done = false;
    facts_command_line(t->app, &t->command_line);
    if (t->wish->facts)
        t->facts = *t->wish->facts;
    else
        facts_read(t->app, &t->facts);
    TY_TRY(open_all(t));
    TY_TRY(is_over(t, &record, &is_done));
    return is_done ? say_finished(t, &record, result) : run_opened(t, result);
}

static ty_status read_config(train_run *t) {
    const train_wish *wish = t->wish;
    TY_TRY(job_read_config(t->app, &t->job, wish->config));
    t->job.lends_comm = wish->comm != NULL;
    t->job.comm = wish->comm;
    if (!wish->comm)
        return TY_OK;
    t->job.given_run_id = NULL; /* the environment names one run, not each of many */
    ty_comm_set_deadline(wish->comm, t->job.config.train.comm_deadline_s);
    return TY_OK;
}

ty_status train_run_once(cli *app, const train_wish *wish, train_outcome *out) {
    train_run t = {.app = app,
                   .wish = wish,
                   .job = {.text = wish->text, .sets = wish->sets, .n_sets = wish->n_sets}};
    ty_train_result result = {.best_step = -1, .best_value = NAN};
    *out =
        (train_outcome){.best_step = -1, .best_value = NAN, .val_loss = NAN, .val_accuracy = NAN};
    ty_status st = read_config(&t);
    if (st == TY_OK)
        st = run(&t, &result);
    if (wish->comm && st != TY_ERR_COMM) /* its ranks go on together: what one suffered, all hear */
        st = ty_comm_agree(&app->ctx, wish->comm, st);
    fill_outcome(&t, &result, out);
    close_all(&t, st);
    return st;
}
