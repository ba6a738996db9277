/* Pictures and tables of a run: what they hold, and that odd runs have them too. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/csv.h"
#include "cli/pictures/gallery.h"
#include "cli/pictures/pictures.h"
#include "cli/pictures/samples.h"

static int open_ctx(void **state) {
    static ty_ctx ctx;
    ty_ctx_init(&ctx);
    *state = &ctx;
    return 0;
}

static int close_ctx(void **state) {
    ty_ctx_clear(*state);
    return 0;
}

static uint32_t pixel(const canvas *c, int x, int y) {
    const uint8_t *p = c->pixels + (y * c->width + x) * 3;
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static int count_pixels(const canvas *c, uint32_t color) {
    int n = 0;
    for (int y = 0; y < c->height; y++)
        for (int x = 0; x < c->width; x++)
            n += pixel(c, x, y) == color;
    return n;
}

/* --- canvas ----------------------------------------------------------------------------------- */

static void what_is_outside_is_cut_off(void **state) {
    canvas c = {0};
    assert_int_equal(canvas_init(*state, &c, 8, 6), TY_OK);
    canvas_fill(&c, -3, -3, 5, 5, 0xff0000, 1);
    assert_int_equal(count_pixels(&c, 0xff0000), 4);
    canvas_fill(&c, 6, 4, 100, 100, 0x0000ff, 0.5);
    assert_int_equal(count_pixels(&c, 0x8080ff), 4);
    canvas_text(&c, 5, 4, "Wide", 4, 0);
    canvas_text_up(&c, 5, 2, "Wide", 4, 0);
    canvas_clear(&c);
    canvas_clear(&c);
}

static void text_is_as_wide_as_its_characters_and_long_text_is_cut(void **state) {
    canvas c = {0};
    assert_int_equal(canvas_text_width("abc", 10), 21);
    assert_int_equal(canvas_text_width("gr\xc3\xbc\xc3\x9f", 10), 28);
    assert_int_equal(canvas_text_width("abcdefgh", 5), 35);
    assert_int_equal(canvas_init(*state, &c, 100, 13), TY_OK);
    canvas_text(&c, 0, 0, "HHHHHHHH", 4, 0);
    int ink[5] = {0};
    for (int y = 0; y < 13; y++)
        for (int x = 0; x < 35; x++)
            ink[x / 7] += pixel(&c, x, y) == 0;
    assert_true(ink[0] > 15 && ink[0] == ink[1]);
    assert_true(ink[2] > 0 && ink[2] < 10 && ink[2] == ink[3]); /* ".." */
    assert_int_equal(ink[4], 0);
    canvas_clear(&c);
}

static void an_image_is_enlarged_and_made_smaller_by_whole_pixels(void **state) {
    canvas c = {0};
    const uint8_t grey[] = {0, 255, 255, 0}, rgb[] = {255, 0, 0, 0, 255, 0};
    assert_int_equal(canvas_init(*state, &c, 10, 10), TY_OK);
    canvas_draw(&c, 0, 0, 6, 6, &(canvas_image){grey, 2, 2, 1});
    assert_int_equal(count_pixels(&c, 0), 18);
    canvas_draw(&c, 0, 0, 10, 10, &(canvas_image){rgb, 2, 1, 3});
    assert_int_equal(count_pixels(&c, 0xff0000), 50);
    assert_int_equal(count_pixels(&c, 0x00ff00), 50);
    canvas_draw(&c, 0, 0, 1, 1, &(canvas_image){rgb, 2, 1, 3});
    canvas_clear(&c);
}

/* --- pictures --------------------------------------------------------------------------------- */

static ty_eval_result matrix_of(int64_t n, int64_t *counts) {
    for (int64_t i = 0; i < n * n; i++)
        counts[i] = i / n == i % n ? 9 : i % 7 == 0;
    return (ty_eval_result){.confusion = counts, .n_classes = n, .samples = 10 * n};
}

