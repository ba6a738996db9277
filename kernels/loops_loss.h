/* One sample's loss and its gradient. Rows are short, so the last, partial group of 16 is padded
 * with what changes nothing instead of falling back to a scalar loop. Part of loops_body.h. */

/* Floats as integers in the same order: -0 below 0, NaN outside the infinities. Integers have a
 * largest one whatever the order they are looked at, so the compiler may take them as it likes. A
 * bijection, and its own inverse. */
static inline int32_t ordered(float x) {
    const int32_t bits = (int32_t)bits_of_float(x);
    return bits ^ ((bits >> 31) & 0x7fffffff);
}

static inline float max_of(const float *x, int64_t n) {
    int32_t most = INT32_MIN;
    for (int64_t i = 0; i < n; i++) {
        const int32_t here = ordered(x[i]);
        most = here > most ? here : most;
    }
    return float_of_bits((uint32_t)(most ^ ((most >> 31) & 0x7fffffff)));
}

enum { N_EXP_AT_ONCE = 1024 };

/* Fills e with exp(x - max) in whole groups of 16, the last one with zeros. Returns how many it
 * filled. */
static inline int64_t fill_exp(float e[N_EXP_AT_ONCE], const float *x, int64_t n, float max) {
    const int64_t n_whole = n - n % N_LANES;
    for (int64_t i = 0; i < n_whole; i++)
        e[i] = exp_of(x[i] - max);
    if (n_whole == n)
        return n;
    load_rest(e + n_whole, x + n_whole, n - n_whole, -INFINITY);
    for (int j = 0; j < N_LANES; j++)
        e[n_whole + j] = exp_of(e[n_whole + j] - max);
    return n_whole + N_LANES;
}

static inline double sum_of_exp(const float *x, int64_t n, float max) {
    float e[N_EXP_AT_ONCE] UNINITIALIZED;
    lanes sum = {0};
    for (int64_t from = 0; from < n; from += N_EXP_AT_ONCE) {
        const int64_t left = n - from;
        const int64_t filled =
            fill_exp(e, x + from, left < N_EXP_AT_ONCE ? left : N_EXP_AT_ONCE, max);
        for (int64_t i = 0; i < filled; i += N_LANES)
            lanes_add(&sum, lanes_of(e + i));
    }
    return lanes_total(&sum);
}

static inline double sum_of(const float *x, int64_t n) {
    float rest[N_LANES];
    lanes sum = {0};
    const int64_t n_whole = n - n % N_LANES;
    for (int64_t i = 0; i < n_whole; i += N_LANES)
        lanes_add(&sum, lanes_of(x + i));
    load_rest(rest, x + n_whole, n - n_whole, 0.0F);
    lanes_add(&sum, lanes_of(rest));
    return lanes_total(&sum);
}

/* Before a class stand all that are larger, and equal ones with a smaller index. */
static inline int32_t rank_of(const float *x, int64_t n, int32_t target) {
    const float of_target = x[target];
    int32_t n_before = 0;
    for (int64_t i = 0; i < target; i++)
        n_before += x[i] >= of_target ? 1 : 0;
    for (int64_t i = target + 1; i < n; i++)
        n_before += x[i] > of_target ? 1 : 0;
    return n_before;
}

/* The first of the largest; 0 where a NaN hides it. */
static inline int32_t first_of(const float *x, int64_t n, float max) {
    int32_t first = INT32_MAX;
    for (int32_t i = 0; i < (int32_t)n; i++) {
        const int32_t elsewhere = -(int32_t)(x[i] != max) & INT32_MAX, here = i | elsewhere;
        first = here < first ? here : first;
    }
    return first < INT32_MAX ? first : 0;
}

/* Everything that is known of a row from its logits and the target's place among them. */
static inline double read_row(const float *x, int64_t n, int32_t target, ty_xent_row *row) {
    row->max = max_of(x, n);
    row->predicted = first_of(x, n, row->max);
    row->rank = rank_of(x, n, target);
    return sum_of_exp(x, n, row->max);
}

/* Short rows are padded to 16, where the compiler knows how long its loops are; -infinity changes
 * none of the above. */
static inline double read_short_row(const float *x, int64_t n, int32_t target, ty_xent_row *row) {
    float padded[N_LANES];
    load_rest(padded, x, n, -INFINITY);
    const double sum = read_row(padded, N_LANES, target, row);
    row->predicted =
        row->predicted < n ? row->predicted : 0; /* all NaN, and the padding the largest */
    return sum;
}

