/* The inside of a ty_trainer: what train.c opens and loop.c runs. Each group belongs to the file
 * named beside it. */
#ifndef TY_TRAINER_TRAINER_PRIVATE_H
#define TY_TRAINER_TRAINER_PRIVATE_H

#include "trainer/amount.h"
#include "trainer/devices.h"
#include "trainer/feed.h"
#include "trainer/geometry.h"
#include "trainer/lanes.h"
#include "trainer/model.h"
#include "trainer/plan.h"
#include "trainer/state.h"
#include "trainer/train.h"
#include "trainer/shard_tree.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What continuing needs besides tensors; every field is in a checkpoint's state (progress.c). */
typedef struct ty_progress {
    int64_t step;    /* steps done, skipped ones included; consumed samples = step * global batch */
    int64_t updates; /* steps that changed the weights */
    int64_t skipped; /* steps that did not */
    int64_t skipped_in_row;
    int64_t eval_step;   /* of the last evaluation; a signal may leave one owing */
    int64_t evaluations; /* since early stopping last saw an improvement */
    int64_t stop_step;   /* of that improvement; -1: none yet */
    double stop_value;
    int64_t best_step; /* of the best checkpoint; -1: none */
    double best_value;
    double window_loss, window_hits, window_weight; /* sums since the last point of the curves */
    int64_t window_steps;
    double elapsed_s; /* of training, all sittings together */
    int64_t is_finished;
} ty_progress;

/* Sums over samples; rows of the small tree. */
enum { TY_SUM_LOSS, TY_SUM_WEIGHT, TY_SUM_HITS, TY_SUM_COUNT };

/* One lane's own: plans, the arena both share, host copies. */
typedef struct ty_lane_work {
    ty_plan train, eval;
    void *arena;
    float *rows;          /* loss rows of a block of evaluation, on the host */
    ty_segment *segments; /* this lane's share of the update */
    int64_t n_segments;
} ty_lane_work;

/* One update's numbers, the same on all ranks. */
typedef struct ty_step_report {
    double sums[TY_SUM_COUNT];
    double gradient_norm; /* of the mean gradient, before clipping */
    int64_t n_nonfinite;
    double learning_rate;
    bool is_skipped;
} ty_step_report;

/* Why a step may be the last; rank 0's and everybody's wishes, agreed on once a step (agree.c). */
enum {
    TY_WISH_FAILED,
    TY_WISH_REQUEUE,
    TY_WISH_INTERRUPT,
    TY_WISH_TERMINATE,
    TY_WISH_ABANDON,
    TY_WISH_STOP,
    TY_WISH_PAUSE,
    TY_WISH_TIME_IS_UP,
    TY_WISH_SAVE,
    TY_WISH_POST,
    TY_WISH_COUNT
};

typedef struct ty_times {
    int64_t begin_ns, data_ns, compute_ns, comm_ns, eval_ns;
    int64_t sitting_ns;      /* up to where progress.elapsed_s has counted */
    /* When the last point was logged, the last checkpoint sent, the last post went. */
    int64_t log_ns, save_ns, post_ns;
    int64_t log_step, first_step;
} ty_times;

struct ty_trainer {
    ty_trainer_options options;
    const ty_train_config *config; /* options.config */
    const ty_data_info *data;
    ty_comm *comm;
    ty_arena arena; /* names and tables that live as long as this */
    ty_train_report report;
    ty_layer_row *layers;

    ty_devices devices;   /* what computes */
    ty_geometry geometry; /* geometry.c */
    ty_extent extent;
    ty_lanes *lanes;
    ty_graph train_graph, eval_graph;
    ty_lane_work *work; /* one per lane */
    ty_state state;

    ty_reduction *reduction; /* gradient.c */
    float **buffers;         /* of the tree; [0] is the reduction's */
    int n_buffers;
    ty_shard_tree *tree;
    double *shard_sums; /* [shards_of_rank][TY_SUM_COUNT] */
    float *loss_rows;   /* [shards_of_rank][rows][TY_LOSS_ROW] on the host, pinned */
    ty_feed *feed;
    bool is_fed_ahead; /* the next step's batch was sent already */

    /* update.c: {sum of squares, non-finite} per segment, then of the statistics. */
    double *norms, *norms_host;
    ty_verdict *verdict, *verdict_host; /* on the device; pinned */
    double learning_rate;

    const ty_observers *observers; /* events.c; NULL outside a run and on ranks other than 0 */
    double asked[TY_WISH_COUNT];   /* this rank's wishes, for the next agreement */
    double wishes[TY_WISH_COUNT];  /* everybody's, of the last one: decisions look here alone */
    char reason[512];

    ty_loader *loader; /* sitting.c */
    ty_progress progress;
    ty_times times;

    ty_ckpt_writer *writer; /* save.c; rank 0 */
    bool is_saving;
    char last_path[1024], best_path[1024];
    int64_t saves_failed;

    ty_arena eval_arena; /* eval.c: the last result */
    ty_eval_result newest_eval; /* while training */
    bool has_newest_eval;
};