static void a_matrix_of_any_size_has_a_picture_of_bearable_size(void **state) {
    static int64_t counts[200 * 200];
    const ty_data_info info = {.is_classification = true};
    const int64_t sizes[] = {2, 3, 10, 20, 21, 60, 61, 200};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        canvas c = {0};
        const ty_eval_result eval = matrix_of(sizes[i], counts);
        assert_true(picture_has_confusion(&eval));
        assert_int_equal(picture_confusion(*state, &info, &eval, "val", &c), TY_OK);
        assert_true(c.width > 40 && c.width < 1300 && c.height > 40 && c.height < 1300);
        assert_true(count_pixels(&c, 0xffffff) > c.width);
        canvas_clear(&c);
    }
}

static void what_has_no_classes_or_too_many_has_no_matrix(void **state) {
    (void)state;
    static int64_t counts[201 * 201];
    const ty_eval_result many = matrix_of(201, counts), none = {0}, one = matrix_of(1, counts);
    assert_false(picture_has_confusion(&many));
    assert_false(picture_has_confusion(&one));
    assert_false(picture_has_confusion(&none));
    assert_false(picture_has_confusion(NULL));
}

static void right_is_blue_wrong_is_red_and_nothing_is_white(void **state) {
    const int64_t counts[] = {10, 0, 10, 0};
    const ty_data_info info = {.is_classification = true};
    const ty_eval_result eval = {.confusion = counts, .n_classes = 2};
    canvas c = {0};
    assert_int_equal(picture_confusion(*state, &info, &eval, "t", &c), TY_OK);
    int blue = 0, red = 0;
    for (int y = 0; y < c.height; y++)
        for (int x = 0; x < c.width; x++) {
            const uint32_t p = pixel(&c, x, y);
            blue += (p & 0xff) > 0xd0 && (p >> 16) < 0x50;
            red += (p >> 16) > 0xd0 && (p & 0xff) < 0x50;
        }
    assert_true(blue > 800 && blue < 1400); /* one cell of 45 x 29, less its number */
    assert_true(red > 800 && red < 1400);
    canvas_clear(&c);
}

static void only_images_are_shown(void **state) {
    (void)state;
    const ty_data_info image = {.x_is_u8 = true, .x_rank = 3, .x_dims = {3, 32, 32}};
    const ty_data_info table = {.x_rank = 1, .x_dims = {9}};
    const ty_data_info planes = {.x_is_u8 = true, .x_rank = 3, .x_dims = {2, 8, 8}};
    const ty_data_info large = {.x_is_u8 = true, .x_rank = 3, .x_dims = {1, 513, 8}};
    assert_true(samples_are_images(&image));
    assert_false(samples_are_images(&table) || samples_are_images(&planes));
    assert_false(samples_are_images(&large));
}

/* --- images by step --------------------------------------------------------------------------- */

static int64_t count_drawn(int64_t every, int64_t evaluations, int64_t newest) {
    int64_t drawn = 0;
    for (int64_t step = every; step <= every * evaluations; step += every)
        if (gallery_is_due(step, newest)) {
            newest = step;
            drawn++;
        }
    return drawn;
}

static void pictures_get_rarer_as_evaluations_get_many(void **state) {
    (void)state;
    assert_int_equal(count_drawn(211, 1, -1), 1);
    assert_int_equal(count_drawn(211, 30, -1), 5); /* evaluations 1, 2, 4, 8, 16 */
    assert_int_equal(count_drawn(1, 100000, -1), 17);
    assert_true(gallery_is_due(0, -1) && gallery_is_due(1, 0));
}

static void what_has_a_picture_gets_no_second_one(void **state) {
    (void)state;
    assert_false(gallery_is_due(0, 0));
    assert_false(gallery_is_due(844, 844));
    assert_int_equal(count_drawn(211, 7, 844), 0); /* trained again after a kill */
}

static void a_pictures_name_is_what_mlflow_reads(void **state) {
    (void)state;
    ty_arena arena = {0};
    const char *name = gallery_name(&arena, "mistakes", 211, INT64_C(1790000000123456789));
    static const char begin[] = "mistakes+step+211+timestamp+1790000000123+";
    assert_memory_equal(name, begin, sizeof begin - 1);
    assert_false(isxdigit((unsigned char)name[sizeof begin - 1]));
    assert_null(strpbrk(name, "/#\\ "));
    assert_string_not_equal(name, gallery_name(&arena, "mistakes", 212, 0));
    ty_arena_clear(&arena);
}

