#include "zoo.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "child.h"

typedef struct one {
    const char *program;
    const zoo_row *row;
    char name[128];
} one;

static const char *const schedules[] = {"CUDASIM_SCHEDULE=in_order", "CUDASIM_SCHEDULE=reverse",
                                        "CUDASIM_SCHEDULE=one_warp", "CUDASIM_SCHEDULE=random"};

static void run(child *c, const one *o, const char *how, const char *schedule) {
    memset(c, 0, sizeof *c);
    c->program = o->program;
    c->arguments[0] = o->row->name;
    c->arguments[1] = how;
    c->settings[0] = schedule;
    c->settings[1] = "CUDASIM_DEVICES=2";
    child_run(c);
}

/* The report of the row's kind, up to its end of line, or "" where there is none. */
static void find_report(const child *c, const char *kind, char *line, size_t room) {
    char begin[64];
    snprintf(begin, sizeof begin, "cudasim: %s: ", kind);
    const char *at = strstr(c->output, begin);
    size_t n = at ? strcspn(at, "\n") : 0;
    snprintf(line, room, "%.*s", (int)n, at ? at : "");
}

static void is_reported(void **state) {
    const one *o = *state;
    child *c = malloc(sizeof *c);
    assert_non_null(c);
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
        char line[1024];
        run(c, o, "wrong", schedules[i]);
        find_report(c, o->row->kind, line, sizeof line);
        if (c->status != 99 || !strstr(line, o->row->says) || !strstr(c->output, o->row->prints))
            fail_msg("%s, exit %d: want 99, a report of %s with \"%s\" and the words \"%s\" in\n%s",
                     schedules[i], c->status, o->row->kind, o->row->says, o->row->prints,
                     c->output);
    }
    free(c);
}

static void twin_is_clean(void **state) {
    const one *o = *state;
    child *c = malloc(sizeof *c);
    assert_non_null(c);
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
        run(c, o, "right", schedules[i]);
        if (c->status != 0 || child_reported_anything(c))
            fail_msg("%s, exit %d: want 0 and no report in\n%s", schedules[i], c->status,
                     c->output);
    }
    free(c);
}

int zoo_main(const char *program, const zoo_row *rows, size_t n_rows) {
    one *ones = calloc(2 * n_rows, sizeof *ones);
    struct CMUnitTest *tests = calloc(2 * n_rows, sizeof *tests);
    if (!ones || !tests)
        return 1;
    for (size_t i = 0; i < 2 * n_rows; i++) {
        bool is_twin = i % 2;
        ones[i].program = program;
        ones[i].row = &rows[i / 2];
        snprintf(ones[i].name, sizeof ones[i].name, "%s_%s", rows[i / 2].name,
                 is_twin ? "done_right_is_clean" : "is_reported");
        tests[i] = (struct CMUnitTest){.name = ones[i].name,
                                       .test_func = is_twin ? twin_is_clean : is_reported,
                                       .initial_state = &ones[i]};
    }
    int n_failed = _cmocka_run_group_tests("zoo", tests, 2 * n_rows, NULL, NULL);
    free(ones);
    free(tests);
    return n_failed;
}
