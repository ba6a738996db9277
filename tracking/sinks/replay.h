/* run.journal read for a server: parcel by parcel, each of which goes out together and is acknowledged
 * together. What a server takes only once (a param's first value, a data set with all its roles) is
 * put together here, so that whoever sends has nothing to remember. */
#ifndef TY_TRACKING_SINKS_REPLAY_H
#define TY_TRACKING_SINKS_REPLAY_H

#include "tracking/journal/keymap.h"
#include "tracking/client/mlflow.h"
#include "tracking/journal/record.h"

/* Many batches' worth: a parcel's last batch is seldom full, and its tags cost a look at the run. */
enum { TY_REPLAY_MAX_ITEMS = 16000 };

typedef enum ty_item_kind { TY_ITEM_METRIC, TY_ITEM_PARAM, TY_ITEM_TAG } ty_item_kind;

/* A value within MLflow's limits. */
typedef struct ty_item {
    ty_item_kind kind;
    uint64_t sequence; /* of the record it is from */
    const char *key;
    ty_mlflow_metric metric; /* METRIC */
    const char *value;       /* PARAM, TAG */
    const char *previous;    /* TAG: what we wrote under the key before; NULL for nothing */
} ty_item;

typedef enum ty_parcel_kind {
    TY_PARCEL_NONE,     /* the journal has no more of it yet */
    TY_PARCEL_RUN,      /* record: RUN */
    TY_PARCEL_VALUES,   /* items, then status where there is one */
    TY_PARCEL_DATASETS, /* datasets */
    TY_PARCEL_PACKAGE   /* record: PACKAGE */
} ty_parcel_kind;

typedef struct ty_parcel {
    ty_parcel_kind kind;
    uint64_t first, last; /* sequences of its records */
    int64_t time_ns;      /* of its first record */
    ty_track_record record;
    const ty_item *items;
    int64_t n_items;
    const char *status; /* "RUNNING", ...; NULL: as it is */
    int64_t end_ms;
    const ty_mlflow_dataset *datasets; /* with their roles, joined by ", " */
    int64_t n_datasets;
} ty_parcel;

/* A file that the run shows in MLflow, by its path from the run's folder on ("artifacts/..."). */
typedef struct ty_replay_file {
    bool is_model; /* a checkpoint: it changes often and is big */
    bool is_dirty; /* told anew since the sender last looked */
    uint64_t sequence;
    int64_t time_ns;
} ty_replay_file;

typedef struct ty_replay_package {
    int64_t step, time_ns;
    const char *name;
    uint64_t sequence;
} ty_replay_package;

/* A point of a model's quality: "test/...". */
typedef struct ty_replay_point {
    const char *key;
    int64_t step, time_ms;
    double value;
    uint64_t sequence;
} ty_replay_point;

typedef struct ty_replay ty_replay;

/* What was read so far. Strings live as long as the replay. */
typedef struct ty_replay_facts {
    char run_id[33];
    ty_keymap files;        /* ty_replay_file by path */
    ty_keymap packages;     /* ty_replay_package by model id */
    ty_keymap params, tags; /* const char *: the first value of a param, the last of a tag */
    ty_keymap points;       /* ty_replay_point */
    const char *test_name, *test_digest; /* the data set used for testing; NULL: none */
    bool has_ended;                      /* a STATE was the last of START and STATE */
} ty_replay_facts;

/* Opens run_folder's journal. Records up to `done` are read for what they say about later ones, and
 * make no parcel. *out is the caller's to close.
 * Errors: TY_ERR_NOT_FOUND, TY_ERR_INTEGRITY, TY_ERR_IO. */
ty_status ty_replay_open(ty_ctx *ctx, const char *run_folder, uint64_t done,
                         ty_replay **out) TY_MUST_USE;
void ty_replay_close(ty_replay *replay); /* accepts NULL */

/* The next parcel of records up to a sequence; TY_PARCEL_NONE where there is none (yet). A parcel that
 * more records may join (data sets) is held back until others follow, or is_last. *out is borrowed
 * until the next call.
 * Errors: TY_ERR_INTEGRITY; TY_ERR_IO; TY_ERR_NOMEM. The same call may be made again. */
ty_status ty_replay_next(ty_ctx *ctx, ty_replay *replay, uint64_t up_to, bool is_last,
                         ty_parcel *out) TY_MUST_USE;

/* Up to date with the parcels that were given out. Borrowed; is_dirty is the sender's to clear. */
ty_replay_facts *ty_replay_known(ty_replay *replay);

#endif