/* --- tables ----------------------------------------------------------------------------------- */

static void curves_of_other_steps_share_a_table(void **state) {
    const ty_run_point loss[] = {{1, 0, 0.5}, {2, 0, 0.25}, {4, 0, 0.125}};
    const ty_run_point accuracy[] = {{2, 0, 0.75}, {5, 0, 1}};
    const ty_run_point load[] = {{0, 0, 99}};
    const ty_run_curve curves[] = {{"train/loss", loss, 3},
                                   {"system/cpu_utilization_percentage", load, 1},
                                   {"val/a,b", accuracy, 2}};
    const ty_run_record run = {.curves = curves, .n_curves = 3};
    ty_text out = {0};
    assert_int_equal(csv_curves(*state, &run, &out), TY_OK);
    assert_string_equal(ty_text_string(&out),
                        "step,train/loss,\"val/a,b\"\n1,0.5,\n2,0.25,0.75\n4,0.125,\n5,,1\n");
    ty_text_clear(&out);
    assert_int_equal(csv_curves(*state, &(const ty_run_record){0}, &out), TY_OK);
    assert_string_equal(ty_text_string(&out), "step\n");
    ty_text_clear(&out);
}

static void a_matrix_has_names_that_no_spreadsheet_executes(void **state) {
    const char *const names[] = {"=1+1", "say \"hi\"", "plain"};
    const ty_data_info info = {.class_names = names, .n_outputs = 3};
    const int64_t counts[] = {3, 1, 0, 0, 2, 0, 0, 0, 0};
    const ty_eval_result eval = {.confusion = counts, .n_classes = 3};
    ty_text out = {0};
    assert_int_equal(csv_confusion(*state, &info, &eval, &out), TY_OK);
    assert_string_equal(ty_text_string(&out),
                        "truth \\ predicted,\"'=1+1\",\"say \"\"hi\"\"\",plain,recall\n"
                        "\"'=1+1\",3,1,0,0.7500\n\"say \"\"hi\"\"\",0,2,0,1.0000\nplain,0,0,0,\n");
    ty_text_clear(&out);
}

static void every_rank_has_a_row_of_its_time(void **state) {
    (void)state;
    const csv_timing rows[] = {{"a", "cuda:0", 10, 1, 5, 2, 1}, {"b", "cuda:1", 10, 1, 8, 2, 1}};
    ty_text out = {0};
    csv_timings(rows, 2, &out);
    const char *second = strchr(ty_text_string(&out), '\n') + 1;
    assert_string_equal(second, "0,a,cuda:0,10.000,1.000,5.000,2.000,1.000,1.000\n"
                                "1,b,cuda:1,10.000,1.000,8.000,2.000,1.000,0.000\n");
    ty_text_clear(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_outside_is_cut_off),
        cmocka_unit_test(text_is_as_wide_as_its_characters_and_long_text_is_cut),
        cmocka_unit_test(an_image_is_enlarged_and_made_smaller_by_whole_pixels),
        cmocka_unit_test(a_matrix_of_any_size_has_a_picture_of_bearable_size),
        cmocka_unit_test(what_has_no_classes_or_too_many_has_no_matrix),
        cmocka_unit_test(right_is_blue_wrong_is_red_and_nothing_is_white),
        cmocka_unit_test(only_images_are_shown),
        cmocka_unit_test(pictures_get_rarer_as_evaluations_get_many),
        cmocka_unit_test(what_has_a_picture_gets_no_second_one),
        cmocka_unit_test(a_pictures_name_is_what_mlflow_reads),
        cmocka_unit_test(curves_of_other_steps_share_a_table),
        cmocka_unit_test(a_matrix_has_names_that_no_spreadsheet_executes),
        cmocka_unit_test(every_rank_has_a_row_of_its_time),
    };
    return cmocka_run_group_tests_name("cli.shown", tests, open_ctx, close_ctx);
}
