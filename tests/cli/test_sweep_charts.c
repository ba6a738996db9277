/* The charts and the page of a sweep, from tables made by hand: whatever stands in a sweep, a picture is
 * XML, its numbers are numbers, and it shows each trial as what became of it. */
#include <expat.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/sweep/sweep.h"
#include "cli/sweep/sweep_plot.h"
#include "cli/sweep/sweep_report.h"

enum { MOST_TRIALS = 2000, MOST_PARAMS = 30, REPORTS = 4 };

/* A sweep in memory; trials take turns at how they ended. */
typedef struct made {
    ty_param params[MOST_PARAMS];
    ty_space space;
    ty_version version;
    ty_trial trials[MOST_TRIALS];
    const ty_trial *list[MOST_TRIALS];
    double x[MOST_TRIALS][MOST_PARAMS];
    double step[REPORTS], reported[MOST_TRIALS][REPORTS];
    ty_leg legs[MOST_TRIALS][2];
    double share[MOST_PARAMS];
    size_t order[MOST_PARAMS];
    json_t *choices;
    sweep_view view;
} made;

static double fraction(size_t a, size_t b) {
    return (double)((a * 7919 + b * 104729 + 13) % 1000) / 1000;
}

static ty_param param_of(const made *m, size_t d) {
    static const char *const names[] = {"rate", "opt<&>\"'", "width",
                                        "drop\x01"
                                        "out\xff"};
    const ty_param kinds[] = {
        {.prior = TY_PRIOR_LOG, .low = 1e-5, .high = 0.1},
        {.prior = TY_PRIOR_CHOICE, .choices = m->choices, .choice_count = 3, .high = 2},
        {.prior = TY_PRIOR_UNIFORM, .is_int = true, .low = 1, .high = 9, .step = 1},
        {.prior = TY_PRIOR_NORMAL, .low = -INFINITY, .high = INFINITY, .sigma = 1}};
    ty_param p = kinds[d % 4];
    p.name = names[d % 4];
    return p;
}

static double value_of(const ty_param *p, double u) {
    if (p->prior == TY_PRIOR_LOG)
        return p->low * pow(p->high / p->low, u);
    if (p->prior == TY_PRIOR_NORMAL)
        return 4 * u - 2;
    return p->low + floor(u * (p->high - p->low + 0.999));
}

static void make_trial(made *m, size_t i) {
    static const ty_trial_state states[] = {TY_TRIAL_COMPLETE, TY_TRIAL_PRUNED, TY_TRIAL_COMPLETE,
                                            TY_TRIAL_FAILED,   TY_TRIAL_PAUSED, TY_TRIAL_RUNNING};
    const ty_trial_state state = states[i % 6];
    const int64_t second = 1000000000;
    const bool has_value = state != TY_TRIAL_FAILED && state != TY_TRIAL_RUNNING;
    for (size_t d = 0; d < m->space.count; d++)
        m->x[i][d] =
            d % 5 == 4 && i % 3 == 0 ? (double)NAN : value_of(&m->params[d], fraction(i, d));
    for (size_t k = 0; k < REPORTS; k++)
        m->reported[i][k] = 1 + fraction(i, 50) / (double)(k + 1);
    m->legs[i][0] = (ty_leg){.asked_ns = (int64_t)(i + 1) * second,
                             .told_ns = state == TY_TRIAL_RUNNING ? 0 : (int64_t)(i + 3) * second};
    m->trials[i] = (ty_trial){.number = i,
                              .state = state,
                              .x = m->x[i],
                              .asked = m->x[i],
                              .version = &m->version,
                              .value = has_value ? m->reported[i][REPORTS - 1] : (double)NAN,
                              .reports = REPORTS,
                              .step = m->step,
                              .reported = m->reported[i],
                              .leg_count = 1,
                              .legs = m->legs[i],
                              .reason = state == TY_TRIAL_PRUNED ? "rung 1 <of 3>" : "",
                              .worker = ""};
    m->list[i] = &m->trials[i];
}

