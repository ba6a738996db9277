/* The memory plan: things that live at the same time never share a byte. */
#include "trainer/lifetimes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { MOST = 200 };

static uint32_t draw(uint64_t round, uint64_t index) {
    return ty_rng_draw(ty_rng_key_of(7, TY_STREAM_SYNTHETIC), round, index).v[0];
}

static int make_items(ty_lifetime items[MOST], uint64_t round) {
    const int n = (int)(draw(round, MOST) % MOST) + 1;
    for (int i = 0; i < n; i++) {
        const int first = (int)(draw(round, (uint64_t)i) % 60);
        items[i] = (ty_lifetime){.bytes = draw(round, 1000 + (uint64_t)i) % 5000 + 1,
                                 .first = first,
                                 .last = first + (int)(draw(round, 2000 + (uint64_t)i) % 20)};
    }
    return n;
}

static bool share_a_byte(const ty_lifetime *a, const ty_lifetime *b) {
    return a->offset < b->offset + b->bytes && b->offset < a->offset + a->bytes;
}

static bool live_together(const ty_lifetime *a, const ty_lifetime *b) {
    return a->first <= b->last && b->first <= a->last;
}

static void no_two_living_values_overlap(void **state) {
    ty_ctx *ctx = *state;
    ty_lifetime items[MOST];
    for (uint64_t round = 0; round < 100; round++) {
        size_t bytes;
        const int n = make_items(items, round);
        assert_int_equal(ty_lifetimes_place(ctx, items, n, &bytes), TY_OK);
        for (int i = 0; i < n; i++) {
            assert_int_equal(items[i].offset % 64, 0);
            assert_true(items[i].offset + items[i].bytes <= bytes);
            for (int k = 0; k < i; k++) {
                if (live_together(&items[i], &items[k]) && share_a_byte(&items[i], &items[k]))
                    fail_msg("round %d: items %d and %d share memory", (int)round, i, k);
            }
        }
    }
}

/* What lives at the busiest moment is a floor for any plan; the greedy one stays near it. */
static void the_plan_is_near_the_floor(void **state) {
    ty_ctx *ctx = *state;
    ty_lifetime items[MOST];
    double planned = 0, floor_bytes = 0;
    for (uint64_t round = 0; round < 100; round++) {
        size_t bytes, most = 0;
        const int n = make_items(items, round);
        assert_int_equal(ty_lifetimes_place(ctx, items, n, &bytes), TY_OK);
        for (int t = 0; t < 80; t++) {
            size_t now = 0;
            for (int i = 0; i < n; i++)
                now +=
                    items[i].first <= t && t <= items[i].last ? (items[i].bytes + 63) / 64 * 64 : 0;
            most = now > most ? now : most;
        }
        assert_true(bytes >= most);
        planned += (double)bytes;
        floor_bytes += (double)most;
    }
    if (planned > 1.10 * floor_bytes)
        fail_msg("the plans take %.3f of the floor", planned / floor_bytes);
}

static void what_never_meets_shares_one_place(void **state) {
    ty_ctx *ctx = *state;
    ty_lifetime items[3] = {{.bytes = 100, .first = 0, .last = 1},
                            {.bytes = 90, .first = 2, .last = 3},
                            {.bytes = 80, .first = 4, .last = 5}};
    size_t bytes;
    assert_int_equal(ty_lifetimes_place(ctx, items, 3, &bytes), TY_OK);
    assert_int_equal(bytes, 128);
}

static void an_empty_plan_takes_nothing(void **state) {
    ty_ctx *ctx = *state;
    size_t bytes = 1;
    assert_int_equal(ty_lifetimes_place(ctx, NULL, 0, &bytes), TY_OK);
    assert_int_equal(bytes, 0);
}

static ty_ctx context;

static int open_ctx(void **state) {
    ty_ctx_init(&context);
    *state = &context;
    return 0;
}

static int close_ctx(void **state) {
    (void)state;
    ty_ctx_clear(&context);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_two_living_values_overlap),
        cmocka_unit_test(the_plan_is_near_the_floor),
        cmocka_unit_test(what_never_meets_shares_one_place),
        cmocka_unit_test(an_empty_plan_takes_nothing),
    };
    return cmocka_run_group_tests(tests, open_ctx, close_ctx);
}
