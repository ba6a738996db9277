/* Mathematics in double with the same bits on every machine, at every instruction-set level and with
 * every compiler flag that keeps IEEE arithmetic: a sweep's suggestions must not depend on where it
 * runs. libm's bits do: it picks its code, with or without fused multiply-add, by the CPU it finds.
 * Made of + - * / sqrt and integers alone; rounding is to nearest, as a program starts with.
 *
 * For all: NaN gives NaN, always the same one (0x7ff8000000000000), and so does an argument outside
 * the domain. Nothing sets errno. Errors are in units in the last place (ulp) of the result or
 * relative to it; tests/hpo/test_exact_truth.c measures them. */
#ifndef TY_HPO_EXACT_EXACT_H
#define TY_HPO_EXACT_EXACT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* --- exponential and logarithm: within 1 ulp --------------------------------------------- */

/* e^x; infinite from 709.8 on, denormal below -708.4, 0 from -745.2 down. */
double ty_exact_exp(double x);
/* e^x - 1, also where x is tiny. */
double ty_exact_expm1(double x);
/* The natural logarithm; -infinity at 0 and -0, NaN below. */
double ty_exact_log(double x);
/* log(1 + x), also where x is tiny; -infinity at -1, NaN below. */
double ty_exact_log1p(double x);

/* x^y, within 1 ulp and right to the last bit where the result is a whole number below 2^53; edges as
 * Annex F of C has them, but NaN for a NaN: 1 for y = 0 or x = 1 whatever the other is, NaN for x < 0
 * and a y that is no whole number. */
double ty_exact_pow(double x, double y);

/* --- the normal law and its kin: within 1e-14 of the result wherever that is a normal number -------- */

double ty_exact_erf(double x);
double ty_exact_erfc(double x);
/* e^(x^2) erfc(x): ~ 1 / (x sqrt(pi)) on the right, infinite from -26.7 down. */
double ty_exact_erfcx(double x);
/* The distribution of the standard normal law, Phi(x); 0 from -38.6 down. */
double ty_exact_ndtr(double x);
/* log(Phi(x)), ~ -x^2 / 2 on the left and ~ -Phi(-x) on the right. */
double ty_exact_log_ndtr(double x);
/* log(Phi(b) - Phi(a)) for a <= b, infinite ends included, in the middle, in both tails and where b - a
 * is next to nothing; -infinity where a = b, NaN where a > b. */
double ty_exact_log_ndtr_diff(double a, double b);
/* The quantile: the x with Phi(x) = p, for p in [0, 1], down to the least p > 0; NaN outside. Odd
 * around 0.5. */
double ty_exact_ndtri(double p);

/* --- gamma and beta ------------------------------------------------------------------------------- */

/* log Gamma(x) for x > 0, within 1e-14 of itself, also around its zeros 1 and 2; infinite at 0, NaN
 * below. */
double ty_exact_lgamma(double x);
/* I_x(a, b), the distribution of Beta(a, b) at x in [0, 1]; a, b in (0, 1e8]. For a, b <= 1e5 within
 * 1e-14 (b < 1: 5e-14) of itself up to the mean, x = a / (a + b), where that is 1e-5 away from 1; of
 * its complement beyond. Its time grows with the root of the larger of a and b. */
double ty_exact_betainc(double a, double b, double x);
/* The x with I_x(a, b) = p, for p in [0, 1]; as exact as p, and double between x and 1, tell it. */
double ty_exact_betainc_inv(double a, double b, double p);

/* --- arrays -------------------------------------------------------------------------------------- */

/* The hot ones over arrays, in vector registers: to[i] has the bits of the function above that bears
 * its name. n may be 0; pointers need no alignment; `to` may be the very same array as an argument,
 * but not overlap it otherwise. */
typedef struct ty_exact_loops {
    void (*exp)(double *to, const double *x, int64_t n);
    void (*log)(double *to, const double *x, int64_t n);
    void (*log_ndtr)(double *to, const double *x, int64_t n);
    void (*log_ndtr_diff)(double *to, const double *a, const double *b, int64_t n);
    void (*ndtri)(double *to, const double *x, int64_t n);
} ty_exact_loops;

enum { TY_EXACT_N_LEVELS = 3 }; /* SSE2, AVX2, AVX-512 (F, BW, DQ, VL) */

/* The table of a level; NULL where this CPU lacks it. Level 0 is everywhere. */
const ty_exact_loops *ty_exact_loops_at(int level);
/* The fastest that this CPU has. */
const ty_exact_loops *ty_exact_loops_best(void);

#ifdef __cplusplus
}
#endif
#endif