static made *make(size_t trials, size_t params) {
    made *m = calloc(1, sizeof *m);
    assert_non_null(m);
    m->choices =
        json_pack("[s, i, s]", "ad<am>\xef\xbf\xbf", 3, "a choice with a long name & more");
    m->space = (ty_space){.params = m->params, .count = params};
    m->version = (ty_version){.number = 1, .space = &m->space};
    for (size_t d = 0; d < params; d++) {
        m->params[d] = param_of(m, d);
        m->order[d] = d;
        m->share[d] = 2 * (double)(params - d) / (double)(params * (params + 1));
    }
    for (size_t k = 0; k < REPORTS; k++)
        m->step[k] = (double)(k + 1) * 5;
    for (size_t i = 0; i < trials; i++)
        make_trial(m, i);
    m->view = (sweep_view){.name = "s<w>&",
                           .metric = "val/<loss>",
                           .space = &m->space,
                           .trials = m->list,
                           .n = trials,
                           .best = trials > 0 ? &m->trials[0] : NULL,
                           .share = trials > 1 ? m->share : NULL,
                           .order = m->order,
                           .now_ns = (int64_t)(trials + 10) * 1000000000,
                           .is_run = true};
    return m;
}

static void unmake(made *m) {
    json_decref(m->choices);
    free(m);
}

/* --- looking at a picture ----------------------------------------------------------------------- */

typedef struct looked {
    double height;
    int elements;
} looked;

static void check_place(const char *name, const char *value, const looked *l) {
    const bool is_x = strchr(name, 'x') != NULL && strcmp(name, "rx") != 0;
    const bool is_y = strchr(name, 'y') != NULL;
    if (strlen(name) > 2 || (!is_x && !is_y))
        return;
    char *end;
    const double at = strtod(value, &end);
    assert_true(*end == 0 && isfinite(at));
    assert_true(at >= -1 && at <= (is_x ? CHART_WIDTH : l->height) + 1);
}

static void on_element(void *self, const char *name, const char **attributes) {
    looked *l = self;
    l->elements++;
    for (; attributes[0]; attributes += 2) {
        if (strcmp(name, "svg") == 0 && strcmp(attributes[0], "height") == 0)
            l->height = atof(attributes[1]);
        if (strcmp(attributes[0], "d") == 0 || strcmp(attributes[0], "transform") == 0) {
            assert_null(strstr(attributes[1], "nan"));
            assert_null(strstr(attributes[1], "inf"));
        }
        check_place(attributes[0], attributes[1], l);
    }
}

/* Well-formed, every place a number inside the picture. Returns how many elements there are. */
static int check_svg(const ty_text *svg) {
    looked l = {.height = 1e9};
    XML_Parser parser = XML_ParserCreate("UTF-8");
    XML_SetUserData(parser, &l);
    XML_SetStartElementHandler(parser, on_element);
    assert_false(svg->is_short);
    if (XML_Parse(parser, ty_text_string(svg), (int)svg->length, 1) != XML_STATUS_OK)
        fail_msg("%s in line %lu, column %lu of %.300s", XML_ErrorString(XML_GetErrorCode(parser)),
                 XML_GetCurrentLineNumber(parser), XML_GetCurrentColumnNumber(parser),
                 ty_text_string(svg));
    XML_ParserFree(parser);
    return l.elements;
}

static int check_all(const made *m, size_t most_bytes) {
    int elements = 0;
    for (int i = 0; i < SWEEP_CHARTS; i++)
        for (int is_file = 0; is_file < 2; is_file++) {
            ty_text out = {0};
            sweep_chart_svg(&sweep_charts[i], &m->view, is_file, &out);
            elements += check_svg(&out);
            assert_true(out.length < most_bytes);
            ty_text_clear(&out);
        }
    return elements;
}

static ty_text draw(const made *m, const char *name) {
    ty_text out = {0};
    sweep_chart_svg(sweep_chart_find(name), &m->view, false, &out);
    return out;
}

static int count(const ty_text *text, const char *what) {
    int n = 0;
    for (const char *at = ty_text_string(text); (at = strstr(at, what)) != NULL; at++)
        n++;
    return n;
}

static void assert_draws(const made *m, const char *name, const char *what, int times) {
    ty_text out = draw(m, name);
    if (count(&out, what) != times)
        fail_msg("%s draws %d times %s, want %d", name, count(&out, what), what, times);
    ty_text_clear(&out);
}

/* --- every chart of every table ----------------------------------------------------------------- */

