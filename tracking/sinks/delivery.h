/* How far a run has come on servers: delivery.journal in its folder (frames: base/journal.h), written
 * by whoever holds delivery.lease. run.journal stays the truth about the run alone. One JSON object a
 * record; "t" is the number of a target, counted from 0 in the order of their TARGET records:
 *
 *   1 TARGET   {"uri"}                                     without user and password
 *   2 RUN      {"t","experiment_id","run_id","artifact_uri"} as the server calls them
 *   3 ACK      {"t","sequence"}                            the server has all of run.journal up to it
 *   4 FILE     {"t","path","size","mtime_ns","sha256"}     it has this content of the file; path is
 *                                                          relative to the run's folder
 *   5 MODEL    {"t","model_id","server_id","artifact_uri","state"}  a package: "made", "ready", "failed"
 *   6 DEAD     {"t","sequence","what","key","step","words"} the server refuses it for good: a "metric",
 *                                                          "param", "tag", "dataset", "file", "model"
 *                                                          or "status", and why
 *   7 GONE     {"t"}                                       the run was deleted there for good
 *   8 AGAIN    {"t"}                                       what was refused is to be sent once more:
 *                                                          so far there is no more of run.journal than
 *                                                          what is before its first refused record
 *
 * Unknown keys and types are left alone. */
#ifndef TY_TRACKING_SINKS_DELIVERY_H
#define TY_TRACKING_SINKS_DELIVERY_H

#include "tracking/journal/keymap.h"

enum { TY_DELIVERY_MAX_PAYLOAD = 64 * 1024 };

typedef struct ty_delivered_file {
    int64_t size, mtime_ns;
    char sha256[65];
} ty_delivered_file;

typedef enum ty_delivered_state {
    TY_DELIVERED_NOT,
    TY_DELIVERED_MADE,
    TY_DELIVERED_READY,
    TY_DELIVERED_FAILED
} ty_delivered_state;

typedef struct ty_delivered_model {
    ty_delivered_state state;
    const char *server_id, *artifact_uri;
} ty_delivered_model;

typedef struct ty_dead_letter {
    uint64_t sequence; /* of its record in run.journal */
    const char *what, *key, *words;
    int64_t step;
} ty_dead_letter;

/* All that one target has of a run. */
typedef struct ty_delivery_state {
    const char *uri;
    int64_t target; /* its number; -1: nothing was ever sent there */
    const char *experiment_id, *run_id, *artifact_uri; /* NULL until the run is there */
    uint64_t acked;
    bool is_gone;
    ty_keymap files;  /* ty_delivered_file by path */
    ty_keymap models; /* ty_delivered_model by our model id */
    ty_keymap dead;   /* ty_dead_letter; each once */
    /* as reading goes on */
    int64_t n_targets;
    const char *last_uri; /* of the newest TARGET record */
    ty_arena arena;
} ty_delivery_state;

/* uri NULL: the target that was chosen last. clear accepts a zeroed state. */
void ty_delivery_state_init(ty_delivery_state *state, const char *uri);
void ty_delivery_state_clear(ty_delivery_state *state);

/* Brings state up to date with the next record. Errors: TY_ERR_INTEGRITY; TY_ERR_NOMEM. */
ty_status ty_delivery_take(ty_ctx *ctx, ty_delivery_state *state,
                           const ty_journal_record *raw) TY_MUST_USE;

/* What the run's folder says of a target; state is initialised. A missing journal leaves it as it
 * is. Errors: TY_ERR_INTEGRITY; TY_ERR_IO. */
ty_status ty_delivery_read(ty_ctx *ctx, const char *run_folder,
                           ty_delivery_state *state) TY_MUST_USE;

/* Whether the run was ever meant for a target that keeps its state here: a server, or offline. */
bool ty_delivery_exists(ty_ctx *ctx, const char *run_folder);

/* "run" -> run + "/delivery.lease"; in arena, NULL: no memory. */
char *ty_delivery_lease_path(ty_arena *arena, const char *run_folder);

/* --- writing ---------------------------------------------------------------------------------- */

typedef struct ty_delivery ty_delivery;

/* Opens the journal for a target: takes the lease, reads, notes the target where it is not the last
 * one chosen. *out is the caller's to close.
 * Errors: TY_ERR_BUSY another process delivers the run; TY_ERR_INTEGRITY; TY_ERR_IO. */
ty_status ty_delivery_open(ty_ctx *ctx, const char *run_folder, const char *uri,
                           ty_delivery **out) TY_MUST_USE;

/* Whether another process took the lease over: then nothing may be sent any more. */
bool ty_delivery_is_lost(const ty_delivery *d);

/* As of now. Borrowed. */
const ty_delivery_state *ty_delivery_now(const ty_delivery *d);

/* Each is in the file when it returns (kill -9 loses nothing; a power cut may lose the last ones,
 * which are then sent again). Errors: TY_ERR_IO. */
ty_status ty_delivery_note_run(ty_ctx *ctx, ty_delivery *d, const char *experiment_id,
                               const char *run_id, const char *artifact_uri) TY_MUST_USE;
ty_status ty_delivery_note_ack(ty_ctx *ctx, ty_delivery *d, uint64_t sequence) TY_MUST_USE;
ty_status ty_delivery_note_file(ty_ctx *ctx, ty_delivery *d, const char *path,
                                const ty_delivered_file *file) TY_MUST_USE;
ty_status ty_delivery_note_model(ty_ctx *ctx, ty_delivery *d, const char *model_id,
                                 const ty_delivered_model *model) TY_MUST_USE;
ty_status ty_delivery_note_dead(ty_ctx *ctx, ty_delivery *d,
                                const ty_dead_letter *letter) TY_MUST_USE;
ty_status ty_delivery_note_gone(ty_ctx *ctx, ty_delivery *d) TY_MUST_USE;
ty_status ty_delivery_note_again(ty_ctx *ctx, ty_delivery *d) TY_MUST_USE;

/* Syncs, releases the lease. Accepts NULL. */
void ty_delivery_close(ty_ctx *ctx, ty_delivery *d);

#endif
