/* A client of an MLflow server: one handle, typed calls, no policy beyond patience. A handle is one
 * thread's at a time, but for ty_mlflow_set_deadline.
 *
 * Every call validates what the server would refuse or silently spoil (NaN as a bare word becomes 0
 * there, a fractional step becomes 0, a chunked upload becomes an empty file) before anything is
 * sent, and every answer is taken as hostile until it has been read whole.
 *
 * What a call may answer, besides what is said beside it:
 *   TY_OK             the server has it
 *   TY_ERR_BUSY       not reached, too slow, overloaded or broken (connect, timeout, 408, 429, 5xx)
 *                     and the patience ended; come again. ty_mlflow_trouble tells whether the
 *                     request may have been carried out all the same
 *   TY_ERR_NOT_FOUND  404, or RESOURCE_DOES_NOT_EXIST: no such thing
 *   TY_ERR_ARG        400, 409, 413, 422: the server (or we, before sending) refuse the request; it
 *                     will be refused again
 *   TY_ERR_FAILED     401, 403: not allowed; other 4xx; an answer that no MLflow server gives
 * The message holds the call, the server's error code and words (trimmed, no control characters) and
 * never a secret.
 *
 * Results live in the arena given to the call. Times are milliseconds since 1970, as MLflow's are.
 * Strings that may be missing are NULL in arguments and "" in results. */
#ifndef TY_TRACKING_CLIENT_MLFLOW_H
#define TY_TRACKING_CLIENT_MLFLOW_H

#include "base/base.h"
#include "tracking/client/retry.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_mlflow ty_mlflow;

/* The tag that makes creations idempotent: its value is the caller's, and unique. */
#define TY_MLFLOW_UID_TAG "tiltyard.uid"

/* --- the handle ------------------------------------------------------------------------------ */

typedef struct ty_mlflow_options {
    const char *uri; /* http(s)://[user:password@]host[:port][/prefix] */
    ty_patience patience;
} ty_mlflow_options;

/* Whether text names a server: http:// or https://, in any case. */
bool ty_mlflow_is_server(const char *text);

/* The URI as it may be shown, compared and written down: scheme and host in lower case, no user and
 * password, no default port, no slash at the end. In arena.
 * Errors: TY_ERR_ARG, without the URI where it may hold a secret. */
ty_status ty_mlflow_uri(ty_ctx *ctx, const char *uri, ty_arena *arena,
                        const char **out) TY_MUST_USE;

/* Reads the MLFLOW_* variables (credentials, TLS, workspace, patience) and ~/.mlflow/credentials;
 * sends nothing yet. Secrets are in memory from here until close, and while they are no core is
 * written (RLIMIT_CORE). *out is the caller's to close.
 * Errors: TY_ERR_ARG a URI or variable that is wrong, naming it; TY_ERR_FAILED a credentials file
 * that others may read; TY_ERR_NOT_FOUND a certificate's file. */
ty_status ty_mlflow_open(ty_ctx *ctx, const ty_mlflow_options *options,
                         ty_mlflow **out) TY_MUST_USE;
void ty_mlflow_close(ty_mlflow *m); /* wipes the secrets; accepts NULL */

/* Where a variable of the environment holds a password, token or secret key, this process writes no
 * core file from now on. For main: every rank has the variables, also those that never open a
 * client. */
void ty_mlflow_guard_secrets(ty_ctx *ctx);

/* As ty_mlflow_uri gives it. Borrowed. */
const char *ty_mlflow_describe(const ty_mlflow *m);

/* As ty_retry_set_deadline: from any thread; ends waits and requests under way with TY_ERR_BUSY. */
void ty_mlflow_set_deadline(ty_mlflow *m, int64_t at_ns);

/* What the last call met; for those who decide what follows (bisect, stop, wait). */
typedef struct ty_mlflow_trouble {
    int http_status;         /* 0: no answer, or refused before sending */
    char error_code[64];     /* "RESOURCE_ALREADY_EXISTS" and the like; "" where there was none */
    bool is_denied;          /* 401 or 403: nothing else will be let in either */
    bool is_outcome_unknown; /* sent, not answered whole: it may have happened */
    bool is_refused_unsent;  /* our own validation said no */
    int64_t next_try_ns;     /* ctx's monotonic clock; 0: whenever */
} ty_mlflow_trouble;
ty_mlflow_trouble ty_mlflow_last_trouble(const ty_mlflow *m);