static void every_chart_of_every_table_is_a_picture(void **state) {
    (void)state;
    static const size_t shapes[][2] = {{0, 3}, {1, 4}, {2, 1}, {12, 0}, {7, 2}, {40, 30}, {300, 5}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        made *m = make(shapes[i][0], shapes[i][1]);
        assert_true(check_all(m, 1 << 20) > 4 * SWEEP_CHARTS);
        unmake(m);
    }
}

static void two_thousand_trials_of_thirty_parameters_are_no_burden(void **state) {
    (void)state;
    made *m = make(MOST_TRIALS, MOST_PARAMS);
    (void)check_all(m, 3 << 20);
    assert_draws(m, "intermediate", "class='curve ", MOST_TRIALS);
    unmake(m);
}

static void values_that_are_no_numbers_are_nowhere_in_a_picture(void **state) {
    (void)state;
    const double odd[] = {NAN, INFINITY, -INFINITY, 1e308, -1e308, 0, 5e-324, 1};
    for (size_t first = 0; first < 8; first++) {
        made *m = make(12, 4);
        for (size_t i = 0; i < 12; i++) {
            m->trials[i].value = odd[(first + i) % (first + 1)];
            for (size_t k = 0; k < REPORTS; k++)
                m->reported[i][k] = odd[(first + i + k) % 8];
        }
        m->view.best = NULL;
        (void)check_all(m, 1 << 20);
        unmake(m);
    }
}

static void a_best_trial_at_minus_infinity_has_no_ring_and_no_line(void **state) {
    (void)state;
    made *m = make(12, 4);
    const console c = {.width = 70};
    ty_arena arena = {0};
    ty_text out = {0};
    m->trials[0].value = -INFINITY;
    (void)check_all(m, 1 << 20);
    assert_draws(m, "history", "class='ring'", 0);
    assert_draws(m, "slice", "class='ring'", 0);
    sweep_print_history(&m->view, &c, &arena, &out);
    assert_int_equal(count(&out, "the best so far"), 1); /* of those that have a place */
    ty_text_clear(&out);
    ty_arena_clear(&arena);
    unmake(m);
}

static void all_values_alike_are_a_picture(void **state) {
    (void)state;
    made *m = make(9, 3);
    for (size_t i = 0; i < 9; i++) {
        m->trials[i].value = 0;
        m->trials[i].reports = 0;
        memcpy(m->x[i], m->x[0], sizeof m->x[0]);
    }
    (void)check_all(m, 1 << 20);
    assert_draws(m, "intermediate", "no trial has reported", 1);
    unmake(m);
}

/* --- what they show ----------------------------------------------------------------------------- */

static void a_whole_number_is_shown_whole(void **state) {
    (void)state;
    const ty_param seed = {.prior = TY_PRIOR_UNIFORM, .is_int = true},
                   rate = {.prior = TY_PRIOR_LOG};
    ty_text out = {0};
    sweep_add_value(&seed, 1413131078, &out);
    ty_text_add(&out, " ");
    sweep_add_value(&rate, 0.000123456789, &out);
    assert_string_equal(ty_text_string(&out), "1413131078 0.000123457");
    ty_text_clear(&out);
}

static void a_trial_looks_like_what_became_of_it(void **state) {
    (void)state;
    made *m = make(12, 2);
    m->trials[2].violation = 1;
    static const struct {
        const char *look;
        int times;
    } want[] = {{"done", 3}, {"stopped", 2}, {"failed", 2}, {"paused", 2}, {"runs", 2}, {"out", 1}};
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        char mark[64];
        (void)snprintf(mark, sizeof mark, "'mark %s'", want[i].look);
        assert_draws(m, "history", mark, want[i].times + 1); /* and the legend's */
    }
    assert_draws(m, "history", "trial 1: stopped, 1", 1);
    assert_draws(m, "history", "trial 2: done, beyond a limit, ", 1);
    assert_draws(m, "timeline", "trial 5: running<", 1);
    assert_draws(m, "history", "rung 1 &lt;of 3&gt;", 2);
    unmake(m);
}