/* --- report.c: what was planned --------------------------------------------------------------- */

/* Batches of training fetched ahead: more of them where they are small, so that a step shorter than
 * a time slice of the scheduler does not wait for the thread that fetches. */
int ty_trainer_depth(const ty_trainer *trainer);

/* Bytes of a lane's arena: training and evaluation never run at the same time, so they share it. */
size_t ty_report_arena(const ty_lane_work *work);

/* The model's table; all numbers of ty_train_report. */
ty_status ty_report_layers(ty_ctx *ctx, ty_trainer *trainer) TY_MUST_USE;
void ty_report_write(ty_trainer *trainer);

/* --- loop.c ----------------------------------------------------------------------------------- */

/* Trains until the run ends here.
 * Errors: TY_STOP_*, TY_ERR_DIVERGED, whatever failed on any rank. */
ty_status ty_loop_run(ty_ctx *ctx, ty_trainer *trainer) TY_MUST_USE;

/* --- post.c: letters to rank 0 ---------------------------------------------------------------- */

/* Whether there is any, and whether it is time on this rank's clock. */
bool ty_post_is_due(ty_ctx *ctx, const ty_trainer *trainer);

/* All ranks' letters to rank 0. Collective; does nothing where there is no post. */
ty_status ty_post_run(ty_ctx *ctx, ty_trainer *trainer) TY_MUST_USE;

/* --- ending.c: what ends a run ---------------------------------------------------------------- */

/* Whether anybody wished it (TY_WISH_*) at the last agreement; whether that was a signal. */
bool ty_end_wishes(const ty_trainer *trainer, int which);
bool ty_end_is_signalled(const ty_trainer *trainer);

/* Everything was trained that was to be trained; writes the reason. */
bool ty_end_is_reached(ty_trainer *trainer);

/* The status of the signal that was agreed on; writes the reason. */
ty_status ty_end_by_signal(ty_ctx *ctx, ty_trainer *trainer);

/* --- gradient.c: one rank's part of a step ---------------------------------------------------- */

/* Opens reduction, tree and their buffers. Collective. */
ty_status ty_gradient_open(ty_ctx *ctx, ty_trainer *trainer) TY_MUST_USE;
void ty_gradient_close(ty_trainer *trainer); /* not collective */

/* Floats of one buffer: parameters, then batch statistics, then the sum of weighted losses. */
int64_t ty_gradient_count(const ty_trainer *trainer);

/* Queues all shards of the batch that the feed turned to on this rank's lanes: the sum of their
 * gradients will be in the reduction's input, the loss rows on the host. Not collective. */
ty_status ty_gradient_compute(ty_ctx *ctx, ty_trainer *trainer) TY_MUST_USE;

/* This rank's part of the batch: the sum of its samples' weights, known before anything is
 * computed; all sums over samples, once the device is done. */
double ty_gradient_weight(const ty_trainer *trainer);
void ty_gradient_sums(const ty_trainer *trainer, double out[TY_SUM_COUNT]);

/* --- update.c: the reduced gradient becomes an update ----------------------------------------- */

/* Norm rows and each lane's ranges. close accepts what was never opened. */
ty_status ty_update_open(ty_ctx *ctx, ty_trainer *trainer) TY_MUST_USE;
void ty_update_close(ty_trainer *trainer);

/* Queues all that follows from the reduced gradient: norms, the verdict on them, and where that
 * allows it clipping, the update of the parameters and of running statistics. report has the total
 * weight and the learning rate. */
ty_status ty_update_run(ty_ctx *ctx, ty_trainer *trainer, const ty_step_report *report) TY_MUST_USE;

/* What came of it, once the device is done. Fills report. */
void ty_update_hear(const ty_trainer *trainer, ty_step_report *report);

/* --- health.c --------------------------------------------------------------------------------- */

/* Counts what the verdict let through and what it kept from the weights (report->is_skipped). The same answer
 * on all ranks.
 * Errors: TY_ERR_DIVERGED by policy, naming step and layer. */
ty_status ty_health_check(ty_ctx *ctx, ty_trainer *trainer, ty_step_report *report) TY_MUST_USE;

/* --- agree.c: the one small collective of a step ---------------------------------------------- */

/* Adds up the sums of all ranks in place and learns what anybody wishes. mine is how this rank's
 * part went; fails everywhere where it failed anywhere. */
ty_status ty_agree_on_step(ty_ctx *ctx, ty_trainer *trainer, ty_status mine,
                           double sums[TY_SUM_COUNT]) TY_MUST_USE;

/* The same without sums, for the moments after an evaluation. */
ty_status ty_agree_on_wishes(ty_ctx *ctx, ty_trainer *trainer) TY_MUST_USE;

/* --- events.c: what rank 0 tells observers ---------------------------------------------------- */

/* On other ranks nobody is told. An answer becomes a wish, which counts at the next agreement. start
 * and eval are collective, and wait for observers that wait; step also emits the points of the curves
 * where they are due. Errors: TY_ERR_COMM. */
