/* Jacobi's method for symmetric eigenproblems (Golub & Van Loan, Matrix Computations, 8.5): slower
 * than tridiagonal methods, but accurate to the last digits even for small eigenvalues, and short. */
#include "hpo/samplers/cma.h"

#include <math.h>

enum { MAX_SWEEPS = 60 }; /* convergence is quadratic: 6 to 10 are usual */

typedef struct turn {
    double c, s;
} turn;

/* The rotation that makes a[p][q] zero. */
static turn turn_of(double app, double aqq, double apq) {
    const double tau = (aqq - app) / (2 * apq);
    const double root = sqrt(1 + tau * tau);
    const double t = tau >= 0 ? 1 / (tau + root) : -1 / (root - tau);
    const double c = 1 / sqrt(1 + t * t);
    return (turn){c, t * c};
}

static void turn_rows(double *a, size_t n, size_t p, size_t q, turn t) {
    for (size_t k = 0; k < n; k++) {
        const double ap = a[p * n + k], aq = a[q * n + k];
        a[p * n + k] = t.c * ap - t.s * aq;
        a[q * n + k] = t.s * ap + t.c * aq;
    }
}

static void turn_columns(double *a, size_t n, size_t p, size_t q, turn t) {
    for (size_t k = 0; k < n; k++) {
        const double ap = a[k * n + p], aq = a[k * n + q];
        a[k * n + p] = t.c * ap - t.s * aq;
        a[k * n + q] = t.s * ap + t.c * aq;
    }
}

static bool is_negligible(const double *A, size_t n, size_t p, size_t q) {
    const double off = fabs(A[p * n + q]);
    return off <= 0x1p-54 * sqrt(fabs(A[p * n + p]) * fabs(A[q * n + q])) || off < 0x1p-1000;
}

/* V holds the vectors as rows meanwhile. False when there was nothing left to do. */
static bool sweep(double *A, size_t n, double *V) {
    bool has_turned = false;
    for (size_t p = 0; p + 1 < n; p++)
        for (size_t q = p + 1; q < n; q++) {
            if (is_negligible(A, n, p, q))
                continue;
            const turn t = turn_of(A[p * n + p], A[q * n + q], A[p * n + q]);
            turn_rows(A, n, p, q, t);
            turn_columns(A, n, p, q, t);
            A[p * n + q] = A[q * n + p] = 0;
            turn_rows(V, n, p, q, t);
            has_turned = true;
        }
    return has_turned;
}

static void swap_rows(double *V, size_t n, size_t i, size_t j) {
    for (size_t k = 0; k < n; k++) {
        const double held = V[i * n + k];
        V[i * n + k] = V[j * n + k];
        V[j * n + k] = held;
    }
}

static void sort_ascending(double *value, double *V, size_t n) {
    for (size_t i = 0; i < n; i++) {
        size_t least = i;
        for (size_t j = i + 1; j < n; j++)
            if (value[j] < value[least])
                least = j;
        const double held = value[i];
        value[i] = value[least];
        value[least] = held;
        swap_rows(V, n, i, least);
    }
}

static void transpose(double *V, size_t n) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            const double held = V[i * n + j];
            V[i * n + j] = V[j * n + i];
            V[j * n + i] = held;
        }
}

void ty_cma_eigen(double *A, size_t n, double *value, double *V) {
    for (size_t i = 0; i < n * n; i++)
        V[i] = i % (n + 1) == 0;
    for (int i = 0; i < MAX_SWEEPS && sweep(A, n, V); i++)
        ;
    for (size_t i = 0; i < n; i++)
        value[i] = A[i * n + i];
    sort_ascending(value, V, n);
    transpose(V, n);
}
