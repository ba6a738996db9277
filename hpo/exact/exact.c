/* Exponential and logarithm, one argument at a time: the same lines as the loops over arrays. */
#include "hpo/exact/exact.h"

#include "hpo/exact/exact_inline.h"

double ty_exact_exp(double x) {
    return exp_of(x);
}

double ty_exact_expm1(double x) {
    return expm1_of(x);
}

double ty_exact_log(double x) {
    return log_of(x);
}

double ty_exact_log1p(double x) {
    return log1p_of(x);
}
