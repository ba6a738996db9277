/* What the beta function needs of the gamma function besides its logarithm. Private to hpo/exact*.c. */
#ifndef TY_HPO_EXACT_EXACT_GAMMA_H
#define TY_HPO_EXACT_EXACT_GAMMA_H

#define HALF_LOG_2_PI 0x1.d67f1c864beb5p-1
#define TY_EXACT_STIRLING_FROM 8.0

/* log Gamma(x) - ((x - 1/2) log x - x + log(2 pi) / 2) for x >= TY_EXACT_STIRLING_FROM, within 1e-17:
 * P(1 / x^2) / x, interpolated. */
double ty_exact_stirling_rest(double x);

#endif