/* The server's version ("3.17.2"), through GET /version; also the way to ask whether it is there. */
ty_status ty_mlflow_version(ty_ctx *ctx, ty_mlflow *m, ty_arena *arena,
                            const char **out) TY_MUST_USE;

/* --- values ---------------------------------------------------------------------------------- */

typedef struct ty_mlflow_pair {
    const char *key, *value;
} ty_mlflow_pair;

typedef struct ty_mlflow_pairs {
    const ty_mlflow_pair *v;
    int64_t n;
} ty_mlflow_pairs;

typedef struct ty_mlflow_metric {
    const char *key;
    double value; /* any double; infinities come back from SQL stores as the largest finite ones */
    int64_t time_ms, step;                     /* time_ms >= 0 */
    const char *model_id;                      /* or NULL */
    const char *dataset_name, *dataset_digest; /* or NULL */
} ty_mlflow_metric;

/* What a server would refuse or cut, as a sentence naming the rule, or NULL where it is well.
 * Static strings. Keys: of metrics, params and tags of runs. */
const char *ty_mlflow_key_slip(const char *key);
const char *ty_mlflow_param_slip(const char *value);
const char *ty_mlflow_tag_slip(const char *value);
const char *ty_mlflow_model_name_slip(const char *name);      /* logged models */
const char *ty_mlflow_registered_name_slip(const char *name); /* registered models */
const char *ty_mlflow_alias_slip(const char *alias);

/* --- experiments ----------------------------------------------------------------------------- */

typedef struct ty_mlflow_experiment {
    const char *id, *name, *artifact_location;
    bool is_deleted;
    ty_mlflow_pairs tags;
} ty_mlflow_experiment;

/* Deleted ones are found too. Errors: TY_ERR_NOT_FOUND. */
ty_status ty_mlflow_find_experiment(ty_ctx *ctx, ty_mlflow *m, const char *name, ty_arena *arena,
                                    ty_mlflow_experiment *out) TY_MUST_USE;

/* By its id; deleted ones are found too. Errors: TY_ERR_NOT_FOUND. */
ty_status ty_mlflow_get_experiment(ty_ctx *ctx, ty_mlflow *m, const char *id, ty_arena *arena,
                                   ty_mlflow_experiment *out) TY_MUST_USE;

/* The experiment of that name, made with tags where there is none; tags of one that was there stay.
 * Errors: TY_ERR_ARG it is deleted. */
ty_status ty_mlflow_make_experiment(ty_ctx *ctx, ty_mlflow *m, const char *name,
                                    ty_mlflow_pairs tags, ty_arena *arena,
                                    ty_mlflow_experiment *out) TY_MUST_USE;

ty_status ty_mlflow_tag_experiment(ty_ctx *ctx, ty_mlflow *m, const char *experiment_id,
                                   const char *key, const char *value) TY_MUST_USE;

/* --- runs ------------------------------------------------------------------------------------ */

typedef struct ty_mlflow_run {
    const char *id, *name, *experiment_id, *user, *status, *artifact_uri;
    int64_t start_ms, end_ms; /* end 0: not ended */
    bool is_deleted;
    ty_mlflow_pairs params, tags;
    const ty_mlflow_metric *metrics; /* the latest of each key */
    int64_t n_metrics;
} ty_mlflow_run;

typedef struct ty_mlflow_runs {
    const ty_mlflow_run *v;
    int64_t n;
} ty_mlflow_runs;

typedef struct ty_mlflow_new_run {
    const char *experiment_id, *uid; /* uid: its TY_MLFLOW_UID_TAG */
    const char *name, *user;
    int64_t start_ms;
    ty_mlflow_pairs tags; /* besides the uid */
} ty_mlflow_new_run;

