/* The whole config of a training run: one struct, filled by rows. */
#ifndef TY_TRAINER_CONFIG_H
#define TY_TRAINER_CONFIG_H

#include "base/base.h"
#include "data/data.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TY_DEVICE_AUTO, TY_DEVICE_CPU, TY_DEVICE_CUDA };
enum { TY_REDUCE_EXACT, TY_REDUCE_FAST };
enum { TY_NONFINITE_SKIP, TY_NONFINITE_STOP };

typedef struct ty_train_config {
    const char *experiment, *name; /* name: the human part of the run's name */
    int64_t seed;
    int device; /* TY_DEVICE_* */
    ty_data_config data;
    struct {
        ty_variants layers;
    } model;
    ty_variant loss;
    ty_variant optimizer;
    ty_variant schedule;
    struct {
        ty_amount duration; /* epochs, steps, samples or seconds */
        int64_t global_batch_size;
        int64_t micro_batch_size; /* rows of one plan; TY_AUTO */
        int reduction;            /* TY_REDUCE_* */
        int64_t shards;           /* of the global batch in exact mode */
        int64_t threads;          /* lanes of a rank; TY_AUTO: the cores it may use */
        int precision;            /* ty_precision */
        double max_grad_norm;     /* 0: no clipping */
        int on_nonfinite;         /* TY_NONFINITE_* */
        int64_t max_skipped;      /* in a row, before it stops anyway */
        struct {
            const char *metric; /* "val/loss"; NULL: no early stop */
            int64_t patience;   /* evaluations */
            double min_delta;
        } early_stop;
        double comm_deadline_s;
        bool share_gpu;  /* ranks of one host may have one GPU */
        int collectives; /* TY_COLLECTIVES_* of devices.h */
    } train;
    struct {
        ty_amount every;
        int64_t batch_size; /* rows of one plan; TY_AUTO */
        int64_t top_k;
    } eval;
    struct {
        ty_amount every;
        int64_t keep;
        const char *best; /* "val/accuracy:max"; "auto"; NULL where "none" is written */
        bool exports;     /* the best model leaves as a package */
    } checkpoint;
    struct {
        ty_amount log_every; /* metric points: steps */
        double system_every; /* seconds; NAN: auto */
        const char *uri;     /* "" where nothing is chosen */
        double exit_wait;    /* s */
    } tracking;
} ty_train_config;

extern const ty_rows ty_train_rows;
extern const ty_foreign_name ty_train_foreign[]; /* ends with a NULL row */

/* ty_rows_load with ty_train_rows, then the checks that look at more than one key. out points into
 * doc. */
ty_status ty_train_config_load(ty_ctx *ctx, ty_doc *doc, ty_train_config *out) TY_MUST_USE;

#ifdef __cplusplus
}
#endif
#endif
