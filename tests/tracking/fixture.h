/* What tracking's tests share: a folder, a run in it, events, a log that remembers, and questions
 * to the store. */
#ifndef TY_TESTS_TRACKING_FIXTURE_H
#define TY_TESTS_TRACKING_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/temp_folder.h"
#include "tracking/journal/record.h"
#include "tracking/tracking.h"

typedef struct fixture {
    ty_ctx ctx;
    ty_arena arena;
    temp_folder folder;
    char run[2 * TEMP_FOLDER_BYTES];     /* <folder>/runs/exp/one */
    char journal[3 * TEMP_FOLDER_BYTES]; /* its run.journal */
    pthread_mutex_t lock;
    ty_text log; /* every line, under lock */
    int n_warnings;
} fixture;

static inline void fixture_log(void *self, ty_log_level level, const char *topic,
                               const char *line) {
    fixture *f = self;
    (void)pthread_mutex_lock(&f->lock);
    ty_text_addf(&f->log, "%d %s: %s\n", (int)level, topic, line);
    f->n_warnings += level <= TY_LOG_WARN;
    (void)pthread_mutex_unlock(&f->lock);
}

/* How often the log says text. */
static inline int fixture_said(fixture *f, const char *text) {
    int n = 0;
    (void)pthread_mutex_lock(&f->lock);
    for (const char *at = ty_text_string(&f->log); (at = strstr(at, text)) != NULL; at++)
        n++;
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

static inline void fixture_name_run(fixture *f, const char *experiment, const char *name) {
    (void)snprintf(f->run, sizeof f->run, "%s/runs/%s/%s", f->folder.path, experiment, name);
    (void)snprintf(f->journal, sizeof f->journal, "%s/run.journal", f->run);
}

static inline int fixture_set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    (void)pthread_mutex_init(&f->lock, NULL);
    f->ctx.log = (ty_log_sink){.write = fixture_log, .self = f, .max_level = TY_LOG_INFO};
    f->folder = temp_folder_make();
    fixture_name_run(f, "exp", "one");
    *state = f;
    return 0;
}

static inline int fixture_tear_down(void **state) {
    fixture *f = *state;
    temp_folder_remove(&f->folder);
    ty_ctx_clear(&f->ctx);
    ty_arena_clear(&f->arena);
    ty_text_clear(&f->log);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
    return 0;
}

#define assert_ok(f, call)                                                                         \
    do {                                                                                           \
        const ty_status assert_ok_ = (call);                                                       \
        if (assert_ok_ != TY_OK)                                                                   \
            print_error("%s: %s\n", ty_status_name(assert_ok_), (f)->ctx.message);                 \
        assert_int_equal(assert_ok_, TY_OK);                                                       \
    } while (0)

/* The run "one" of experiment "exp", or what fixture_name_run said. */
static inline ty_status fixture_try_open(fixture *f, ty_tracker **out) {
    const ty_tracker_options options = {.folder = f->folder.path,
                                        .run_folder = f->run,
                                        .experiment = "exp",
                                        .run_name = strrchr(f->run, '/') + 1,
                                        .source = "tiltyard train x.json"};
    return ty_tracker_open(&f->ctx, &options, out);
}

static inline ty_tracker *fixture_open(fixture *f) {
    ty_tracker *tracker = NULL;
    assert_ok(f, fixture_try_open(f, &tracker));
    return tracker;
}

static inline void fixture_close(fixture *f, ty_tracker *tracker) {
    assert_ok(f, ty_tracker_close(&f->ctx, tracker, 200000));
}

static inline void tell(fixture *f, ty_tracker *tracker, ty_event event) {
    const ty_observer observer = ty_tracker_observer(tracker);
    const char *reason = NULL;
    if (event.time_ns == 0)
        event.time_ns = ty_now_wall_ns(&f->ctx);
    assert_int_equal(observer.notify(observer.self, &event, &reason), TY_CONTINUE);
}

static inline void tell_start(fixture *f, ty_tracker *t, int64_t from_step) {
    tell(f, t,
         (ty_event){
             .kind = TY_EVENT_START,
             .step = from_step,
             .start = {.is_resumed = from_step > 0, .from_step = from_step, .total_steps = 100}});
}