static void the_best_line_only_falls(void **state) {
    (void)state;
    made *m = make(5, 1);
    const double values[] = {3, 2, 4, 1, 0.5};
    for (size_t i = 0; i < 5; i++) {
        m->trials[i].value = values[i];
        m->trials[i].state = i == 1 ? TY_TRIAL_PRUNED : TY_TRIAL_COMPLETE;
        m->trials[i].violation = i == 4;
    }
    ty_text out = draw(m, "history");
    const char *line = strstr(ty_text_string(&out), "'curve best' d='M");
    assert_non_null(line);
    const char *end = strchr(line + 17, '\'');
    int falls = 0;
    for (const char *at = line; at < end; at++)
        falls += *at == 'V';
    assert_int_equal(falls, 1); /* from 3 to 1: what was stopped or out of limits counts nowhere */
    ty_text_clear(&out);
    unmake(m);
}

static void what_is_to_be_great_has_its_best_at_the_top(void **state) {
    (void)state;
    made *m = make(2, 1);
    m->view.maximize = true;
    for (size_t i = 0; i < 2; i++) {
        m->trials[i].state = TY_TRIAL_COMPLETE;
        m->trials[i].value = (double)i;
    }
    double *ranks = chart_ranks(&m->view);
    assert_non_null(ranks);
    assert_true(ranks[0] == 0 && ranks[1] == 1);
    free(ranks);
    m->view.maximize = false;
    ranks = chart_ranks(&m->view);
    assert_true(ranks[0] == 1 && ranks[1] == 0);
    free(ranks);
    unmake(m);
}

static void equal_values_have_equal_ranks_and_none_has_none(void **state) {
    (void)state;
    made *m = make(4, 1);
    const double values[] = {1, 2, 1, NAN};
    for (size_t i = 0; i < 4; i++) {
        m->trials[i].value = values[i];
        m->trials[i].reports = 0;
    }
    double *ranks = chart_ranks(&m->view);
    assert_true(ranks[0] == 1 && ranks[2] == 1 && ranks[1] == 0 && isnan(ranks[3]));
    free(ranks);
    unmake(m);
}

static void axes_are_those_of_their_parameters(void **state) {
    (void)state;
    made *m = make(30, 4);
    assert_draws(m, "slice", ">rate</text>", 1);
    assert_draws(m, "slice", ">opt&lt;&amp;&gt;&quot;&#39;</text>", 1);
    assert_draws(m, "slice", ">drop?out?</text>", 1);
    assert_draws(m, "slice", ">0.001</text>", 1); /* decades */
    assert_draws(m, "slice", ">ad&lt;am&gt;?</text>", 1);
    assert_draws(m, "slice", ">2.5</text>", 0); /* between whole numbers */
    unmake(m);
}

static void a_pair_wants_two_and_has_no_colour_where_no_trial_is_near(void **state) {
    (void)state;
    made *m = make(1, 1);
    assert_draws(m, "contour", "a pair wants two parameters", 1);
    unmake(m);
    m = make(1, 4);
    m->order[1] = 2;
    m->order[2] = 1;
    ty_text out = draw(m, "contour");
    const int cells = count(&out, "class='bar q");
    assert_true(cells > 20 && cells < 300);
    assert_int_equal(count(&out, "class='frame'"), 6);
    ty_text_clear(&out);
    unmake(m);
}

static void a_trial_that_was_promoted_ran_twice(void **state) {
    (void)state;
    made *m = make(3, 1);
    m->legs[0][1] = (ty_leg){.asked_ns = 5000000000, .told_ns = 9000000000};
    m->trials[0].leg_count = 2;
    assert_draws(m, "timeline", "class='bar ", 4);
    assert_draws(m, "timeline", "trial 0: paused", 1);
    assert_draws(m, "timeline", "trial 0: done", 1);
    unmake(m);
}

static void parameters_that_play_no_part_leave_their_axis(void **state) {
    (void)state;
    made *m = make(6, 2);
    assert_draws(m, "parallel", "plays no part", 0);
    m->x[2][1] = NAN;
    assert_draws(m, "parallel", "plays no part", 1);
    m->x[2][1] = m->x[1][1];
    m->trials[3].reports = 0; /* it has failed before it said anything */
    assert_draws(m, "parallel", "or has no value", 1);
    unmake(m);
}

