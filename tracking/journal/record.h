/* What a run.journal holds: one JSON object a record, in UTF-8.
 *
 *   1 RUN      {"time_ns","run_id","experiment","run","user","source","store","experiment_note",
 *              "primary_metric","primary_goal","journal_id"}   record 1, once; the goal is "max" or
 *              "min"; with journal_id the run was there before, and has perhaps other journals
 *   2 START    {"time_ns","step","is_resumed","from_step","total_steps","samples_per_epoch"}
 *              the run begins or goes on; with is_resumed, what follows after from_step is computed
 *              again
 *   3 PARAM    {"time_ns","key","value"}
 *   4 TAG      {"time_ns","key","value"}             the last one of a key holds
 *   5 DATASET  {"time_ns","name","digest","source","context","schema","profile"}
 *   6 METRICS  {"keys":["train/loss",...],"points":[[index of key, step, time_ns, value],...]}
 *   7 FILE     {"time_ns","step","path","artifact"}  both relative to the run's folder where they
 *              lie in it
 *   8 MODEL    {"time_ns","step","name","path","artifact"}
 *   9 STATE    {"time_ns","step","state","reason"}   the run ended, and how
 *  10 PACKAGE  {"time_ns","step","model_id","name","folder","note",
 *              "files":[{"path","size","sha256"},...]}
 *              a model with all its files lies in the run's folder; folder is relative to the run's,
 *              paths to the package's; in the order of their names
 *
 * NaN and infinities are the strings "NaN", "Infinity", "-Infinity". Times are wall clock, fixed
 * where the event was made. Unknown keys and types are left alone, so that an older program reads a
 * newer journal. */
#ifndef TY_TRACKING_JOURNAL_RECORD_H
#define TY_TRACKING_JOURNAL_RECORD_H

#include "base/base.h"

typedef enum ty_track_type {
    TY_TRACK_RUN = 1,
    TY_TRACK_START,
    TY_TRACK_PARAM,
    TY_TRACK_TAG,
    TY_TRACK_DATASET,
    TY_TRACK_METRICS,
    TY_TRACK_FILE,
    TY_TRACK_MODEL,
    TY_TRACK_STATE,
    TY_TRACK_PACKAGE,
    TY_TRACK_END
} ty_track_type;

/* A payload longer than this is no record of ours: jansson may take 77 times the text's size. */
enum { TY_TRACK_MAX_PAYLOAD = 1024 * 1024, TY_TRACK_MAX_TEXT = 256 * 1024 };

typedef struct ty_track_point {
    const char *key;
    int64_t step, time_ns;
    double value;
} ty_track_point;

typedef struct ty_track_file {
    const char *path;
    int64_t size;
    const char *sha256; /* 64 hex digits */
} ty_track_file;

typedef struct ty_track_record {
    uint32_t type;     /* a ty_track_type; others are to be left alone */
    uint64_t sequence; /* the journal's */
    int64_t time_ns, step;
    union {
        struct {
            const char *run_id, *experiment, *name, *user, *source, *store;
            const char *experiment_note, *primary_metric, *primary_goal; /* may be NULL */
            const char *journal_id; /* NULL: run_id is the journal's own */
        } run;
        struct {
            int64_t is_resumed, from_step, total_steps, samples_per_epoch;
        } start;
        struct {
            const char *key, *value;
        } text; /* PARAM, TAG */
        struct {
            const char *name, *digest;
            const char *source, *context, *schema, *profile; /* may be NULL */
        } dataset;
        struct {
            const ty_track_point *v;
            int64_t n;
        } points;
        struct {
            const char *name, *path, *artifact; /* name: MODEL only */
        } file;                                 /* FILE, MODEL */
        struct {
            const char *model_id, *name, *folder, *note;
            const ty_track_file *files;
            int64_t n_files;
        } package;
        struct {
            int64_t state; /* ty_run_state */
            const char *reason;
        } state;
    };
} ty_track_record;

/* Appends the payload of any record but METRICS (those are written point by point,
 * tracking/journal/writer.c). */
void ty_track_encode(const ty_track_record *record, ty_text *out);

/* Reads one record of a journal; its strings and points live in arena. Unknown types succeed with
 * their type alone.
 * Errors: TY_ERR_INTEGRITY naming the journal's record. */
ty_status ty_track_decode(ty_ctx *ctx, const ty_journal_record *from, ty_arena *arena,
                          ty_track_record *out) TY_MUST_USE;

/* Calls visit for each record of the journal at path; what it is given lives as long as the visit.
 * Errors: TY_ERR_INTEGRITY, TY_ERR_IO; visit's, which ends it. */
ty_status ty_track_each(ty_ctx *ctx, const char *path,
                        ty_status (*visit)(ty_ctx *ctx, void *self, const ty_track_record *record),
                        void *self) TY_MUST_USE;

/* 32 hex digits, as MLflow names runs. */
bool ty_track_is_run_id(const char *text);

/* "m-" and 32 hex digits: it names a row and a folder. */
bool ty_track_is_model_id(const char *text);

/* The run's tags that say where a model of it is from; NULL behind the last one. */
extern const char *const ty_track_lineage[];

/* Whether a point of the key says how good the model of its step is: "test/...". */
bool ty_track_is_of_model(const char *key);

/* "FINISHED" and the like, as MLflow spells them. */
const char *ty_track_state_name(ty_run_state state);

/* "run" -> run + "/run.journal", "/run.lease", "/artifacts"; in arena, NULL: no memory. */
char *ty_track_journal_path(ty_arena *arena, const char *run_folder);
char *ty_track_lease_path(ty_arena *arena, const char *run_folder);
char *ty_track_artifacts_path(ty_arena *arena, const char *run_folder);

#endif