/* The run whose uid it is: found, or made. Looks before it makes, and again after each try whose
 * outcome is unknown, so that there is one run however often this is called.
 * Errors: TY_ERR_ARG it is deleted. */
ty_status ty_mlflow_make_run(ty_ctx *ctx, ty_mlflow *m, const ty_mlflow_new_run *run,
                             ty_arena *arena, ty_mlflow_run *out) TY_MUST_USE;

/* status: RUNNING, SCHEDULED, FINISHED, FAILED or KILLED, NULL: as it is; end_ms 0 and name NULL: as
 * they are. */
ty_status ty_mlflow_update_run(ty_ctx *ctx, ty_mlflow *m, const char *run_id, const char *status,
                               int64_t end_ms, const char *name) TY_MUST_USE;

ty_status ty_mlflow_get_run(ty_ctx *ctx, ty_mlflow *m, const char *run_id, ty_arena *arena,
                            ty_mlflow_run *out) TY_MUST_USE;

/* Active runs by MLflow's filter grammar (NULL: all), newest first, at most max. */
ty_status ty_mlflow_search_runs(ty_ctx *ctx, ty_mlflow *m, const char *const *experiment_ids,
                                int64_t n_experiments, const char *filter, int64_t max,
                                ty_arena *arena, ty_mlflow_runs *out) TY_MUST_USE;

ty_status ty_mlflow_delete_run(ty_ctx *ctx, ty_mlflow *m, const char *run_id) TY_MUST_USE;

typedef struct ty_mlflow_batch {
    const ty_mlflow_metric *metrics;
    int64_t n_metrics;
    ty_mlflow_pairs params, tags;
} ty_mlflow_batch;

/* Any amount, in any order; goes out in requests of at most 1000 entries, 100 distinct metric keys,
 * 100 params and 100 tags each, metrics first, in the order given. Sending the same again changes
 * nothing, so after a failure the whole batch (or its halves) may be sent again. A param that the
 * run has with another value is refused (TY_ERR_ARG). Nothing is sent where a key or value anywhere
 * in the batch is wrong. */
ty_status ty_mlflow_log_batch(ty_ctx *ctx, ty_mlflow *m, const char *run_id,
                              const ty_mlflow_batch *batch) TY_MUST_USE;

ty_status ty_mlflow_untag_run(ty_ctx *ctx, ty_mlflow *m, const char *run_id,
                              const char *key) TY_MUST_USE; /* one that is missing is fine */

typedef struct ty_mlflow_dataset {
    const char *name, *digest;        /* at most 500 and 36 characters */
    const char *source_type, *source; /* "local" and a JSON text, by MLflow's custom */
    const char *schema, *profile;     /* JSON texts, or NULL */
    const char *context;              /* "training", "validation", "test", or NULL */
} ty_mlflow_dataset;

/* Data sets and models that the run used. Sending the same again changes nothing. */
ty_status ty_mlflow_log_inputs(ty_ctx *ctx, ty_mlflow *m, const char *run_id,
                               const ty_mlflow_dataset *datasets, int64_t n_datasets,
                               const char *const *model_ids, int64_t n_models) TY_MUST_USE;

/* A logged model that the run made, at that step. One that the run has already stays as it is. */
ty_status ty_mlflow_log_output(ty_ctx *ctx, ty_mlflow *m, const char *run_id, const char *model_id,
                               int64_t step) TY_MUST_USE;

/* Every point of a curve, in the server's order, by pages. NULL arrays where it has none. */
typedef struct ty_mlflow_history {
    const ty_mlflow_metric *v; /* key as asked; no model or data set */
    int64_t n;
} ty_mlflow_history;
ty_status ty_mlflow_read_history(ty_ctx *ctx, ty_mlflow *m, const char *run_id, const char *key,
                                 ty_arena *arena, ty_mlflow_history *out) TY_MUST_USE;

/* --- logged models (servers of MLflow 3 and newer; older ones answer TY_ERR_NOT_FOUND) --------- */

typedef struct ty_mlflow_model {
    const char *id, *name, *experiment_id, *source_run_id, *artifact_uri, *type;
    const char *status; /* "LOGGED_MODEL_PENDING", "_READY", "_UPLOAD_FAILED" */
    int64_t created_ms;
    ty_mlflow_pairs params, tags;
} ty_mlflow_model;

