/* The table of learning-rate schedules. A schedule is a pure function of the step, so resuming
 * needs nothing of it. One file with its keys and its function, and one line here. */
#ifndef TY_TRAINER_SCHEDULES_SCHEDULES_H
#define TY_TRAINER_SCHEDULES_SCHEDULES_H

#include "trainer/amount.h"

/* X(type, needs_total, help). needs_total: the factor depends on how far the training is, or a key
 * of the schedule's own may be a share of it. */
#define TY_SCHEDULE_ROWS(X)                                                                        \
    X(constant, false, "the same rate all the time")                                               \
    X(linear, true, "a straight line down to min_lr")                                              \
    X(cosine, true, "half a cosine down to min_lr (Loshchilov & Hutter 2017)")                     \
    X(step, true, "times factor after each `every`")                                               \
    X(one_cycle, true, "up, then far down, both along half a cosine (Smith & Topin 2018)")         \
    X(wsd, true, "warm-up, stable, decay at the end (Hu et al. 2024)")

enum { TY_SCHEDULE_CONFIG_BYTES = 96 };

/* The learning rate of update `step` (from 0) as a multiple of optimizer.learning_rate. config is
 * what the rows filled; all begin with a ty_schedule_base. */
typedef double ty_schedule_factor(const void *config, const ty_extent *extent, int64_t step);

/* What every schedule has. */
typedef struct ty_schedule_base {
    /* The rate grows linearly over these steps; in one_cycle along half a cosine. */
    ty_amount warmup;
    ty_amount min_lr; /* percent of the highest rate */
} ty_schedule_base;

#define TY_SCHEDULE_DECLARE(type, needs_total, help)                                               \
    ty_schedule_factor ty_schedule_##type;                                                         \
    extern const ty_rows ty_schedule_##type##_rows;
TY_SCHEDULE_ROWS(TY_SCHEDULE_DECLARE)
#undef TY_SCHEDULE_DECLARE

#define TY_SCHEDULE_LENGTHS                                                                        \
    (1u << TY_UNIT_NONE | 1u << TY_UNIT_STEPS | 1u << TY_UNIT_EPOCHS | 1u << TY_UNIT_SAMPLES |     \
     1u << TY_UNIT_PERCENT)

#define TY_SCHEDULE_WARMUP_ROW(config, amount)                                                     \
    {                                                                                              \
        .key = "warmup", .type = TY_ROW_AMOUNT, .offset = offsetof(config, base.warmup),           \
        .fallback = amount, .units = TY_SCHEDULE_LENGTHS,                                          \
        .help = "time over which the rate grows to optimizer.learning_rate"                        \
    }
#define TY_SCHEDULE_MIN_ROW(config, amount)                                                        \
    {                                                                                              \
        .key = "min_lr", .type = TY_ROW_AMOUNT, .offset = offsetof(config, base.min_lr),           \
        .fallback = amount, .units = 1u << TY_UNIT_PERCENT, .max = 100,                            \
        .help = "the rate at the end, in percent of optimizer.learning_rate"                       \
    }

/* For config.c; ends with a row of type NULL. */
extern const ty_variant_row ty_schedule_variants[];

/* The factor of one step under the schedule chosen in a config. */
double ty_schedule_at(const ty_variant *schedule, const ty_extent *extent, int64_t step);

/* True where the schedule has to know how many steps there will be. */
bool ty_schedule_needs_total(const ty_variant *schedule);

/* How many steps the rate grows. */
int64_t ty_schedule_warmup_steps(const ty_variant *schedule, const ty_extent *extent);

/* Helpers of the files beside this one. Warm-up: (step + 1) / warmup, then 1. Progress: 0 at the
 * end of the warm-up, 1 after the last step. Floor: min_lr as a ratio. */
double ty_schedule_warmup(const ty_schedule_base *base, const ty_extent *extent, int64_t step);
double ty_schedule_progress(const ty_schedule_base *base, const ty_extent *extent, int64_t step);
double ty_schedule_floor(const ty_schedule_base *base);

#endif
