/* What `runs` prints: columns that line up, charts in characters. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/pictures/plot_text.h"
#include "cli/table.h"

static const table_column columns[] = {{.head = "run", .narrowest = 5},
                                       {.head = "loss", .is_right = true}};

static void fill(table *t) {
    table_add(t, "a run with a long name", NULL);
    table_add_number(t, 0.25);
    table_add(t, "gr\xc3\xbc\xc3\x9f", NULL);
    table_add_number(t, (double)NAN);
}

static void cells_line_up_by_what_is_seen_of_them(void **state) {
    (void)state;
    ty_arena arena = {0};
    ty_text out = {0};
    const console c = {.width = 20};
    table t = {.arena = &arena, .columns = columns, .n_columns = 2};
    fill(&t);
    table_write(&t, &c, &out);
    assert_string_equal(ty_text_string(&out), "run                     loss\n"
                                              "a run with a long name  0.25\n"
                                              "gr\xc3\xbc\xc3\x9f                     NaN\n");
    ty_text_clear(&out);
    ty_arena_clear(&arena);
}

static void a_narrow_terminal_cuts_texts_and_no_numbers(void **state) {
    (void)state;
    ty_arena arena = {0};
    ty_text out = {0};
    const console c = {.width = 20, .prints_on_terminal = true};
    table t = {.arena = &arena, .columns = columns, .n_columns = 2};
    fill(&t);
    table_write(&t, &c, &out);
    assert_string_equal(ty_text_string(&out), "run             loss\n"
                                              "a run with a \xe2\x80\xa6  0.25\n"
                                              "gr\xc3\xbc\xc3\x9f             NaN\n");
    ty_text_clear(&out);
    ty_arena_clear(&arena);
}

static void a_cell_is_one_line(void **state) {
    (void)state;
    ty_arena arena = {0};
    ty_text out = {0};
    const console c = {.width = 80};
    table t = {.arena = &arena, .columns = columns, .n_columns = 2};
    table_add(&t, "two\nlines", NULL);
    table_add(&t, "-", NULL);
    table_write(&t, &c, &out);
    assert_non_null(strstr(ty_text_string(&out), "two lines"));
    ty_text_clear(&out);
    ty_arena_clear(&arena);
}

static void many_rows_keep_their_cells(void **state) {
    (void)state;
    ty_arena arena = {0};
    ty_text out = {0};
    const console c = {.width = 80};
    table t = {.arena = &arena, .columns = columns, .n_columns = 2};
    for (int i = 0; i < 1000; i++) {
        table_addf(&t, "row %d", i);
        table_add_number(&t, i);
    }
    table_write(&t, &c, &out);
    assert_non_null(strstr(ty_text_string(&out), "row 0       0\n"));
    assert_non_null(strstr(ty_text_string(&out), "row 999   999\n"));
    ty_text_clear(&out);
    ty_arena_clear(&arena);
}

static int64_t count(const char *text, const char *what) {
    int64_t n = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

static void a_falling_line_falls_from_corner_to_corner(void **state) {
    (void)state;
    const double x[] = {0, 1}, y[] = {1, 0};
    const plot_line line = {.label = "a", .x = x, .y = y, .n = 2};
    const plot p = {.title = "loss", .x_label = "step", .lines = &line, .n_lines = 1};
    const console c = {.width = 60};
    ty_text out = {0};
    plot_text(&p, &c, 60, 6, &out);
    const char *text = ty_text_string(&out);
    /* U+2801, the upper left dot, behind the first row's axis; U+2880, the lower right one, last. */
    const char *first = strstr(text, "\xe2\x94\xa4"), *last = strstr(text, "\xe2\x94\x94");
    assert_non_null(first);
    assert_non_null(last);
    assert_int_equal((unsigned char)first[3], 0xe2);
    const unsigned char dots = (unsigned char)((first[4] & 0x03) << 6 | (first[5] & 0x3f));
    assert_true(dots & 0x01);
    while (strncmp(last, "\n", 1) != 0)
        last--;
    assert_true((((last[-2] & 0x03) << 6) | (last[-1] & 0x3f)) & 0x80);
    assert_int_equal(count(text, "\n"), 1 + 6 + 2 + 1);
    ty_text_clear(&out);
}

static void without_colour_lines_are_letters(void **state) {
    (void)state;
    const double x[] = {0, 1}, low[] = {0, 0}, high[] = {1, 1};
    const plot_line lines[] = {{.label = "one", .x = x, .y = low, .n = 2},
                               {.label = "two", .x = x, .y = high, .n = 2}};
    const plot p = {.title = "t", .x_label = "step", .lines = lines, .n_lines = 2};
    console c = {.width = 60};
    ty_text out = {0};
    plot_text(&p, &c, 60, 6, &out);
    assert_non_null(strstr(ty_text_string(&out), "aaaaaaaaaa"));
    assert_non_null(strstr(ty_text_string(&out), "bbbbbbbbbb"));
    assert_null(strstr(ty_text_string(&out), "\xe2\xa0"));
    assert_null(strstr(ty_text_string(&out), "\033"));
    ty_text_clear(&out);
    c.prints_color = true;
    plot_text(&p, &c, 60, 6, &out);
    assert_null(strstr(ty_text_string(&out), "aaaaaaaaaa"));
    assert_non_null(strstr(ty_text_string(&out), console_blue(&c)));
    assert_non_null(strstr(ty_text_string(&out), console_yellow(&c)));
    ty_text_clear(&out);
}

static void odd_values_draw_nothing_wrong(void **state) {
    (void)state;
    const double x[] = {0, 1, 2, 3}, y[] = {(double)NAN, 1, (double)INFINITY, 1};
    plot_line line = {.label = "a", .x = x, .y = y, .n = 4};
    const plot p = {.title = "t", .x_label = "step", .lines = &line, .n_lines = 1};
    const console c = {.width = 10};
    ty_text out = {0};
    plot_text(&p, &c, -5, -5, &out);
    assert_null(strstr(ty_text_string(&out), "nan"));
    assert_non_null(strstr(ty_text_string(&out), "step"));
    ty_text_clear(&out);
    line.n = 1;
    plot_text(&p, &c, 60, 6, &out);
    assert_string_equal(ty_text_string(&out), "");
    plot_svg_file(&p, &out);
    assert_non_null(strstr(ty_text_string(&out), "no finite points"));
    ty_text_clear(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cells_line_up_by_what_is_seen_of_them),
        cmocka_unit_test(a_narrow_terminal_cuts_texts_and_no_numbers),
        cmocka_unit_test(a_cell_is_one_line),
        cmocka_unit_test(many_rows_keep_their_cells),
        cmocka_unit_test(a_falling_line_falls_from_corner_to_corner),
        cmocka_unit_test(without_colour_lines_are_letters),
        cmocka_unit_test(odd_values_draw_nothing_wrong),
    };
    return cmocka_run_group_tests_name("cli.runs_pictures", tests, NULL, NULL);
}