typedef struct ty_mlflow_models {
    const ty_mlflow_model *v;
    int64_t n;
} ty_mlflow_models;

typedef struct ty_mlflow_new_model {
    const char *experiment_id, *uid, *name, *source_run_id, *type;
    ty_mlflow_pairs params, tags; /* besides the uid */
} ty_mlflow_new_model;

/* The model whose uid it is: found, or made (PENDING: then upload, then finalize). */
ty_status ty_mlflow_make_model(ty_ctx *ctx, ty_mlflow *m, const ty_mlflow_new_model *model,
                               ty_arena *arena, ty_mlflow_model *out) TY_MUST_USE;
ty_status ty_mlflow_finalize_model(ty_ctx *ctx, ty_mlflow *m, const char *model_id,
                                   bool is_ready) TY_MUST_USE; /* else UPLOAD_FAILED */
ty_status ty_mlflow_tag_model(ty_ctx *ctx, ty_mlflow *m, const char *model_id,
                              ty_mlflow_pairs tags) TY_MUST_USE;
ty_status ty_mlflow_add_model_params(ty_ctx *ctx, ty_mlflow *m, const char *model_id,
                                     ty_mlflow_pairs params) TY_MUST_USE;
ty_status ty_mlflow_get_model(ty_ctx *ctx, ty_mlflow *m, const char *model_id, ty_arena *arena,
                              ty_mlflow_model *out) TY_MUST_USE;
ty_status ty_mlflow_search_models(ty_ctx *ctx, ty_mlflow *m, const char *const *experiment_ids,
                                  int64_t n_experiments, const char *filter, int64_t max,
                                  ty_arena *arena, ty_mlflow_models *out) TY_MUST_USE;

/* --- registry -------------------------------------------------------------------------------- */

typedef struct ty_mlflow_registered {
    const char *name, *description;
    int64_t created_ms, updated_ms;
    ty_mlflow_pairs tags;
    ty_mlflow_pairs aliases; /* alias -> version */
} ty_mlflow_registered;

typedef struct ty_mlflow_registered_list {
    const ty_mlflow_registered *v;
    int64_t n;
} ty_mlflow_registered_list;

/* One that exists is fine and stays as it is. */
ty_status ty_mlflow_make_registered(ty_ctx *ctx, ty_mlflow *m, const char *name,
                                    const char *description, ty_mlflow_pairs tags) TY_MUST_USE;
ty_status ty_mlflow_get_registered(ty_ctx *ctx, ty_mlflow *m, const char *name, ty_arena *arena,
                                   ty_mlflow_registered *out) TY_MUST_USE;
ty_status ty_mlflow_search_registered(ty_ctx *ctx, ty_mlflow *m, const char *filter, int64_t max,
                                      ty_arena *arena, ty_mlflow_registered_list *out) TY_MUST_USE;
ty_status ty_mlflow_describe_registered(ty_ctx *ctx, ty_mlflow *m, const char *name,
                                        const char *description) TY_MUST_USE;
ty_status ty_mlflow_tag_registered(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *key,
                                   const char *value) TY_MUST_USE;
ty_status ty_mlflow_untag_registered(ty_ctx *ctx, ty_mlflow *m, const char *name,
                                     const char *key) TY_MUST_USE;
ty_status ty_mlflow_delete_registered(ty_ctx *ctx, ty_mlflow *m, const char *name) TY_MUST_USE;

typedef struct ty_mlflow_registered_version { /* of a registered model */
    const char *name, *version;               /* version: "1", "2", ... */
    const char *source, *run_id, *model_id, *description, *status, *run_link;
    int64_t created_ms, updated_ms;
    ty_mlflow_pairs tags;
    const char *const
        *aliases; /* 3.x servers; "" ones have to be asked for in the registered model */
    int64_t n_aliases;
} ty_mlflow_registered_version;

typedef struct ty_mlflow_version_list {
    const ty_mlflow_registered_version *v;
    int64_t n;
} ty_mlflow_version_list;

