/* The report's pictures: PNGs that decode to the pixels given, charts that survive odd curves. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "cli/pictures/plot.h"
#include "cli/pictures/png.h"

static size_t decode_base64(const char *text, uint8_t *out) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint32_t word = 0;
    size_t n = 0, bits = 0;
    for (; *text && *text != '='; text++) {
        word = word << 6 | (uint32_t)(strchr(digits, *text) - digits);
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            out[n++] = (uint8_t)(word >> bits);
        }
    }
    return n;
}

static uint32_t u32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* Decodes what png_data_uri made: one IDAT, filter 0. */
static void decode(const char *uri, uint8_t *pixels, size_t row_bytes, size_t height) {
    static const char prefix[] = "data:image/png;base64,";
    uint8_t *file = malloc(strlen(uri)), raw[4096];
    assert_memory_equal(uri, prefix, sizeof prefix - 1);
    size_t bytes = decode_base64(uri + sizeof prefix - 1, file);
    assert_memory_equal(file, "\x89PNG\r\n\x1a\n", 8);
    const uint8_t *at = file + 8;
    uLongf raw_bytes = sizeof raw;
    while (memcmp(at + 4, "IEND", 4) != 0) {
        uint32_t length = u32(at);
        assert_int_equal(u32(at + 8 + length), crc32(0, at + 4, length + 4));
        if (memcmp(at + 4, "IDAT", 4) == 0)
            assert_int_equal(uncompress(raw, &raw_bytes, at + 8, length), Z_OK);
        at += 12 + length;
        assert_true((size_t)(at - file) < bytes);
    }
    assert_int_equal(raw_bytes, (row_bytes + 1) * height);
    for (size_t y = 0; y < height; y++) {
        assert_int_equal(raw[y * (row_bytes + 1)], 0);
        memcpy(pixels + y * row_bytes, raw + y * (row_bytes + 1) + 1, row_bytes);
    }
    free(file);
}

static void check_round_trip(int width, int height, int channels) {
    ty_ctx ctx;
    ty_text uri = {0};
    uint8_t pixels[2048], back[2048];
    size_t count = (size_t)(width * height * channels);
    for (size_t i = 0; i < count; i++)
        pixels[i] = (uint8_t)(i * 37 + 11);
    ty_ctx_init(&ctx);
    assert_int_equal(png_data_uri(&ctx, pixels, width, height, channels, &uri), TY_OK);
    decode(ty_text_string(&uri), back, (size_t)(width * channels), (size_t)height);
    assert_memory_equal(back, pixels, count);
    ty_text_clear(&uri);
    ty_ctx_clear(&ctx);
}

static void an_image_decodes_to_the_pixels_given(void **state) {
    (void)state;
    check_round_trip(28, 28, 1);
    check_round_trip(5, 3, 3);
    check_round_trip(1, 1, 1);
}

static void a_curve_with_gaps_is_broken_not_bent(void **state) {
    (void)state;
    const double x[] = {0, 1, 2, 3, 4}, y[] = {1, 2, NAN, 2, 1};
    plot_line line = {.label = "train/loss", .x = x, .y = y, .n = 5};
    plot p = {.title = "loss", .x_label = "step", .lines = &line, .n_lines = 1};
    ty_text out = {0};
    plot_svg(&p, &out);
    const char *path = strstr(ty_text_string(&out), "d='");
    assert_non_null(path);
    int moves = 0;
    for (const char *at = path + 3; *at != '\''; at++)
        moves += *at == 'M';
    assert_int_equal(moves, 2);
    assert_null(strstr(ty_text_string(&out), "nan"));
    ty_text_clear(&out);
}

static void a_constant_curve_has_a_chart_and_an_empty_one_has_none(void **state) {
    (void)state;
    const double x[] = {1, 2, 3}, same[] = {5, 5, 5};
    plot_line line = {.label = "a", .x = x, .y = same, .n = 3};
    plot p = {.title = "t", .x_label = "step", .lines = &line, .n_lines = 1};
    ty_text out = {0};
    plot_svg(&p, &out);
    assert_non_null(strstr(ty_text_string(&out), "</svg>"));
    assert_null(strstr(ty_text_string(&out), "nan"));
    ty_text_clear(&out);
    line.n = 0;
    plot_svg(&p, &out);
    assert_string_equal(ty_text_string(&out), "");
    ty_text_clear(&out);
}

static void a_long_curve_is_thinned_and_keeps_its_spike(void **state) {
    (void)state;
    enum { N = 200000 };
    double *x = malloc(N * sizeof *x), *y = malloc(N * sizeof *y);
    for (int i = 0; i < N; i++) {
        x[i] = i;
        y[i] = i == N / 2 ? 100 : 0;
    }
    plot_line line = {.label = "a", .x = x, .y = y, .n = N};
    plot p = {.title = "t", .x_label = "step", .lines = &line, .n_lines = 1};
    ty_text out = {0};
    plot_svg(&p, &out);
    assert_true(out.length < 40000);
    /* The spike stands 5 % of the padded range below the plot's upper edge. */
    double top = 1e9;
    const char *path = strstr(ty_text_string(&out), "d='") + 3;
    for (const char *at = path; *at != '\''; at++)
        if (*at == ' ')
            top = fmin(top, atof(at + 1));
    assert_true(top > 20 && top < 50);
    free(x);
    free(y);
    ty_text_clear(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_decodes_to_the_pixels_given),
        cmocka_unit_test(a_curve_with_gaps_is_broken_not_bent),
        cmocka_unit_test(a_constant_curve_has_a_chart_and_an_empty_one_has_none),
        cmocka_unit_test(a_long_curve_is_thinned_and_keeps_its_spike),
    };
    return cmocka_run_group_tests_name("cli.pictures", tests, NULL, NULL);
}
