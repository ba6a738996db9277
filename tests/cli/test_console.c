/* Numbers for people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pty.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/console.h"

static void counts_are_grouped_by_threes(void **state) {
    (void)state;
    char out[32];
    assert_string_equal(console_count(0, out), "0");
    assert_string_equal(console_count(999, out), "999");
    assert_string_equal(console_count(1000, out), "1,000");
    assert_string_equal(console_count(-1234567, out), "-1,234,567");
    assert_string_equal(console_count(INT64_MIN, out), "-9,223,372,036,854,775,808");
}

static void durations_use_two_units_at_most(void **state) {
    (void)state;
    char out[32];
    assert_string_equal(console_duration(0, out), "0s");
    assert_string_equal(console_duration(0.42, out), "0.4s");
    assert_string_equal(console_duration(9, out), "9s");
    assert_string_equal(console_duration(9.96, out), "10s");
    assert_string_equal(console_duration(59.4, out), "59s");
    assert_string_equal(console_duration(63, out), "1m03s");
    assert_string_equal(console_duration(3960, out), "1h06m");
    assert_string_equal(console_duration(-5, out), "0s");
}

static void bytes_use_binary_units(void **state) {
    (void)state;
    char out[32];
    assert_string_equal(console_bytes(1023, out), "1023 B");
    assert_string_equal(console_bytes(1536, out), "1.5 KiB");
    assert_string_equal(console_bytes(3.0 * 1024 * 1024 * 1024, out), "3.0 GiB");
}

static void rank_0_does_not_name_itself(void **state) {
    (void)state;
    assert_string_equal(console_own_words("rank 0 (node): no data"), "no data");
    assert_string_equal(console_own_words("rank 1 (node): no data"), "rank 1 (node): no data");
    assert_string_equal(console_own_words("no data"), "no data");
}

static void columns_are_characters(void **state) {
    (void)state;
    assert_int_equal(console_columns(""), 0);
    assert_int_equal(console_columns("na\xc3\xafve"), 5);
}

static const char *plain_environment(const char *name) {
    (void)name;
    return NULL;
}

static void colour_is_off_unless_somebody_watches_or_asks(void **state) {
    (void)state;
    ty_ctx ctx;
    console c;
    ty_ctx_init(&ctx);
    ctx.getenv = plain_environment;
    console_init(&c, &ctx, false, false, "never");
    assert_string_equal(console_red(&c), "");
    console_clear(&c);
    console_init(&c, &ctx, false, false, "always");
    assert_string_equal(console_red(&c), "\033[31m");
    console_clear(&c);
    ty_ctx_clear(&ctx);
}

/* --- a window that people make larger and smaller ------------------------------------------------- */

static const char *terminals_environment(const char *name) {
    return strcmp(name, "TERM") == 0 ? "xterm" : NULL;
}

typedef struct window {
    int master, kept;
    ty_ctx ctx;
    console c;
} window;

static void resize(const window *w, unsigned short columns, unsigned short lines) {
    const struct winsize size = {.ws_col = columns, .ws_row = lines};
    assert_int_equal(ioctl(w->master, TIOCSWINSZ, &size), 0);
}

static void open_window(window *w, unsigned short columns, unsigned short lines) {
    const struct winsize size = {.ws_col = columns, .ws_row = lines};
    int slave = -1;
    assert_int_equal(openpty(&w->master, &slave, NULL, NULL, &size), 0);
    w->kept = dup(STDERR_FILENO);
    assert_int_equal(dup2(slave, STDERR_FILENO), STDERR_FILENO);
    (void)close(slave);
    ty_ctx_init(&w->ctx);
    w->ctx.getenv = terminals_environment;
    console_init(&w->c, &w->ctx, false, false, "never");
}

/* What is written arrives in its order, and in pieces. */
static void draw_to(window *w, const char *lines, char *out, size_t size) {
    size_t used = 0;
    console_draw(&w->c, lines);
    (void)!write(STDERR_FILENO, "!", 1);
    for (ssize_t n = 1; n > 0 && used + 1 < size && (used == 0 || out[used - 1] != '!');
         used += (size_t)n)
        n = read(w->master, out + used, size - 1 - used);
    out[used > 0 ? used - 1 : 0] = 0;
}

static void close_window(window *w) {
    console_clear(&w->c);
    (void)dup2(w->kept, STDERR_FILENO);
    (void)close(w->kept);
    (void)close(w->master);
    ty_ctx_clear(&w->ctx);
}

static void progress_is_cut_to_the_window_as_it_is_now(void **state) {
    (void)state;
    static const char lines[] = "0123456789012345678901234567890123456789\nabcdefghijklmnop";
    window w;
    char narrow[256], wide[256], few[256], low[256];
    open_window(&w, 30, 10);
    draw_to(&w, lines, narrow, sizeof narrow);
    resize(&w, 60, 10);
    draw_to(&w, lines, wide, sizeof wide);
    resize(&w, 10, 10); /* the first line is four rows now, the second two */
    draw_to(&w, lines, few, sizeof few);
    resize(&w, 10, 1);
    draw_to(&w, lines, low, sizeof low);
    close_window(&w);
    assert_string_equal(
        narrow, "\r0123456789012345678901234567\xe2\x80\xa6\033[K\r\nabcdefghijklmnop\033[K");
    assert_string_equal(wide, "\r\033[1A0123456789012345678901234567890123456789\033[K\r\n"
                              "abcdefghijklmnop\033[K");
    assert_string_equal(few,
                        "\r\033[5A01234567\xe2\x80\xa6\033[K\r\nabcdefgh\xe2\x80\xa6\033[K\033[J");
    assert_string_equal(low, "\r\033[1A01234567\xe2\x80\xa6\033[K\033[J");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_are_grouped_by_threes),
        cmocka_unit_test(durations_use_two_units_at_most),
        cmocka_unit_test(bytes_use_binary_units),
        cmocka_unit_test(rank_0_does_not_name_itself),
        cmocka_unit_test(columns_are_characters),
        cmocka_unit_test(progress_is_cut_to_the_window_as_it_is_now),
        cmocka_unit_test(colour_is_off_unless_somebody_watches_or_asks),
    };
    return cmocka_run_group_tests_name("cli.console", tests, NULL, NULL);
}
