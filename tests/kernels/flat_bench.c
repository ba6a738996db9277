#include "flat_bench.h"

enum { GUARD_BYTE = 0xa5 };

static int open_bench(void **state, const char *device, size_t guard) {
    flat_bench *b = calloc(1, sizeof *b);
    assert_non_null(b);
    ty_ctx_init(&b->ctx);
    b->guard = guard;
    if (op_open_device(&b->ctx, device, TY_PRECISION_FP32, &b->dev) != TY_OK)
        fail_msg("%s: %s", device, b->ctx.message);
    *state = b;
    return 0;
}

static int open_cpu(void **state) {
    return open_bench(state, "cpu", FLAT_GUARD);
}

static int open_gpu(void **state) {
    return open_bench(state, "cuda", FLAT_GUARD);
}

static int open_gpu_without_guards(void **state) {
    return open_bench(state, "cuda", 0);
}

static int close_bench(void **state) {
    flat_bench *b = *state;
    flat_free(b);
    ty_device_close(b->dev);
    ty_ctx_clear(&b->ctx);
    free(b);
    return 0;
}

static bool has_gpu(void) {
    ty_ctx ctx;
    ty_device_found found;
    ty_ctx_init(&ctx);
    const char *name = op_test_device(&ctx, NULL);
    const bool has =
        name ? strncmp(name, "cuda", 4) == 0
             : ty_device_find(&ctx, &(ty_device_options){.name = "cuda"}, &found) == TY_OK;
    ty_ctx_clear(&ctx);
    return has;
}

static bool has_cpu(void) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    const bool has = strcmp(op_test_device(&ctx, "cpu"), "cpu") == 0;
    ty_ctx_clear(&ctx);
    return has;
}

int flat_run_cpu_tests(const char *name, const struct CMUnitTest *tests, size_t n) {
    return has_cpu() ? _cmocka_run_group_tests(name, tests, n, open_cpu, close_bench) : 0;
}

int flat_run_gpu_tests(const char *name, const struct CMUnitTest *tests, size_t n) {
    if (!has_gpu())
        return 0;
    return _cmocka_run_group_tests(name, tests, n, open_gpu, close_bench) +
           _cmocka_run_group_tests(name, tests, n, open_gpu_without_guards, close_bench);
}

int flat_run_tests(const char *name, const struct CMUnitTest *tests, size_t n) {
    return flat_run_cpu_tests(name, tests, n) + flat_run_gpu_tests(name, tests, n);
}

static void want_ok(flat_bench *b, ty_status st) {
    if (st != TY_OK)
        fail_msg("%s", b->ctx.message);
}

static void copy_in(flat_bench *b, void *to, const void *from, size_t bytes) {
    want_ok(b, ty_device_copy_in(&b->ctx, b->dev, to, from, bytes));
    want_ok(b, ty_device_sync(&b->ctx, b->dev));
}

static void copy_out(flat_bench *b, void *to, const void *from, size_t bytes) {
    want_ok(b, ty_device_copy_out(&b->ctx, b->dev, to, from, bytes));
    want_ok(b, ty_device_sync(&b->ctx, b->dev));
}

void *flat_put(flat_bench *b, const void *host, size_t bytes) {
    assert_true(b->n_blocks < FLAT_MAX_BLOCKS);
    flat_block *block = &b->blocks[b->n_blocks];
    void *memory = NULL;
    const size_t all = bytes + 2 * b->guard;
    char *whole = malloc(all + 1);
    assert_non_null(whole);
    memset(whole, GUARD_BYTE, all);
    memcpy(whole + b->guard, host, bytes);
    want_ok(b, ty_device_alloc(&b->ctx, b->dev, all, &memory));
    *block = (flat_block){memory, bytes};
    b->n_blocks++;
    copy_in(b, memory, whole, all);
    free(whole);
    return block->memory + b->guard;
}

void flat_set(flat_bench *b, void *device, const void *host, size_t bytes) {
    copy_in(b, device, host, bytes);
}

static void expect_guards(flat_bench *b, const flat_block *block) {
    uint8_t guard[FLAT_GUARD];
    for (int side = 0; side < 2; side++) {
        const size_t at = side ? b->guard + block->bytes : 0;
        copy_out(b, guard, block->memory + at, b->guard);
        for (int i = 0; i < (int)b->guard; i++)
            if (guard[i] != GUARD_BYTE)
                fail_msg("byte %d %s the data changed", side ? i : (int)b->guard - i,
                         side ? "behind" : "before");
    }
}

void flat_get(flat_bench *b, void *host, const void *device, size_t bytes) {
    copy_out(b, host, device, bytes);
    for (int i = 0; i < b->n_blocks; i++)
        expect_guards(b, &b->blocks[i]);
}

void flat_free(flat_bench *b) {
    for (int i = 0; i < b->n_blocks; i++)
        ty_device_free(b->dev, b->blocks[i].memory);
    b->n_blocks = 0;
}

float flat_number(uint64_t stream, int64_t i) {
    const ty_rng_block block =
        ty_rng_draw(ty_rng_key_of(4, TY_STREAM_SYNTHETIC), stream, (uint64_t)i);
    float z[2];
    ty_rng_normal2(block.v[0], block.v[1], z);
    return z[0];
}

/* By halves of the distance to both neighbours, not by the trick with 0x7fff. */
uint16_t flat_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t low = bits & 0xffffU, up = bits >> 16;
    if (isnan(value))
        return (uint16_t)(up | 0x40U);
    return (uint16_t)(low > 0x8000U || (low == 0x8000U && up % 2) ? up + 1 : up);
}

int64_t flat_lay_out(ty_segment *segments, int n_segments) {
    int64_t at = 0;
    for (int i = 0; i < n_segments; i++) {
        segments[i].offset = at;
        at += (segments[i].count + 15) / 16 * 16;
    }
    return at;
}