static inline void tell_metric(fixture *f, ty_tracker *t, const char *key, int64_t step,
                               double value) {
    tell(f, t, (ty_event){.kind = TY_EVENT_METRIC, .step = step, .metric = {key, value}});
}

static inline void tell_text(fixture *f, ty_tracker *t, ty_event_kind kind, const char *key,
                             const char *value) {
    tell(f, t, (ty_event){.kind = kind, .text = {key, value}});
}

static inline void tell_end(fixture *f, ty_tracker *t, ty_run_state state, const char *reason) {
    tell(f, t, (ty_event){.kind = TY_EVENT_STATE, .step = 100, .state = {state, reason}});
}

/* A run with curves of n points, told from step `first`, and ended. */
static inline void record_run(fixture *f, int64_t first, int64_t last) {
    ty_tracker *t = fixture_open(f);
    tell_start(f, t, first - 1);
    tell_text(f, t, TY_EVENT_PARAM, "optimizer.type", "adamw");
    tell_text(f, t, TY_EVENT_TAG, "color", "green");
    for (int64_t i = first; i <= last; i++) {
        tell_metric(f, t, "train/loss", i, 1 / (double)i);
        if (i % 10 == 0)
            tell_metric(f, t, "val/accuracy", i, 1 - 1 / (double)i);
    }
    tell_end(f, t, TY_RUN_FINISHED, "");
    fixture_close(f, t);
}

/* --- the store --------------------------------------------------------------------------- */

static inline sqlite3 *open_store_in(const char *folder) {
    char path[2 * TEMP_FOLDER_BYTES];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/mlflow.db", folder);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 20000);
    return db;
}

static inline void change_store(fixture *f, const char *sql) {
    sqlite3 *db = open_store_in(f->folder.path);
    char *message = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    (void)sqlite3_close(db);
}

/* The first column of all rows, joined by '|', in f's arena. */
static inline const char *ask_store_in(fixture *f, const char *folder, const char *sql) {
    sqlite3 *db = open_store_in(folder);
    sqlite3_stmt *stmt = NULL;
    ty_text answer = {0};
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    int code;
    while ((code = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        ty_text_addf(&answer, "%s%s", answer.length != 0 ? "|" : "", text ? text : "NULL");
    }
    assert_int_equal(code, SQLITE_DONE);
    (void)sqlite3_finalize(stmt);
    (void)sqlite3_close(db);
    const char *copy = ty_arena_string(&f->arena, ty_text_string(&answer));
    ty_text_clear(&answer);
    return copy;
}

static inline const char *ask_store(fixture *f, const char *sql) {
    return ask_store_in(f, f->folder.path, sql);
}

/* Everything in the store that a run brings, as one text. */
static inline const char *dump_store(fixture *f) {
    return ask_store(
        f,
        "SELECT run_uuid || name || status || start_time || coalesce(end_time, '-') ||"
        " lifecycle_stage || artifact_uri || experiment_id FROM runs UNION ALL"
        " SELECT \"key\" || value || run_uuid FROM params UNION ALL"
        " SELECT \"key\" || value || run_uuid FROM tags UNION ALL"
        " SELECT \"key\" || value || timestamp || step || is_nan || run_uuid FROM metrics UNION ALL"
        " SELECT \"key\" || value || timestamp || step || is_nan || run_uuid FROM latest_metrics"
        " UNION ALL SELECT name || digest || dataset_uuid FROM datasets UNION ALL"
        " SELECT input_uuid || source_id || destination_id FROM inputs UNION ALL"
        " SELECT input_uuid || name || value FROM input_tags UNION ALL"
        " SELECT name || artifact_location FROM experiments ORDER BY 1");
}

/* --- the journal ------------------------------------------------------------------------- */

/* Calls visit for each record. */
static inline void each_record(fixture *f, void (*visit)(void *self, const ty_track_record *record),
                               void *self) {
    ty_journal_reader *reader = NULL;
    assert_ok(f, ty_journal_reader_open(&f->ctx, f->journal, &reader));
    for (;;) {
        ty_journal_record raw;
        ty_track_record record;
        bool has_record;
        assert_ok(f, ty_journal_reader_next(&f->ctx, reader, &raw, &has_record));
        if (!has_record)
            break;
        assert_ok(f, ty_track_decode(&f->ctx, &raw, &f->arena, &record));
        visit(self, &record);
    }
    ty_journal_reader_close(reader);
}

#endif
