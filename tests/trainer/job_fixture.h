/* A training job as tests need it: config text in, trainer and data open, an observer that notes
 * what it hears and may "press Ctrl-C" after a given step. */
#ifndef TY_TESTS_TRAINER_JOB_FIXTURE_H
#define TY_TESTS_TRAINER_JOB_FIXTURE_H

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/temp_folder.h"
#include "trainer/trainer_private.h"

enum { MOST_POINTS = 4096, MOST_SETS = 12 };

typedef struct point {
    char key[40];
    int64_t step;
    double value;
} point;

typedef struct recorder {
    _Atomic int signal;
    int64_t signal_after; /* step at whose end the signal has been seen; 0: none */
    int signal_number;
    int64_t answer_at;    /* step at which `answer` is given; 0: none */
    bool answers_at_eval; /* to the evaluation there, instead of to the step */
    ty_answer answer;
    int64_t n_points, n_steps, n_evals, n_starts, n_models;
    point points[MOST_POINTS];
} recorder;

typedef struct job {
    ty_ctx *ctx;
    ty_doc *doc;
    ty_train_config config;
    uint64_t hash;
    ty_text json;
    ty_dataset *data;
    ty_trainer *trainer;
    ty_train_result result;
    recorder rec;
} job;

/* What a job is opened with; sets are --set texts. */
typedef struct job_options {
    const char *text;
    const char *sets[MOST_SETS];
    const char *run_folder, *checkpoint;
    ty_comm *comm;
    bool is_plan_only, is_forward_only;
} job_options;

static inline ty_answer job_notify(void *self, const ty_event *event, const char **reason) {
    recorder *rec = self;
    if (event->kind == TY_EVENT_STEP) {
        rec->n_steps++;
        if (rec->signal_after && event->step + 1 == rec->signal_after)
            rec->signal = rec->signal_number;
    }
    if (event->kind == TY_EVENT_METRIC && rec->n_points < MOST_POINTS) {
        point *to = &rec->points[rec->n_points++];
        (void)snprintf(to->key, sizeof to->key, "%s", event->metric.key);
        to->step = event->step;
        to->value = event->metric.value;
    }
    rec->n_evals += event->kind == TY_EVENT_EVAL;
    rec->n_starts += event->kind == TY_EVENT_START;
    rec->n_models += event->kind == TY_EVENT_MODEL;
    const ty_event_kind kind = rec->answers_at_eval ? TY_EVENT_EVAL : TY_EVENT_STEP;
    if (!rec->answer_at || event->kind != kind || event->step != rec->answer_at)
        return TY_CONTINUE;
    *reason = "the test said so";
    return rec->answer;
}

static inline ty_status job_load(job *j, const job_options *options) {
    TY_TRY(ty_doc_parse(j->ctx, "test.json", options->text, strlen(options->text), &j->doc));
    for (int i = 0; i < MOST_SETS && options->sets[i]; i++)
        TY_TRY(ty_doc_set(j->ctx, j->doc, options->sets[i]));
    TY_TRY(ty_train_config_load(j->ctx, j->doc, &j->config));
    TY_TRY(ty_rows_dump(j->ctx, &ty_train_rows, j->doc, &j->json));
    TY_TRY(ty_rows_hash(j->ctx, &ty_train_rows, j->doc, &j->hash));
    return ty_dataset_open(j->ctx, &j->config.data, NULL, &j->data);
}

/* Opens; on failure the job is to be closed all the same. */
static inline ty_status job_try_open(ty_ctx *ctx, job *j, const job_options *options) {
    *j = (job){.ctx = ctx, .rec = {.signal_number = SIGUSR1}};
    TY_TRY(job_load(j, options));
    const ty_trainer_options open = {.config = &j->config,
                                     .config_json = ty_text_string(&j->json),
                                     .config_hash = j->hash,
                                     .comm = options->comm,
                                     .data = j->data,
                                     .run_folder = options->run_folder,
                                     .checkpoint = options->checkpoint,
                                     .is_plan_only = options->is_plan_only,
                                     .is_forward_only = options->is_forward_only,
                                     .stop_signal = &j->rec.signal};
    return ty_trainer_open(ctx, &open, &j->trainer);
}

static inline void job_open(ty_ctx *ctx, job *j, const job_options *options) {
    if (job_try_open(ctx, j, options) != TY_OK)
        fail_msg("%s", ctx->message);
}

static inline ty_status job_run(job *j) {
    const ty_observer observer = {.notify = job_notify, .self = &j->rec};
    const ty_observers observers = {.v = &observer, .n = 1};
    if (j->rec.signal_after == ty_trainer_report(j->trainer)->resumed_step + 1)
        j->rec.signal = j->rec.signal_number;
    return ty_trainer_run(j->ctx, j->trainer, &observers, &j->result);
}

static inline void job_close(job *j) {
    ty_trainer_close(j->trainer);
    ty_dataset_close(j->data);
    ty_text_clear(&j->json);
    ty_doc_close(j->doc);
    j->trainer = NULL;
    j->data = NULL;
    j->doc = NULL;
}

/* The value noted under key at step; fails the test where there is none. */
static inline double job_metric(const job *j, const char *key, int64_t step) {
    for (int64_t i = 0; i < j->rec.n_points; i++) {
        if (j->rec.points[i].step == step && strcmp(j->rec.points[i].key, key) == 0)
            return j->rec.points[i].value;
    }
    fail_msg("no point of %s at step %lld", key, (long long)step);
    return 0;
}

static inline bool job_has_metric(const job *j, const char *key, int64_t step) {
    for (int64_t i = 0; i < j->rec.n_points; i++) {
        if (j->rec.points[i].step == step && strcmp(j->rec.points[i].key, key) == 0)
            return true;
    }
    return false;
}

/* One ctx and the world, for a whole group of tests. */
typedef struct world {
    ty_ctx ctx;
    ty_comm *comm;
} world;

static inline int world_open(void **state) {
    world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    ty_ctx_init(&w->ctx);
    const char *ranks_per_node = getenv("TY_TEST_RANKS_PER_NODE");
    const ty_comm_options options = {.deadline_s = 30,
                                     .ranks_per_node = ranks_per_node ? atoi(ranks_per_node) : 0};
    if (ty_comm_open(&w->ctx, &options, &w->comm) != TY_OK) {
        (void)fprintf(stderr, "%s\n", w->ctx.message);
        return -1;
    }
    *state = w;
    return 0;
}

static inline int world_close(void **state) {
    world *w = *state;
    ty_comm_close(w->comm);
    ty_ctx_clear(&w->ctx);
    free(w);
    return 0;
}

#endif
