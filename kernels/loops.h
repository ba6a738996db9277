/* Our own inner loops over f32 arrays, one table per instruction-set level (loops_sse41.c,
 * loops_avx2.c, loops_avx512.c compile the same source, loops_body.h). Every loop gives the SAME
 * BITS at every level: lanes run over outputs; where a sum is taken it has 16 partial sums, element
 * i in partial i % 16, added in one fixed tree. n may be 0; pointers need no alignment; an output
 * may be the very same array as an input, but not overlap it otherwise. Private to kernels. */
#ifndef TY_KERNELS_LOOPS_H
#define TY_KERNELS_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/rng.h"
#include "kernels/attrs.h"

enum { TY_LOOPS_N_ACTIVATIONS = TY_ACT_SIGMOID + 1 };

/* v = momentum v + g (v = g at the first step), g = grad_scale * grad + weight_decay * p; p -= rate
 * * (...). */
typedef struct ty_sgd_loop {
    float grad_scale, weight_decay, momentum, learning_rate;
    bool is_first, is_nesterov;
} ty_sgd_loop;

/* p = keep p - step_size m / (sqrt(v) * inverse_root + epsilon), m and v the moments of grad_scale
 * * grad. */
typedef struct ty_adamw_loop {
    float grad_scale, keep, one_minus_beta1, beta2, one_minus_beta2;
    float step_size;    /* learning rate / (1 - beta1^step) */
    float inverse_root; /* 1 / sqrt(1 - beta2^step) */
    float epsilon;
} ty_adamw_loop;

/* Which elements of one sample a dropout drops: element i by word i % 4 of Philox(key, sample, i /
 * 4). */
typedef struct ty_dropout_loop {
    ty_rng_key key;
    uint32_t threshold; /* a word below it drops the element: rate * 2^32 */
    float scale;        /* of the others: 1 / (1 - rate) */
} ty_dropout_loop;

/* One row of logits: what softmax_xent keeps of it for backward, and what it tells. */
typedef struct ty_xent_row {
    float max, inverse_sum;  /* softmax(x) = exp(x - max) * inverse_sum */
    float loss, probability; /* of the predicted class */
    int32_t predicted, rank;
} ty_xent_row;

typedef struct ty_mse_row {
    float loss, mean_absolute;
} ty_mse_row;

typedef void ty_activation_loop(float *y, const float *x, int64_t n);
/* dx = or += dy f'(x) */
typedef void ty_activation_backward_loop(float *dx, const float *dy, const float *x, int64_t n,
                                         bool accumulates);

typedef struct ty_loops {
    /* Flat buffers. */
    void (*fill)(float *to, int64_t n, float value);
    void (*scale)(float *to, const float *x, int64_t n, float factor);     /* to = factor x */
    void (*scale_add)(float *to, const float *x, int64_t n, float factor); /* to += factor x */
    void (*add)(float *to, const float *a, const float *b, int64_t n);
    /* to += rate (from_scale from - to) */
    void (*blend)(float *to, const float *from, int64_t n, float rate, float from_scale);
    void (*norm)(const float *x, int64_t n,
                 double out[2]); /* sum of squares, count of non-finite */
    void (*sgd)(const ty_sgd_loop *sgd, float *p, const float *grad, float *v,
                int64_t n); /* v may be NULL */
    void (*adamw)(const ty_adamw_loop *adamw, float *p, const float *grad, float *m, float *v,
                  int64_t n);

    /* Random numbers: element i from Philox(key, a, i / 4). */
    void (*uniform)(float *to, int64_t n, ty_rng_key key, uint64_t a,
                    float bound); /* U(-bound, bound) */
    void (*normal)(float *to, int64_t n, ty_rng_key key, uint64_t a,
                   float deviation); /* N(0, deviation^2) */
    void (*dropout)(const ty_dropout_loop *dropout, float *to, const float *x, int64_t n,
                    uint64_t sample);

    /* Ops. */
    ty_activation_loop *activation[TY_LOOPS_N_ACTIVATIONS];
    ty_activation_backward_loop *activation_backward[TY_LOOPS_N_ACTIVATIONS];
    /* y = (x - mean) inverse_std, one pair for all or (each) a pair for each element. */
    void (*normalize_f32)(float *y, const float *x, int64_t n, float mean, float inverse_std);
    void (*normalize_u8)(float *y, const uint8_t *x, int64_t n, float mean, float inverse_std);
    void (*normalize_each_f32)(float *y, const float *x, int64_t n, const float *mean,
                               const float *inverse_std);
    void (*normalize_each_u8)(float *y, const uint8_t *x, int64_t n, const float *mean,
                              const float *inverse_std);
    /* 0 <= target < n. The loss of target (1 - smoothing) onehot + smoothing / n. */
    void (*xent_forward)(const float *logits, int64_t n, int32_t target, double smoothing,
                         ty_xent_row *row);
    /* dx = or += weight (softmax - target); of row only max and inverse_sum are read. */
    void (*xent_backward)(float *dx, const float *logits, int64_t n, int32_t target,
                          double smoothing, const ty_xent_row *row, float weight, bool accumulates);
    void (*mse_forward)(const float *x, const float *target, int64_t n, ty_mse_row *row);
    /* dx = or += factor (x - target) */
    void (*mse_backward)(float *dx, const float *x, const float *target, int64_t n, float factor,
                         bool accumulates);
} ty_loops;

extern const ty_loops ty_loops_sse41, ty_loops_avx2, ty_loops_avx512;

/* The table of an index into ty_isa_names. The CPU must have that level (<= ty_isa_best()). */
const ty_loops *ty_loops_at(int isa_level);

#endif
