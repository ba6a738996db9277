/* What a run has to say. The trainer (and later sweeps) publish these; observers hear them on rank
 * 0: the console, the journal, early stopping, pruning. An observer may ask to stop or pause; the
 * trainer makes all ranks agree first. */
#ifndef TY_BASE_EVENT_H
#define TY_BASE_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum ty_event_kind {
    TY_EVENT_START,   /* the run begins or continues */
    TY_EVENT_PARAM,   /* one resolved config key or fact */
    TY_EVENT_TAG,     /* one tag */
    TY_EVENT_DATASET, /* a data set used */
    TY_EVENT_STEP,    /* progress of one optimizer update; not recorded as such */
    TY_EVENT_METRIC,  /* one point of a curve */
    TY_EVENT_EVAL,    /* an evaluation ended; its numbers were METRICs before */
    TY_EVENT_FILE,    /* a file of the run was published */
    TY_EVENT_MODEL,   /* a model (checkpoint with a role) was published */
    TY_EVENT_PACKAGE, /* a model that can leave, a folder with all its files, lies in the run */
    TY_EVENT_STATE    /* the run ended, and how */
} ty_event_kind;

typedef enum ty_run_state {
    TY_RUN_RUNNING,
    TY_RUN_FINISHED,
    TY_RUN_FAILED,
    TY_RUN_KILLED,
    TY_RUN_WAITING /* it did not end: it goes on from its checkpoint when it is told to */
} ty_run_state;

typedef struct ty_event {
    ty_event_kind kind;
    int64_t time_ns; /* wall clock, fixed where the event was made */
    int64_t step;    /* optimizer updates done; -1 where it has no meaning */
    union {
        struct {
            bool is_resumed;
            int64_t from_step; /* points after this step are going to be emitted again */
            int64_t total_steps;
            int64_t samples_per_epoch, samples_per_step;
            const char *run_folder; /* NULL: none is written */
        } start;
        struct {
            const char *key, *value;
        } text; /* PARAM, TAG */
        struct {
            const char *name, *digest, *source,
                *context; /* context: "training", "validation", "test" */
            const char *schema_json, *profile_json;
        } dataset;
        struct {
            double loss, learning_rate, gradient_norm;
            double samples_per_s;
            double epoch; /* fractional */
            double seconds_left;
            int64_t total_steps;
        } progress; /* STEP */
        struct {
            const char *key; /* "train/loss", "val/accuracy", "system/..." */
            double value;
        } metric;
        struct {
            const char *split; /* "val", "test" */
            bool is_best;
        } eval;
        struct {
            const char *path;   /* of the file */
            const char *folder; /* artifact folder it belongs in: "", "checkpoints" */
        } file;
        struct {
            const char *name; /* "best", "last" */
            const char *path;
        } model;
        struct {
            const char *model_id; /* "m-" and 32 hex digits, new for each package */
            const char *name;     /* what it is called: "model" */
            const char *folder;   /* its folder, inside the run's: <run>/models/<model_id> */
            const char *note;     /* what it is, in markdown, for people; NULL: nothing is said */
        } package;                /* step: the optimizer update that it holds */
        struct {
            ty_run_state state;
            const char *reason;
        } state;
    };
} ty_event;

typedef enum ty_answer { TY_CONTINUE, TY_STOP, TY_PAUSE } ty_answer;

/* notify must not block on the network or fail the run: an observer keeps its own troubles. reason
 * is written where the answer is not TY_CONTINUE; it must stay valid until the next notify. event
 * and its strings are borrowed. */
typedef struct ty_observer {
    ty_answer (*notify)(void *self, const ty_event *event, const char **reason);
    void *self;
    /* Whether it still waits for somebody's word on the last START or EVAL; NULL: it never does. Until
     * it does not, it is asked again and the run stands still, so that it may wait itself, 0.2 s each
     * time. *answer, and *reason with it, is what it has to say so far, as notify's. */
    bool (*waits)(void *self, ty_answer *answer, const char **reason);
    /* Puts all that it was told on the disk, as far as it can, and may wait for that. Called before a
     * checkpoint is published, by the thread that does it, beside notify: a run goes on behind its
     * checkpoint and tells nothing again. NULL: nothing to do. */
    void (*keep)(ty_ctx *ctx, void *self);
} ty_observer;

typedef struct ty_observers {
    const ty_observer *v;
    int64_t n;
} ty_observers;

/* Tells all of them, in order; the strongest answer (STOP > PAUSE > CONTINUE) and its reason win,
 * the first of equals. *reason is NULL where the answer is TY_CONTINUE. */
ty_answer ty_observers_notify(const ty_observers *observers, const ty_event *event,
                              const char **reason);

/* Whether any of them still waits; *answer and *reason are the strongest so far, as above. */
bool ty_observers_wait(const ty_observers *observers, ty_answer *answer, const char **reason);

/* Lets each of them keep what it was told. */
void ty_observers_keep(ty_ctx *ctx, const ty_observers *observers);

#ifdef __cplusplus
}
#endif
#endif
