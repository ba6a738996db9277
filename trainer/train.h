/* One training job: open (data agreed on, graph planned, state initialised or resumed), run,
 * close. */
#ifndef TY_TRAINER_TRAIN_H
#define TY_TRAINER_TRAIN_H

#include "trainer/checkpoint.h"
#include "trainer/comm.h"
#include "kernels/kernels.h"
#include "trainer/config.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Ranks: open, run, evaluate and close are collective. A rank that fails alone (TY_ERR_DEVICE,
 * TY_ERR_NOMEM in the middle of a step) should leave through ty_comm_abort rather than close. */
typedef struct ty_trainer ty_trainer;

/* What every rank writes to rank 0 now and then, beside training: at a step all agree on, every
 * `every_s` seconds of rank 0's clock, and once when training ends. One small all-gather; with a
 * single rank nothing is written. */
typedef struct ty_post {
    double every_s;
    size_t bytes;                            /* of one letter, the same on all ranks; 0: no post */
    void (*write)(void *self, void *letter); /* every rank but 0 is asked; letter is zeroed */
    void (*read)(void *self, int rank, const void *letter); /* rank 0, for each other rank */
    void *self;
} ty_post;

typedef struct ty_trainer_options {
    const ty_train_config *config;
    const char *config_json; /* resolved, for the checkpoint */
    uint64_t config_hash;    /* of the RESULT rows */
    ty_comm *comm;
    ty_dataset *data;       /* borrowed */
    const char *run_folder; /* NULL: nothing is written, nothing resumed (check, eval) */
    /* Start from this file; NULL: from the newest of the run's folder. */
    const char *checkpoint;
    /* Forward only: the model is this, on rank 0, and no file is looked for; borrowed while opening. */
    const ty_checkpoint *model;
    /* Plan for this GPU, which need not be here: "a100", "h100" (is_plan_only); NULL: for what the
     * config says. */
    const char *described_gpu;
    bool is_plan_only;    /* check: plan and report, allocate nothing large */
    bool is_forward_only; /* eval */
    int64_t memory_bytes; /* what this host has: a plan that takes more is refused; 0: unknown */
    /* The signal that asks to stop, negated by a second one, 0 while none; NULL: none ever. */
    const _Atomic int *stop_signal; /* another thread may write it */
    const ty_post *post;            /* looked at while running; NULL: no post. On all ranks alike */
} ty_trainer_options;

/* What was planned; all numbers known before anything runs. */
typedef struct ty_train_report {
    int64_t parameters;
    int64_t bytes_parameters, bytes_gradients, bytes_optimizer; /* per rank */
    int64_t bytes_activations;                                  /* one lane's arena */
    int64_t lanes;                                              /* per rank */
    int64_t bytes_total;  /* per rank on what computes; on the CPU loader and staging included */
    int64_t bytes_host;   /* per rank on the host beside a GPU; 0 on the CPU */
    const char *device;   /* "cpu", "cuda:0" */
    const char *model;    /* "NVIDIA H100 80GB HBM3" */
    const char *sums;     /* how ranks are summed; NULL: there is one rank */
    const char *fallback; /* why "auto" is no GPU; NULL: it is one, or was not asked for */
    bool is_gpu;
    const uint8_t *gpu_uuid; /* [TY_DEVICE_UUID_BYTES]; NULL: no GPU */
    int64_t micro_batch, shards, global_batch;
    int64_t steps_per_epoch, total_steps; /* total_steps 0: bounded by time */
    double flops_per_step;
    const char *numeric;      /* numeric fingerprint */
    const char *resumed_from; /* path; NULL: new */
    int64_t resumed_step;
    bool is_finished; /* the checkpoint is the run's last: nothing is left to do */
} ty_train_report;

/* One line of the model's table, for check and the report. */
typedef struct ty_layer_row {
    const char *name, *type, *output_shape;
    int64_t parameters;
    double flops;
} ty_layer_row;

/* Meets the other ranks' lanes, agrees on build, config, data and numerics, builds and plans the
 * model, and initialises the state or resumes it. is_plan_only ends after the plan.
 * Ranks:  collective.
 * Owns:   *out is the caller's to close before comm and data; options' pointers are borrowed.
 * Errors: TY_ERR_CONFIG, TY_ERR_DATA, TY_ERR_INTEGRITY a damaged checkpoint that was asked for,
 *         TY_ERR_DEVICE, TY_ERR_COMM, TY_ERR_NOMEM; the same on all ranks. */
ty_status ty_trainer_open(ty_ctx *ctx, const ty_trainer_options *options,
                          ty_trainer **out) TY_MUST_USE;

/* What was planned; one row per layer. Borrowed, as long as the trainer is open. */
const ty_train_report *ty_trainer_report(const ty_trainer *trainer);
const ty_layer_row *ty_trainer_layers(const ty_trainer *trainer, int64_t *out_n);
void ty_trainer_close(ty_trainer *trainer); /* not collective; accepts NULL */

/* Why a run ended. */
typedef struct ty_train_result {
    int64_t step;
    double epoch;
    bool is_complete;   /* everything was trained; otherwise the run can be continued */
    const char *reason; /* "duration reached", "early stop: val/loss ...", "signal 10" */
    int64_t best_step;  /* -1: none */
    double best_value;
    const char *last_checkpoint, *best_checkpoint; /* NULL: none */
    int64_t checkpoints_failed;
    uint64_t params_hash; /* XXH3 of all parameters */
    double seconds, seconds_data, seconds_compute, seconds_comm, seconds_eval;
    double samples_per_s; /* of training steps, evaluation left out */
} ty_train_result;

