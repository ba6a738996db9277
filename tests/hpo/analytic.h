/* Problems whose optimum is known, to compare samplers on: all are minimised, all parameters are floats
 * and uniform. "Shifted" ones have their optimum away from the middle, where a model's prior would find it
 * without search. */
#ifndef TY_TESTS_HPO_ANALYTIC_H
#define TY_TESTS_HPO_ANALYTIC_H

#include <math.h>
#include <stddef.h>

enum { ANALYTIC_MAX_DIMS = 10 };

typedef struct analytic {
    const char *name;
    size_t dims;
    double low[ANALYTIC_MAX_DIMS], high[ANALYTIC_MAX_DIMS];
    double least; /* the value at the optimum */
    double (*value)(const double *x, size_t dims);
} analytic;

static const double analytic_pi = 3.14159265358979323846;

/* Where the shifted ones have their optimum, as a part of half the range. */
static inline double analytic_shift(size_t d) {
    static const double part[ANALYTIC_MAX_DIMS] = {0.31,  -0.42, 0.58,  -0.17, 0.66,
                                                   -0.53, 0.24,  -0.69, 0.45,  -0.36};
    return part[d];
}

/* Branin (1972). */
static inline double analytic_branin(const double *x, size_t dims) {
    (void)dims;
    const double b = 5.1 / (4 * analytic_pi * analytic_pi), c = 5 / analytic_pi;
    const double y = x[1] - b * x[0] * x[0] + c * x[0] - 6;
    return y * y + 10 * (1 - 1 / (8 * analytic_pi)) * cos(x[0]) + 10;
}

/* Hartmann (1973), six dimensions. */
static inline double analytic_hartmann(const double *x, size_t dims) {
    static const double weight[4] = {1, 1.2, 3, 3.2};
    static const double a[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                                   {0.05, 10, 17, 0.1, 8, 14},
                                   {3, 3.5, 1.7, 10, 17, 8},
                                   {17, 8, 0.05, 10, 0.1, 14}};
    static const double p[4][6] = {{0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886},
                                   {0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
                                   {0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650},
                                   {0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381}};
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        double square = 0;
        for (size_t d = 0; d < dims; d++)
            square += a[i][d] * (x[d] - p[i][d]) * (x[d] - p[i][d]);
        sum -= weight[i] * exp(-square);
    }
    return sum;
}

static inline double analytic_sphere(const double *x, size_t dims) {
    double sum = 0;
    for (size_t d = 0; d < dims; d++) {
        const double t = x[d] - 5 * analytic_shift(d);
        sum += t * t;
    }
    return sum;
}

/* Rosenbrock (1960). */
static inline double analytic_rosenbrock(const double *x, size_t dims) {
    double sum = 0;
    for (size_t d = 0; d + 1 < dims; d++) {
        const double bend = x[d + 1] - x[d] * x[d], rest = 1 - x[d];
        sum += 100 * bend * bend + rest * rest;
    }
    return sum;
}

/* Rastrigin (1974), shifted. */
static inline double analytic_rastrigin(const double *x, size_t dims) {
    double sum = 10 * (double)dims;
    for (size_t d = 0; d < dims; d++) {
        const double t = x[d] - 5.12 * analytic_shift(d);
        sum += t * t - 10 * cos(2 * analytic_pi * t);
    }
    return sum;
}

/* Ackley (1987), shifted. */
static inline double analytic_ackley(const double *x, size_t dims) {
    double square = 0, wave = 0;
    for (size_t d = 0; d < dims; d++) {
        const double t = x[d] - 32.768 * analytic_shift(d);
        square += t * t;
        wave += cos(2 * analytic_pi * t);
    }
    const double n = (double)dims;
    return 20 + exp(1) - 20 * exp(-0.2 * sqrt(square / n)) - exp(wave / n);
}

/* An ellipsoid of condition 1e6, shifted. */
static inline double analytic_ellipsoid(const double *x, size_t dims) {
    double sum = 0;
    for (size_t d = 0; d < dims; d++) {
        const double t = x[d] - 5 * analytic_shift(d);
        sum += pow(1e6, (double)d / (double)(dims - 1)) * t * t;
    }
    return sum;
}

/* Styblinski & Tang (1990). */
static inline double analytic_styblinski(const double *x, size_t dims) {
    double sum = 0;
    for (size_t d = 0; d < dims; d++)
        sum += 0.5 * (x[d] * x[d] * x[d] * x[d] - 16 * x[d] * x[d] + 5 * x[d]);
    return sum;
}

#define ANALYTIC_5(v)                                                                              \
    { v, v, v, v, v }
#define ANALYTIC_10(v)                                                                             \
    { v, v, v, v, v, v, v, v, v, v }

static const analytic analytic_problems[] = {
    {"branin", 2, {-5, 0}, {10, 15}, 0.39788735772973816, analytic_branin},
    {"hartmann6", 6, {0}, {1, 1, 1, 1, 1, 1}, -3.322368011415515, analytic_hartmann},
    {"sphere10", 10, ANALYTIC_10(-5), ANALYTIC_10(5), 0, analytic_sphere},
    {"rosenbrock5", 5, ANALYTIC_5(-5), ANALYTIC_5(10), 0, analytic_rosenbrock},
    {"rastrigin5", 5, ANALYTIC_5(-5.12), ANALYTIC_5(5.12), 0, analytic_rastrigin},
    {"ackley10", 10, ANALYTIC_10(-32.768), ANALYTIC_10(32.768), 0, analytic_ackley},
    {"ellipsoid5", 5, ANALYTIC_5(-5), ANALYTIC_5(5), 0, analytic_ellipsoid},
    {"styblinski10", 10, ANALYTIC_10(-5), ANALYTIC_10(5), -391.6616570377142, analytic_styblinski},
};

enum { ANALYTIC_COUNT = sizeof analytic_problems / sizeof *analytic_problems };

#endif
