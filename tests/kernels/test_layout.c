/* Layouts against their formula, element by element. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/layout.h"

static const void *const layouts[] = {NULL, &ty_layout_blocked8, &ty_layout_blocked16,
                                      &ty_layout_channels_last};
static const ty_shape shapes[] = {
    {4, {2, 16, 3, 5}}, {4, {3, 20, 2, 2}}, {4, {1, 1, 1, 1}}, {4, {2, 7, 4, 1}}};
enum { N_LAYOUTS = 4, N_SHAPES = 4, ROOM = 2048 };

/* The header's formula. */
static int64_t offset(const ty_layout *layout, ty_shape shape, int64_t index) {
    const int64_t plane = shape.dims[2] * shape.dims[3], channels = shape.dims[1];
    const int64_t s = index % plane, c = index / plane % channels, n = index / plane / channels;
    const int64_t b = !layout ? 1 : layout->block ? layout->block : channels;
    return ((n * ((channels + b - 1) / b) + c / b) * plane + s) * b + c % b;
}

static void each_element_lies_where_the_formula_says(void **state) {
    (void)state;
    for (int l = 0; l < N_LAYOUTS; l++) {
        for (int k = 0; k < N_SHAPES; k++) {
            float canonical[ROOM] = {0}, packed[ROOM], back[ROOM] = {0};
            const int64_t n = ty_shape_count(shapes[k]),
                          count = ty_layout_count(layouts[l], shapes[k]);
            memset(packed, 0xff, sizeof packed);
            for (int64_t i = 0; i < n; i++)
                canonical[i] = (float)(i + 1);
            ty_layout_pack(layouts[l], shapes[k], canonical, packed);
            double sum = 0;
            for (int64_t i = 0; i < count; i++)
                sum += (double)packed[i];
            assert_true(sum == (double)(n * (n + 1) / 2)); /* padding is zero */
            for (int64_t i = 0; i < n; i++)
                assert_true(packed[offset(layouts[l], shapes[k], i)] == canonical[i]);
            ty_layout_unpack(layouts[l], shapes[k], packed, back);
            assert_memory_equal(back, canonical, (size_t)n * sizeof(float));
        }
    }
}

static void adding_copies_add(void **state) {
    (void)state;
    for (int l = 0; l < N_LAYOUTS; l++) {
        float canonical[ROOM], packed[ROOM] = {0}, back[ROOM];
        const int64_t n = ty_shape_count(shapes[1]);
        for (int64_t i = 0; i < n; i++)
            canonical[i] = back[i] = (float)i;
        ty_layout_pack(layouts[l], shapes[1], canonical, packed);
        ty_layout_pack_add(layouts[l], shapes[1], canonical, packed);
        ty_layout_unpack_add(layouts[l], shapes[1], packed, back);
        for (int64_t i = 0; i < n; i++)
            assert_true(back[i] == (float)(3 * i));
    }
}

static void only_incomplete_blocks_are_padding(void **state) {
    (void)state;
    assert_false(ty_layout_has_padding(NULL, shapes[1]));
    assert_false(ty_layout_has_padding(&ty_layout_blocked16, shapes[0]));
    assert_true(ty_layout_has_padding(&ty_layout_blocked16, shapes[1]));
    assert_false(ty_layout_has_padding(&ty_layout_channels_last, shapes[1]));
    assert_int_equal(ty_layout_count(&ty_layout_blocked16, shapes[1]), 3 * 32 * 4);
    assert_int_equal(ty_layout_bytes(&ty_layout_blocked8, shapes[1], TY_DTYPE_F32), 4 * 3 * 24 * 4);
}

static void padding_is_zeroed_and_nothing_else(void **state) {
    (void)state;
    for (int l = 1; l < N_LAYOUTS; l++) {
        float packed[ROOM], back[ROOM] = {0};
        for (int i = 0; i < ROOM; i++)
            packed[i] = 1;
        ty_layout_zero_padding(layouts[l], shapes[1], packed);
        double sum = 0;
        for (int64_t i = 0; i < ty_layout_count(layouts[l], shapes[1]); i++)
            sum += (double)packed[i];
        assert_true(sum == (double)ty_shape_count(shapes[1]));
        ty_layout_unpack(layouts[l], shapes[1], packed, back);
        for (int64_t i = 0; i < ty_shape_count(shapes[1]); i++)
            assert_true(back[i] == 1);
    }
}

static void values_of_lower_rank_are_canonical(void **state) {
    (void)state;
    const ty_shape rows = {2, {5, 3}};
    assert_int_equal(ty_layout_count(&ty_layout_blocked16, rows), 15);
    assert_false(ty_layout_has_padding(&ty_layout_blocked16, rows));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_element_lies_where_the_formula_says),
        cmocka_unit_test(adding_copies_add),
        cmocka_unit_test(only_incomplete_blocks_are_padding),
        cmocka_unit_test(padding_is_zeroed_and_nothing_else),
        cmocka_unit_test(values_of_lower_rank_are_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
