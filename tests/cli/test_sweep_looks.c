/* What charts and page of a sweep say of a trial that has begun and not ended: it runs where somebody
 * runs it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cli/sweep/sweep_report.h"

/* One trial that was asked for. */
typedef struct begun {
    ty_space space;
    ty_version version;
    ty_leg leg;
    ty_trial trial;
    const ty_trial *list[1];
    sweep_view view;
} begun;

static void begin(begun *b) {
    *b = (begun){.version = {.number = 1, .space = &b->space},
                 .leg = {.asked_ns = 10},
                 .trial = {.state = TY_TRIAL_RUNNING,
                           .value = NAN,
                           .version = &b->version,
                           .leg_count = 1,
                           .legs = &b->leg,
                           .reason = "",
                           .worker = ""},
                 .list = {&b->trial},
                 .view = {.name = "s",
                          .metric = "loss",
                          .space = &b->space,
                          .trials = b->list,
                          .n = 1,
                          .now_ns = 90,
                          .seen_ns = 100}};
}

static void assert_has(const ty_text *page, const char *before, const char *word,
                       const char *after) {
    char want[96];
    (void)snprintf(want, sizeof want, "%s%s%s", before, word, after);
    if (!strstr(ty_text_string(page), want))
        fail_msg("the page has no %s", want);
}

/* Its card, its row, its bar and the legend of it. */
static void assert_page_says(const begun *b, const char *word) {
    ty_text page = {0};
    sweep_page_html(&(sweep_page){.view = &b->view, .command = ""}, &page);
    assert_has(&page, "<b>1</b><span>", word, "</span>");
    assert_has(&page, "</i>", word, "</td>");
    assert_has(&page, "trial 0: ", word, "</title>");
    assert_has(&page, ">", word, "</text>");
    ty_text_clear(&page);
}

static void a_trial_runs_where_somebody_runs_the_sweep(void **state) {
    (void)state;
    begun b;
    begin(&b);
    b.view.is_run = true;
    assert_page_says(&b, "running");
    b.trial.is_lost = true;
    assert_page_says(&b, "lost");
}

static void a_trial_of_a_sweep_that_nobody_runs_is_interrupted(void **state) {
    (void)state;
    begun b;
    const int64_t expires_ns[] = {0};
    begin(&b);
    assert_page_says(&b, "interrupted");
    b.view.expires_ns = expires_ns;
    assert_page_says(&b, "interrupted");
    b.trial.is_lost = true;
    assert_page_says(&b, "lost");
}

static void a_trial_that_was_asked_for_runs_until_its_lease_is_over(void **state) {
    (void)state;
    begun b;
    int64_t expires_ns[] = {101};
    begin(&b);
    b.view.expires_ns = expires_ns;
    assert_page_says(&b, "running");
    expires_ns[0] = 100;
    assert_page_says(&b, "lost");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trial_runs_where_somebody_runs_the_sweep),
        cmocka_unit_test(a_trial_of_a_sweep_that_nobody_runs_is_interrupted),
        cmocka_unit_test(a_trial_that_was_asked_for_runs_until_its_lease_is_over)};
    return cmocka_run_group_tests_name("cli.sweep_looks", tests, NULL, NULL);
}
