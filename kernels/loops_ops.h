/* Loops of elementwise ops: activations and normalisation. Part of loops_body.h. */

static inline float none_at(float x) {
    return x;
}

static inline float none_slope(float dy, float x) {
    (void)x;
    return dy;
}

static inline float relu_at(float x) {
    return x < 0.0F ? 0.0F : x; /* NaN stays NaN: a lost one would hide */
}

static inline float relu_slope(float dy, float x) {
    return x > 0.0F ? dy : 0.0F;
}

static inline float gelu_at(float x) {
    return x * normal_law_at(x).distribution;
}

static inline float gelu_slope(float dy, float x) {
    const normal_law law = normal_law_at(x);
    return dy * (law.distribution + x * law.density);
}

static inline float silu_at(float x) {
    return x * sigmoid_of(x);
}

/* s (1 + x (1 - s)), 1 - s as the sigmoid of -x. */
static inline float silu_slope(float dy, float x) {
    const float e = exp_of(-absolute(x)), inverse = 1.0F / (1.0F + e);
    const float s = (x < 0.0F ? e : 1.0F) * inverse, rest = (x < 0.0F ? 1.0F : e) * inverse;
    return dy * (s * (1.0F + x * rest));
}

static inline float tanh_slope(float dy, float x) {
    const float t = tanh_of(x);
    return dy * ((1.0F - t) * (1.0F + t));
}

/* s (1 - s) = e / (1 + e)^2. */
static inline float sigmoid_slope(float dy, float x) {
    const float e = exp_of(-absolute(x)), inverse = 1.0F / (1.0F + e);
    return dy * (e * inverse * inverse);
}

#define ACTIVATION(kind)                                                                           \
    static void kind##_forward(float *y, const float *x, int64_t n) {                              \
        INDEPENDENT                                                                                \
        for (int64_t i = 0; i < n; i++)                                                            \
            y[i] = kind##_at(x[i]);                                                                \
    }                                                                                              \
    static void kind##_write(float *dx, const float *dy, const float *x, int64_t n) {              \
        INDEPENDENT                                                                                \
        for (int64_t i = 0; i < n; i++)                                                            \
            dx[i] = kind##_slope(dy[i], x[i]);                                                     \
    }                                                                                              \
    static void kind##_add(float *dx, const float *dy, const float *x, int64_t n) {                \
        INDEPENDENT                                                                                \
        for (int64_t i = 0; i < n; i++)                                                            \
            dx[i] += kind##_slope(dy[i], x[i]);                                                    \
    }                                                                                              \
    static void kind##_backward(float *dx, const float *dy, const float *x, int64_t n,             \
                                bool accumulates) {                                                \
        if (accumulates)                                                                           \
            kind##_add(dx, dy, x, n);                                                              \
        else                                                                                       \
            kind##_write(dx, dy, x, n);                                                            \
    }

#define tanh_at tanh_of
#define sigmoid_at sigmoid_of
ACTIVATION(none)
ACTIVATION(relu)
ACTIVATION(gelu)
ACTIVATION(silu)
ACTIVATION(tanh)
ACTIVATION(sigmoid)

#define NORMALIZE(type)                                                                            \
    static void normalize_##type(float *y, const type *x, int64_t n, float mean,                   \
                                 float inverse_std) {                                              \
        INDEPENDENT                                                                                \
        for (int64_t i = 0; i < n; i++)                                                            \
            y[i] = ((float)x[i] - mean) * inverse_std;                                             \
    }                                                                                              \
    static void normalize_each_##type(float *y, const type *x, int64_t n, const float *mean,       \
                                      const float *inverse_std) {                                  \
        INDEPENDENT                                                                                \
        for (int64_t i = 0; i < n; i++)                                                            \
            y[i] = ((float)x[i] - mean[i]) * inverse_std[i];                                       \
    }
NORMALIZE(float)
NORMALIZE(uint8_t)
