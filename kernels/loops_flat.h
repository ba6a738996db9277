/* Loops over flat buffers: what gradients, their reduction and the optimizers are made of. Part of
 * loops_body.h. */

static void fill(float *to, int64_t n, float value) {
    for (int64_t i = 0; i < n; i++)
        to[i] = value;
}

static void scale(float *to, const float *x, int64_t n, float factor) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        to[i] = factor * x[i];
}

static void scale_add(float *to, const float *x, int64_t n, float factor) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        to[i] += factor * x[i];
}

static void add(float *to, const float *a, const float *b, int64_t n) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        to[i] = a[i] + b[i];
}

static void blend(float *to, const float *from, int64_t n, float rate, float from_scale) {
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        to[i] += rate * (from_scale * from[i] - to[i]);
}

static inline double sum_of_squares(const float *x, int64_t n) {
    lanes sum = {0};
    const int64_t n_whole = n - n % N_LANES;
    for (int64_t i = 0; i < n_whole; i += N_LANES)
        lanes_add_squares(&sum, lanes_of(x + i));
    if (n_whole < n) {
        float rest[N_LANES];
        load_rest(rest, x + n_whole, n - n_whole, 0.0F);
        lanes_add_squares(&sum, lanes_of(rest));
    }
    return lanes_total(&sum);
}

static int64_t count_of_bad(const float *x, int64_t n) {
    int64_t n_bad = 0;
    for (int64_t i = 0; i < n; i++)
        n_bad += (bits_of_float(x[i]) & 0x7f800000U) == 0x7f800000U;
    return n_bad;
}

/* Squares of floats cannot overflow a double, so where the sum is finite every element is: the
 * second pass runs only where something is wrong already. */
static void norm(const float *x, int64_t n, double out[2]) {
    out[0] = sum_of_squares(x, n);
    out[1] = isfinite(out[0]) ? 0 : (double)count_of_bad(x, n);
}

static void sgd_plain(const ty_sgd_loop *sgd, float *p, const float *grad, int64_t n) {
    const ty_sgd_loop s = *sgd;
    INDEPENDENT
    for (int64_t i = 0; i < n; i++)
        p[i] -= s.learning_rate * (s.grad_scale * grad[i] + s.weight_decay * p[i]);
}

static void sgd_momentum(const ty_sgd_loop *sgd, float *p, const float *grad, float *v, int64_t n) {
    const ty_sgd_loop s = *sgd;
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const float g = s.grad_scale * grad[i] + s.weight_decay * p[i];
        v[i] = s.momentum * v[i] + g;
        p[i] -= s.learning_rate * v[i];
    }
}

static void sgd_nesterov(const ty_sgd_loop *sgd, float *p, const float *grad, float *v, int64_t n) {
    const ty_sgd_loop s = *sgd;
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const float g = s.grad_scale * grad[i] + s.weight_decay * p[i];
        v[i] = s.momentum * v[i] + g;
        p[i] -= s.learning_rate * (g + s.momentum * v[i]);
    }
}

static void sgd(const ty_sgd_loop *args, float *p, const float *grad, float *v, int64_t n) {
    if (!v) {
        sgd_plain(args, p, grad, n);
        return;
    }
    if (args->is_first)
        fill(v, n, 0.0F); /* momentum * 0 + g = g, whatever was there */
    if (args->is_nesterov)
        sgd_nesterov(args, p, grad, v, n);
    else
        sgd_momentum(args, p, grad, v, n);
}

static void adamw(const ty_adamw_loop *args, float *p, const float *grad, float *m, float *v,
                  int64_t n) {
    const ty_adamw_loop a = *args;
    INDEPENDENT
    for (int64_t i = 0; i < n; i++) {
        const float g = a.grad_scale * grad[i];
        m[i] += a.one_minus_beta1 * (g - m[i]);
        v[i] = a.beta2 * v[i] + a.one_minus_beta2 * (g * g);
        const float root = sqrtf(v[i]) * a.inverse_root + a.epsilon;
        p[i] = a.keep * p[i] - a.step_size * m[i] / root;
    }
}