ty_status ty_tell_start(ty_ctx *ctx, ty_trainer *trainer, bool is_resumed) TY_MUST_USE;
void ty_tell_step(ty_ctx *ctx, ty_trainer *trainer, const ty_step_report *report);
void ty_tell_metric(ty_ctx *ctx, ty_trainer *trainer, const char *key, double value);
ty_status ty_tell_eval(ty_ctx *ctx, ty_trainer *trainer, ty_split split,
                       const ty_eval_result *result, bool is_best) TY_MUST_USE;
void ty_tell_model(ty_ctx *ctx, ty_trainer *trainer, int64_t step, const char *name,
                   const char *path);

/* --- save.c: checkpoints out ------------------------------------------------------------------ */

/* Starts rank 0's writer; hears the last save's end and stops it. Not collective. */
ty_status ty_save_open(ty_ctx *ctx, ty_trainer *trainer) TY_MUST_USE;
/* Sends the state to the writer; waits first, all ranks together, where a save is in flight.
 * Collective. */
ty_status ty_save(ty_ctx *ctx, ty_trainer *trainer, bool is_best) TY_MUST_USE;
/* Hears how saves ended. Not collective. */
void ty_save_poll(ty_ctx *ctx, ty_trainer *trainer);
/* Waits for the save in flight, all ranks together. Collective. */
ty_status ty_save_wait(ty_ctx *ctx, ty_trainer *trainer) TY_MUST_USE;
void ty_save_close(ty_ctx *ctx, ty_trainer *trainer);

/* --- resume.c: checkpoints in ----------------------------------------------------------------- */

/* Rank 0 reads the file asked for or the run's newest, everybody receives it. *found false: there
 * is none. Collective. */
ty_status ty_resume(ty_ctx *ctx, ty_trainer *trainer, bool *found) TY_MUST_USE;

/* Parameters and statistics of one file into the state. Collective. */
ty_status ty_resume_model(ty_ctx *ctx, ty_trainer *trainer, const char *path) TY_MUST_USE;

/* --- progress.c ------------------------------------------------------------------------------- */

/* Before the first step. */
void ty_progress_begin(ty_progress *progress);
/* The JSON text of a checkpoint's state, in arena; NULL: no memory. */
const char *ty_progress_write(const ty_trainer *trainer, ty_arena *arena);
/* Reads it back; checks seed, data and config. *is_same_config tells whether the hash is ours.
 * Errors: TY_ERR_INTEGRITY. */
ty_status ty_progress_read(ty_ctx *ctx, const ty_trainer *trainer, const char *state,
                           ty_progress *out, bool *is_same_config) TY_MUST_USE;

/* --- pass.c: all samples of a split through the model, forward ----------------------------------- */

/* Batches of a block for each lane, in the order of samples; with several ranks each takes its blocks
 * of every batch. The same blocks in any case, so that nobody's number changes a bit. */
typedef struct ty_pass {
    ty_trainer *trainer;
    const ty_dataset *data; /* of the trainer's shape */
    ty_split split;
    int ranks, rank;   /* that share the samples */
    int64_t n;         /* samples of the split */
    int64_t rank_rows; /* of a batch on one rank: a block for each lane */
    int64_t n_batches;
    int64_t batch; /* the one under way */
    ty_feed *feed;
    /* On a lane: rows [first, first + eval_rows) of this rank's part of the batch were queued through
     * the lane's plan. Called for blocks that begin with a sample. */
    ty_status (*block)(ty_lane *lane, const struct ty_pass *pass, int64_t first);
    /* On the caller's thread, when all of a batch is done; may be NULL. */
    ty_status (*batch_done)(ty_ctx *ctx, const struct ty_pass *pass);
} ty_pass;

/* is_shared: among all ranks, otherwise this rank has all samples to itself. The callbacks are the
 * caller's to set. */
void ty_pass_init(ty_pass *pass, ty_trainer *trainer, const ty_dataset *data, ty_split split,
                  bool is_shared);

/* Not collective. */
ty_status ty_pass_run(ty_ctx *ctx, ty_pass *pass) TY_MUST_USE;

/* Where row `row` of a rank's part of a batch stands in the split. */
int64_t ty_pass_position(const ty_pass *pass, int rank, int64_t batch, int64_t row);

/* --- eval.c ----------------------------------------------------------------------------------- */

/* ty_trainer_evaluate with the parameters as they are. Collective. */
ty_status ty_eval_run(ty_ctx *ctx, ty_trainer *trainer, ty_split split,
                      ty_eval_result *out) TY_MUST_USE;

/* --- best.c: which evaluation is best, and when nothing improves any more --------------------- */

/* Notes an evaluation on val; answers whether it is the best so far. */
bool ty_best_note(ty_trainer *trainer, const ty_eval_result *result);
/* Whether early stopping says so; writes the reason. */
bool ty_best_should_stop(ty_trainer *trainer);

#ifdef __cplusplus
}
#endif
#endif
