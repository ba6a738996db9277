/* The gamma function's logarithm. */
#include "hpo/exact/exact_gamma.h"

#include "hpo/exact/exact.h"
#include "hpo/exact/exact_inline.h"

/* log Gamma(2 + z) for |z| <= 0.5: z P(z), P interpolated at Chebyshev nodes (relative error 2e-17). */
static double log_gamma_near_two(double z) {
    static const double p[] = {
        0x1.b0ee6072093cep-2,   0x1.4a34cc4a60fa6p-2,   -0x1.13e001a557606p-4,
        0x1.51322ac7d849bp-6,   -0x1.e404fc218f61fp-8,  0x1.7add6eadb2c11p-9,
        -0x1.38ac5c2bf50a2p-10, 0x1.0b36af88b2884p-11,  -0x1.d3fd4c7b8f6a9p-13,
        0x1.a127af44aaf71p-14,  -0x1.78de5a3d2d4d3p-15, 0x1.580e260121a51p-16,
        -0x1.3cbce9a3c4ad1p-17, 0x1.258c9651dbedcp-18,  -0x1.11a85684e8499p-19,
        0x1.01462b5944f7dp-20,  -0x1.e40f95a8192dep-22, 0x1.b1a8c8bf04f15p-23,
        -0x1.9a854795e5fe9p-24, 0x1.15fea8732cd9fp-24,  -0x1.091589d02d1a3p-25};
    double sum = 0;
    for (int k = (int)(sizeof p / sizeof p[0]) - 1; k >= 0; k--)
        sum = sum * z + p[k];
    return z * sum;
}

double ty_exact_stirling_rest(double x) {
    static const double p[] = {0x1.5555555555555p-4,  -0x1.6c16c16c16b29p-9,
                               0x1.a01a019ee0dbep-11, -0x1.38137ec070147p-11,
                               0x1.b94f6d6592192p-11, -0x1.f5ff2fdcdf048p-10,
                               0x1.96db40614b193p-8,  -0x1.55b3a71b66a2ep-6};
    const double w = 1 / x, y = w * w;
    double sum = 0;
    for (int k = (int)(sizeof p / sizeof p[0]) - 1; k >= 0; k--)
        sum = sum * y + p[k];
    return w * sum;
}

/* By Gamma(x + 1) = x Gamma(x) everything below 8 comes near 2. */
static double log_gamma_below_eight(double x) {
    if (x < 0.5)
        return log_gamma_near_two(x) - log1p_of(x) - log_of(x);
    if (x < 1.5)
        return log_gamma_near_two(x - 1) - log1p_of(x - 1);
    double product = 1;
    while (x > 2.5) {
        x -= 1;
        product *= x;
    }
    return log_gamma_near_two(x - 2) + log_of(product);
}

double ty_exact_lgamma(double x) {
    if (!(x > 0))
        return x == 0 ? infinity() : not_a_number();
    if (x < TY_EXACT_STIRLING_FROM)
        return log_gamma_below_eight(x);
    if (x > 0x1p1015)
        return infinity();
    return (x - 0.5) * (log_of(x) - 1) + (HALF_LOG_2_PI - 0.5 + ty_exact_stirling_rest(x));
}