static void what_mattered_most_comes_first(void **state) {
    (void)state;
    made *m = make(12, 2);
    m->order[0] = 1;
    m->order[1] = 0;
    ty_text out = draw(m, "importance");
    const char *first = strstr(ty_text_string(&out), "opt&lt;");
    const char *second = strstr(ty_text_string(&out), "rate");
    assert_true(first && second && first < second);
    assert_int_equal(count(&out, "33.3 %"), 1);
    ty_text_clear(&out);
    m->view.share = NULL;
    assert_draws(m, "importance", "say nothing yet", 1);
    unmake(m);
}

static double text_x(const ty_text *svg, const char *words) {
    const char *at = strstr(ty_text_string(svg), words);
    assert_non_null(at);
    while (strncmp(at, " x='", 4) != 0)
        at--;
    return atof(at + 4);
}

static void a_legend_of_all_looks_leaves_room_for_the_ramp(void **state) {
    (void)state;
    made *m = make(12, 3);
    const double letter = 6.4;
    m->trials[2].violation = 1;
    m->view.is_run = false;
    m->trials[11].is_lost = true;
    ty_text out = draw(m, "slice");
    assert_int_equal(count(&out, ">interrupted<") + count(&out, ">lost<"), 2);
    const double end = text_x(&out, ">done, beyond a limit<") + 20 * letter;
    assert_true(end < text_x(&out, ">done earlier<") - 12 * letter);
    ty_text_clear(&out);
    unmake(m);
}

static void steps_that_are_whole_have_whole_ticks(void **state) {
    (void)state;
    made *m = make(6, 2);
    for (size_t k = 0; k < REPORTS; k++)
        m->step[k] = (double)k;
    assert_draws(m, "intermediate", ">2</text>", 1);
    assert_draws(m, "intermediate", ">0.5</text>", 0);
    m->step[1] = 0.75;
    assert_draws(m, "intermediate", ">0.5</text>", 1);
    unmake(m);
}

static void what_mattered_is_claimed_only_where_it_is_known(void **state) {
    (void)state;
    made *m = make(12, 12);
    assert_draws(m, "contour", "the four that mattered most", 1);
    assert_draws(m, "parallel", "the ten parameters that mattered most", 1);
    m->view.share = NULL;
    assert_draws(m, "contour", "mattered", 0);
    assert_draws(m, "contour", "the first four parameters", 1);
    assert_draws(m, "parallel", "mattered", 0);
    unmake(m);
}

/* --- in characters ------------------------------------------------------------------------------ */

static void history_and_curves_have_a_form_in_characters(void **state) {
    (void)state;
    const console c = {.width = 70};
    ty_arena arena = {0};
    ty_text out = {0};
    made *m = make(12, 2);
    sweep_print_history(&m->view, &c, &arena, &out);
    assert_int_equal(count(&out, "the best so far"), 1);
    assert_int_equal(count(&out, "stopped"), 1);
    ty_text_clear(&out);
    sweep_print_intermediate(&m->view, &c, &arena, &out);
    assert_int_equal(count(&out, "the best trial"), 1);
    assert_int_equal(count(&out, "\n"), 1 + 16 + 2 + 6);
    ty_text_clear(&out);
    unmake(m);
    m = make(0, 2);
    sweep_print_history(&m->view, &c, &arena, &out);
    assert_int_equal(out.length, 0);
    unmake(m);
    ty_arena_clear(&arena);
}

/* --- the page ----------------------------------------------------------------------------------- */

static ty_text page_of(const made *m) {
    ty_text out = {0};
    json_t *test = json_pack("{s:f, s:s}", "accuracy", 0.875, "loss", "none");
    const sweep_page page = {.view = &m->view,
                             .sampler = "tpe",
                             .pruner = "asha",
                             .best_run = "s-0000",
                             .command = "tiltyard sweep resume 's<w>&'",
                             .test = test,
                             .sweep_json = "{\"name\": \"</pre><script>\"}"};
    sweep_page_html(&page, &out);
    json_decref(test);
    assert_false(out.is_short);
    return out;
}

static void the_page_holds_all_and_wants_nothing(void **state) {
    (void)state;
    made *m = make(12, 3);
    ty_text out = page_of(m);
    assert_int_equal(count(&out, "<svg "), SWEEP_CHARTS);
    assert_int_equal(count(&out, "http://") - count(&out, "http://www.w3.org/2000/svg"), 0);
    assert_int_equal(count(&out, "https://"), 0);
    assert_int_equal(count(&out, " src="), 0);
    assert_int_equal(count(&out, " href="), 0);
    assert_int_equal(count(&out, "url("), 0);
    assert_int_equal(count(&out, "<script>"), 1); /* ours: words of files are escaped */
    assert_int_equal(count(&out, "s&lt;w&gt;&amp;"), 2 + SWEEP_CHARTS + 3);
    assert_int_equal(count(&out, ">0.875</b>"), 1);
    ty_text_clear(&out);
    unmake(m);
}