static void xent_forward(const float *logits, int64_t n, int32_t target, double smoothing,
                         ty_xent_row *row) {
    const double sum =
        n <= N_LANES ? read_short_row(logits, n, target, row) : read_row(logits, n, target, row);
    double expected = (double)logits[target]; /* of the logits under the smoothed target */
    if (smoothing > 0)
        expected = (1 - smoothing) * expected + smoothing * (sum_of(logits, n) / (double)n);
    row->inverse_sum = row->probability = (float)(1 / sum);
    row->loss = (float)(ty_maths_log(sum) + ((double)row->max - expected));
}

typedef struct xent_slope {
    float max, factor, base; /* dx = exp(x - max) factor - base */
} xent_slope;

static inline void xent_slope_lanes(float dx[N_LANES], const float *x, xent_slope s) {
    for (int j = 0; j < N_LANES; j++)
        dx[j] = exp_of(x[j] - s.max) * s.factor - s.base;
}

static void xent_write(float *dx, const float *x, int64_t n, xent_slope s) {
    float rest[N_LANES];
    const int64_t n_whole = n - n % N_LANES;
    INDEPENDENT
    for (int64_t i = 0; i < n_whole; i++)
        dx[i] = exp_of(x[i] - s.max) * s.factor - s.base;
    load_rest(rest, x + n_whole, n - n_whole, 0.0F);
    xent_slope_lanes(rest, rest, s);
    for (int64_t i = n_whole; i < n; i++)
        dx[i] = rest[i - n_whole];
}

static void xent_add(float *dx, const float *x, int64_t n, xent_slope s) {
    float rest[N_LANES];
    const int64_t n_whole = n - n % N_LANES;
    INDEPENDENT
    for (int64_t i = 0; i < n_whole; i++)
        dx[i] += exp_of(x[i] - s.max) * s.factor - s.base;
    load_rest(rest, x + n_whole, n - n_whole, 0.0F);
    xent_slope_lanes(rest, rest, s);
    for (int64_t i = n_whole; i < n; i++)
        dx[i] += rest[i - n_whole];
}

/* The target's own element is written apart, (p - 1 + ...) in one rounding's reach: p - 1 first. */
static void xent_backward(float *dx, const float *logits, int64_t n, int32_t target,
                          double smoothing, const ty_xent_row *row, float weight,
                          bool accumulates) {
    const xent_slope s = {.max = row->max,
                          .factor = row->inverse_sum * weight,
                          .base = (float)(smoothing / (double)n) * weight};
    const float p = exp_of(logits[target] - row->max) * row->inverse_sum;
    const float hit = (float)(1 - smoothing + smoothing / (double)n);
    const float of_target = (p - hit) * weight + (accumulates ? dx[target] : 0.0F);
    if (accumulates)
        xent_add(dx, logits, n, s);
    else
        xent_write(dx, logits, n, s);
    dx[target] = of_target;
}

static inline void mse_lanes(lanes *squares, lanes *absolutes, const float *x,
                             const float *target) {
    const lanes a = lanes_of(x), b = lanes_of(target);
    for (int r = 0; r < N_REGISTERS; r++) {
        const wide_doubles difference = a.part[r] - b.part[r];
        squares->part[r] += difference * difference;
        absolutes->part[r] += (wide_doubles)((wide_words)difference & INT64_MAX);
    }
}

static void mse_forward(const float *x, const float *target, int64_t n, ty_mse_row *row) {
    float rest[N_LANES], rest_target[N_LANES];
    lanes squares = {0}, absolutes = {0};
    const int64_t n_whole = n - n % N_LANES;
    for (int64_t i = 0; i < n_whole; i += N_LANES)
        mse_lanes(&squares, &absolutes, x + i, target + i);
    load_rest(rest, x + n_whole, n - n_whole, 0.0F);
    load_rest(rest_target, target + n_whole, n - n_whole, 0.0F);
    mse_lanes(&squares, &absolutes, rest, rest_target);
    row->loss = (float)(lanes_total(&squares) / (double)n);
    row->mean_absolute = (float)(lanes_total(&absolutes) / (double)n);
}

static void mse_backward(float *dx, const float *x, const float *target, int64_t n, float factor,
                         bool accumulates) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        dx[i] = (accumulates ? dx[i] : 0.0F) + factor * (x[i] - target[i]);
}