/* Trains until the duration is reached or something asks to stop; evaluates, checkpoints, tells
 * observers (rank 0).
 * Ranks: collective.
 * Errors: TY_STOP_* with a checkpoint saved where there was time; TY_ERR_DIVERGED; TY_ERR_COMM. */
ty_status ty_trainer_run(ty_ctx *ctx, ty_trainer *trainer, const ty_observers *observers,
                         ty_train_result *out) TY_MUST_USE;

/* Waits for observers that wait, as a run does after START and EVAL by itself: for who told them of
 * either without one. Takes as long as they do; comm's deadline counts none of it.
 * Ranks:  collective; observers is NULL where there are none. *answer and *reason are this rank's.
 * Errors: TY_ERR_COMM. */
ty_status ty_observers_await(ty_ctx *ctx, ty_comm *comm, const ty_observers *observers,
                             ty_answer *answer, const char **reason) TY_MUST_USE;

/* What one launch of a step is predicted to take. */
typedef struct ty_predicted {
    const char *op; /* "conv2d forward" */
    ty_op_cost cost;
    int times;            /* a step, on one rank */
    double seconds;       /* of one */
    bool is_launch_bound; /* shorter than queueing it takes */
} ty_predicted;

/* A step as rooflines see it: each launch takes as long as its bytes at PREDICTED_BANDWIDTH of the
 * data sheet's bandwidth or its FLOP at PREDICTED_FLOPS of its peak, whichever is more, and at least
 * what queueing a launch takes. Communication between ranks is left out. */
typedef struct ty_prediction {
    const ty_predicted *rows;
    int64_t n_rows, n_launches;
    double seconds;         /* of a step */
    double samples_per_s;   /* of all ranks */
    double flops_share;     /* of the peak of the precision, by the model's FLOP */
    size_t workspace_bytes; /* the largest, part of the arena */
} ty_prediction;

/* Only for a device with data-sheet peaks (a described GPU). Rows live in the trainer.
 * Errors: TY_ERR_CONFIG the device has no peaks; TY_ERR_NOMEM. */
ty_status ty_trainer_predict(ty_ctx *ctx, ty_trainer *trainer, ty_prediction *out) TY_MUST_USE;

typedef struct ty_mistake {
    int64_t sample;
    int32_t truth, predicted;
    double loss, probability; /* of the predicted class */
} ty_mistake;

typedef struct ty_eval_result {
    int64_t samples;
    double loss;
    double accuracy, top_k_accuracy; /* classification */
    double mean_absolute_error;      /* regression */
    const int64_t *confusion;        /* [K, K] truth-major; NULL for regression */
    int64_t n_classes;
    const ty_mistake *mistakes; /* by falling loss */
    int64_t n_mistakes;
    const char *checkpoint; /* whose parameters these are; NULL: of no file, or not rank 0 */
} ty_eval_result;

/* The newest evaluation while training, for observers of an EVAL: the numbers behind it, until the
 * next one. NULL before the first. */
const ty_eval_result *ty_trainer_newest_eval(const ty_trainer *trainer);

/* Evaluates the current parameters on all ranks, exactly, also for uneven data; sums run in sample
 * order, so the bits do not depend on the number of ranks. use_best: the best checkpoint's
 * parameters, where there is one. Result lives in the trainer until the next call.
 * Ranks: collective; all see the same result. */
ty_status ty_trainer_evaluate(ty_ctx *ctx, ty_trainer *trainer, ty_split split, bool use_best,
                              ty_eval_result *out) TY_MUST_USE;

/* What takes the model's outputs, in the order of samples but for blocks of one batch, which come
 * together. */
typedef struct ty_infer_sink {
    /* On a lane's thread, several at a time with different slots (0 .. slots - 1, in the order of
     * samples): outputs[n, n_outputs] of samples first .. first + n - 1, logits or numbers. */
    ty_status (*block)(ty_ctx *ctx, void *self, int slot, int64_t first, int64_t n,
                       const float *outputs);
    /* On the caller's thread, when n_slots blocks of a batch are there, and with them the first `done`
     * samples; what fails ends the pass. */
    ty_status (*batch)(ty_ctx *ctx, void *self, int n_slots, int64_t done);
    void *self;
} ty_infer_sink;

/* Blocks that a batch can have. */
int ty_trainer_infer_slots(const ty_trainer *trainer);

/* The outputs of all samples of a split of `data`, which has the shape that the trainer was opened
 * with; the bits depend on neither lanes nor ranks.
 * Ranks:  not collective: this rank's lanes alone, whatever others do.
 * Errors: TY_ERR_DATA, TY_ERR_DEVICE, TY_ERR_NOMEM; what the sink returned. */
ty_status ty_trainer_infer(ty_ctx *ctx, ty_trainer *trainer, const ty_dataset *data, ty_split split,
                           const ty_infer_sink *sink) TY_MUST_USE;

/* XXH3 of all parameters and running statistics. */
uint64_t ty_trainer_model_hash(const ty_trainer *trainer);

#ifdef __cplusplus
}
#endif
#endif