static void the_table_has_a_row_a_trial(void **state) {
    (void)state;
    made *m = make(12, 3);
    m->trials[5].is_lost = true;
    m->trials[6].violation = 1;
    ty_text out = page_of(m);
    assert_int_equal(count(&out, "</td></tr>\n"), 12);
    assert_int_equal(count(&out, "<tr class='chosen'><td>0</td>"), 1);
    assert_int_equal(count(&out, "</i>stopped</td>"), 2);
    assert_int_equal(count(&out, "</i>lost</td>"), 1);
    assert_int_equal(count(&out, "</i>done, beyond a limit</td>"), 1);
    assert_int_equal(count(&out, "why'>rung 1 &lt;of 3&gt;</td>"), 2);
    ty_text_clear(&out);
    unmake(m);
}

static void the_best_trial_has_what_it_ran_with_in_whichever_space(void **state) {
    (void)state;
    made *m = make(12, 3);
    ty_param old = {.name = "gone.since", .prior = TY_PRIOR_UNIFORM, .high = 1};
    const ty_space before = {.params = &old, .count = 1};
    const ty_version first = {.number = 1, .space = &before};
    const double asked = 0.375;
    m->trials[0].version = &first;
    m->trials[0].asked = &asked;
    ty_text out = page_of(m);
    assert_int_equal(count(&out, "<td class='l'>gone.since</td><td>0.375</td>"), 1);
    assert_int_equal(count(&out, "<td class='l'>rate</td>"), 0);
    ty_text_clear(&out);
    unmake(m);
}

static void a_sweep_without_trials_has_a_page(void **state) {
    (void)state;
    made *m = make(0, 3);
    ty_text out = page_of(m);
    assert_int_equal(count(&out, "No trial has a value yet."), 1);
    assert_int_equal(count(&out, "<svg "), SWEEP_CHARTS);
    ty_text_clear(&out);
    unmake(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_chart_of_every_table_is_a_picture),
        cmocka_unit_test(two_thousand_trials_of_thirty_parameters_are_no_burden),
        cmocka_unit_test(values_that_are_no_numbers_are_nowhere_in_a_picture),
        cmocka_unit_test(a_best_trial_at_minus_infinity_has_no_ring_and_no_line),
        cmocka_unit_test(all_values_alike_are_a_picture),
        cmocka_unit_test(a_whole_number_is_shown_whole),
        cmocka_unit_test(a_trial_looks_like_what_became_of_it),
        cmocka_unit_test(the_best_line_only_falls),
        cmocka_unit_test(what_is_to_be_great_has_its_best_at_the_top),
        cmocka_unit_test(equal_values_have_equal_ranks_and_none_has_none),
        cmocka_unit_test(axes_are_those_of_their_parameters),
        cmocka_unit_test(a_pair_wants_two_and_has_no_colour_where_no_trial_is_near),
        cmocka_unit_test(a_trial_that_was_promoted_ran_twice),
        cmocka_unit_test(parameters_that_play_no_part_leave_their_axis),
        cmocka_unit_test(what_mattered_most_comes_first),
        cmocka_unit_test(a_legend_of_all_looks_leaves_room_for_the_ramp),
        cmocka_unit_test(steps_that_are_whole_have_whole_ticks),
        cmocka_unit_test(what_mattered_is_claimed_only_where_it_is_known),
        cmocka_unit_test(history_and_curves_have_a_form_in_characters),
        cmocka_unit_test(the_page_holds_all_and_wants_nothing),
        cmocka_unit_test(the_table_has_a_row_a_trial),
        cmocka_unit_test(the_best_trial_has_what_it_ran_with_in_whichever_space),
        cmocka_unit_test(a_sweep_without_trials_has_a_page),
    };
    return cmocka_run_group_tests_name("cli.sweep_charts", tests, NULL, NULL);
}