typedef struct ty_mlflow_new_version {
    const char *name, *uid; /* uid: its TY_MLFLOW_UID_TAG */
    const char *source;     /* "models:/m-...", "runs:/RUN/path", a URI */
    const char *run_id, *model_id, *run_link, *description; /* each may be NULL */
    ty_mlflow_pairs tags;                                   /* besides the uid */
} ty_mlflow_new_version;

/* The version whose uid it is: found, or made. The registered model must exist. */
ty_status ty_mlflow_make_version(ty_ctx *ctx, ty_mlflow *m, const ty_mlflow_new_version *version,
                                 ty_arena *arena, ty_mlflow_registered_version *out) TY_MUST_USE;
ty_status ty_mlflow_get_version(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *version,
                                ty_arena *arena, ty_mlflow_registered_version *out) TY_MUST_USE;
/* filter: "name = 'x' and tags.`k` = 'v'"; newest first. */
ty_status ty_mlflow_search_versions(ty_ctx *ctx, ty_mlflow *m, const char *filter, int64_t max,
                                    ty_arena *arena, ty_mlflow_version_list *out) TY_MUST_USE;
ty_status ty_mlflow_describe_version(ty_ctx *ctx, ty_mlflow *m, const char *name,
                                     const char *version, const char *description) TY_MUST_USE;
ty_status ty_mlflow_tag_version(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *version,
                                const char *key, const char *value) TY_MUST_USE;
ty_status ty_mlflow_untag_version(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *version,
                                  const char *key) TY_MUST_USE;
ty_status ty_mlflow_delete_version(ty_ctx *ctx, ty_mlflow *m, const char *name,
                                   const char *version) TY_MUST_USE;
/* Where the version's files are: a root for the artifact calls below. In arena. */
ty_status ty_mlflow_version_root(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *version,
                                 ty_arena *arena, const char **out) TY_MUST_USE;

ty_status ty_mlflow_set_alias(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *alias,
                              const char *version) TY_MUST_USE;
ty_status ty_mlflow_delete_alias(ty_ctx *ctx, ty_mlflow *m, const char *name,
                                 const char *alias) TY_MUST_USE;
/* Errors: TY_ERR_NOT_FOUND no such alias. */
ty_status ty_mlflow_get_alias(ty_ctx *ctx, ty_mlflow *m, const char *name, const char *alias,
                              ty_arena *arena, ty_mlflow_registered_version *out) TY_MUST_USE;

/* --- artifacts ------------------------------------------------------------------------------- */

/* root is a run's or logged model's artifact_uri, or a version's root: mlflow-artifacts: goes through
 * the server, s3: to the store with AWS_* credentials (MLFLOW_S3_ENDPOINT_URL honoured), file: and
 * plain paths to this machine's files where that folder exists here. Others are refused
 * (TY_ERR_ARG), saying what to do. path is relative, UTF-8, with / between parts, and names no
 * parent. */

typedef struct ty_mlflow_file {
    const char *path; /* relative to root */
    bool is_folder;
    int64_t bytes; /* 0 for folders */
} ty_mlflow_file;

typedef struct ty_mlflow_files {
    const ty_mlflow_file *v;
    int64_t n;
} ty_mlflow_files;

/* What lies directly in path ("" or NULL: the root); none where there is no such folder. */
ty_status ty_mlflow_list_files(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                               ty_arena *arena, ty_mlflow_files *out) TY_MUST_USE;

/* Replaces what was there. With Content-Length, in parts where the store offers that and the file
 * is big; the size is read back by listing. The file must not change meanwhile.
 * Errors: TY_ERR_NOT_FOUND, TY_ERR_IO the local file; TY_ERR_INTEGRITY the server has another
 * size. */
ty_status ty_mlflow_upload(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                           const char *local_path) TY_MUST_USE;

/* Published under local_path when whole, through a temporary beside it; its folder must exist.
 * Errors: TY_ERR_NOT_FOUND; TY_ERR_IO. */
ty_status ty_mlflow_download(ty_ctx *ctx, ty_mlflow *m, const char *root, const char *path,
                             const char *local_path) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
