/* Flips and padded crops: what they do to pixels, and that sample and epoch alone decide. */
#include "data/augment.h"
#include "tests/data/data_fixture.h"

enum { C = 2, H = 3, W = 5, PIXELS = C * H * W };

static ty_augment make(double flip, int64_t padding, size_t element_bytes) {
    return (ty_augment){.seed = 7,
                        .flip = flip,
                        .crop_padding = padding,
                        .dims = {C, H, W},
                        .element_bytes = element_bytes};
}

/* Pixel of the image moved by (dy, dx), by the definition. */
static int moved(const uint8_t *from, int c, int y, int x, bool is_mirrored, int dy, int dx) {
    const int sy = y + dy, sx = x + dx;
    if (sy < 0 || sy >= H || sx < 0 || sx >= W)
        return 0;
    return from[(c * H + sy) * W + (is_mirrored ? W - 1 - sx : sx)];
}

static bool is_move(const uint8_t *from, const uint8_t *to, bool is_mirrored, int dy, int dx) {
    for (int i = 0; i < PIXELS; i++)
        if (to[i] != moved(from, i / (H * W), i / W % H, i % W, is_mirrored, dy, dx))
            return false;
    return true;
}

static void fill(uint8_t image[PIXELS]) {
    for (int i = 0; i < PIXELS; i++)
        image[i] = (uint8_t)(i + 1); /* all different, none 0 */
}

static void every_result_is_a_flip_and_a_shift_and_all_of_them_occur(void **state) {
    (void)state;
    enum { PADDING = 2, PLACES = 2 * PADDING + 1 };
    const ty_augment augment = make(0.5, PADDING, 1);
    int seen[2][PLACES][PLACES] = {{{0}}};
    uint8_t from[PIXELS], to[PIXELS];
    fill(from);
    for (int64_t sample = 0; sample < 2000; sample++) {
        int n_found = 0;
        ty_augment_apply(&augment, sample, 3, from, to);
        for (int m = 0; m < 2; m++)
            for (int dy = -PADDING; dy <= PADDING; dy++)
                for (int dx = -PADDING; dx <= PADDING; dx++)
                    if (is_move(from, to, m == 1, dy, dx)) {
                        seen[m][dy + PADDING][dx + PADDING]++;
                        n_found++;
                    }
        assert_int_equal(n_found, 1);
    }
    for (int m = 0; m < 2; m++)
        for (int y = 0; y < PLACES; y++)
            for (int x = 0; x < PLACES; x++)
                assert_in_range(seen[m][y][x], 15, 75); /* 40 expected, deviation 6 */
}

static void floats_move_as_bytes_do(void **state) {
    (void)state;
    const ty_augment bytes = make(0.5, 2, 1), floats = make(0.5, 2, 4);
    uint8_t from[PIXELS], to[PIXELS];
    float from_f[PIXELS], to_f[PIXELS];
    fill(from);
    for (int i = 0; i < PIXELS; i++)
        from_f[i] = from[i];
    for (int64_t sample = 0; sample < 200; sample++) {
        ty_augment_apply(&bytes, sample, 0, from, to);
        ty_augment_apply(&floats, sample, 0, from_f, to_f);
        for (int i = 0; i < PIXELS; i++)
            assert_float_equal(to_f[i], to[i], 0);
    }
}

static void a_sample_changes_from_epoch_to_epoch_and_comes_again_the_same(void **state) {
    (void)state;
    const ty_augment augment = make(0.5, 2, 1);
    uint8_t from[PIXELS], first[PIXELS], to[PIXELS];
    int n_different = 0;
    fill(from);
    ty_augment_apply(&augment, 11, 0, from, first);
    for (int64_t epoch = 1; epoch < 50; epoch++) {
        ty_augment_apply(&augment, 11, epoch, from, to);
        n_different += memcmp(first, to, sizeof to) != 0;
    }
    ty_augment_apply(&augment, 11, 0, from, to);
    assert_memory_equal(to, first, sizeof to);
    assert_in_range(n_different, 40, 49);
}

static void probabilities_of_one_and_zero_are_certain(void **state) {
    (void)state;
    const ty_augment always = make(1, 0, 1), off = make(0, 0, 1);
    uint8_t from[PIXELS], to[PIXELS];
    fill(from);
    for (int64_t sample = 0; sample < 100; sample++) {
        ty_augment_apply(&always, sample, 0, from, to);
        assert_true(is_move(from, to, true, 0, 0));
        ty_augment_apply(&off, sample, 0, from, to);
        assert_memory_equal(from, to, sizeof to);
    }
    assert_true(ty_augment_is_off(&off));
    assert_false(ty_augment_is_off(&always));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_result_is_a_flip_and_a_shift_and_all_of_them_occur),
        cmocka_unit_test(floats_move_as_bytes_do),
        cmocka_unit_test(a_sample_changes_from_epoch_to_epoch_and_comes_again_the_same),
        cmocka_unit_test(probabilities_of_one_and_zero_are_certain),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
