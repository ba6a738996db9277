#include "hpo/pruners/rungs.h"

#include "hpo/pruners/urn.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <zlib.h>

const char *const ty_rungs_modes[] = {"promote", "stop", "auto", NULL};

bool ty_rungs_pauses(int mode, const ty_board *board) {
    return mode == TY_RUNGS_PROMOTE || (mode == TY_RUNGS_AUTO && !board->starts_over);
}

ty_status ty_rungs_check_mode(ty_ctx *ctx, int mode, const ty_board *board) {
    if (mode != TY_RUNGS_PROMOTE || !board->starts_over)
        return TY_OK;
    return ty_fail(
        ctx, TY_ERR_CONFIG,
        "mode promote has trials wait and go on, and another program's cannot go on from "
        "where it was stopped: want mode stop");
}

uint64_t ty_bracket_draw(const char *sweep, size_t number, uint64_t total) {
    char tail[32];
    snprintf(tail, sizeof tail, "_%zu", number);
    const uLong head = crc32(0, (const Bytef *)sweep, (uInt)strlen(sweep));
    return crc32(head, (const Bytef *)tail, (uInt)strlen(tail)) % total;
}

static bool competes(const ty_rungs *r, const ty_board *board, size_t number) {
    const ty_bracket *b = &r->bracket;
    if (b->total == 0)
        return true;
    const uint64_t draw = ty_bracket_draw(board->sweep, number, b->total);
    return draw >= b->from && draw < b->to;
}

static double resource_of(const ty_rungs *r, size_t rung) {
    double at = r->base;
    for (size_t k = 0; k < rung; k++)
        at *= (double)r->eta;
    return at;
}

static bool is_rung(const ty_rungs *r, size_t rung) {
    return resource_of(r, rung) < r->top;
}

/* Index of the report with which a trial came to a rung; count where it has not. */
static size_t report_at(const ty_rungs *r, const ty_curve *c, size_t rung) {
    return ty_curve_from(c, resource_of(r, rung));
}

/* NAN where it has not come there, or came without a number. */
static double value_at(const ty_rungs *r, const ty_curve *c, size_t rung) {
    const size_t i = report_at(r, c, rung);
    return i < c->count ? c->value[i] : NAN;
}

/* How many rungs a trial has come to. */
static size_t rungs_of(const ty_rungs *r, const ty_curve *c) {
    size_t n = 0;
    while (c->count > 0 && is_rung(r, n) && resource_of(r, n) <= c->resource[c->count - 1])
        n++;
    return n;
}

/* --- judging ------------------------------------------------------------------------------------- */

/* A value among those of the others at a rung. */
typedef struct standing {
    size_t n, better, equal;
} standing;

static standing stand(const ty_rungs *r, const ty_board *board, size_t rung, double value) {
    standing s = {0};
    for (size_t i = 0; i < board->count; i++) {
        const double other = value_at(r, &board->curves[i], rung);
        if (isnan(other) || !competes(r, board, board->curves[i].number))
            continue;
        s.n++;
        s.better += other < value;
        s.equal += other == value;
    }
    return s;
}

static void stop_at(const ty_rungs *r, const ty_board *board, size_t rung, double value,
                    ty_decision *out) {
    const standing s = stand(r, board, rung, value);
    const size_t n = s.n + 1, share = n / (size_t)r->eta, places = share > 0 ? share : 1;
    const double at = resource_of(r, rung), seen = ty_board_unturn(board, value);
    if (n <= (size_t)r->bootstrap)
        ty_decision_set(out, TY_STOP, "rung %zu at %g: the first %lld only serve for comparison",
                        rung, at, (long long)r->bootstrap);
    else if (s.better >= places)
        ty_decision_set(out, TY_STOP, "rung %zu at %g: %.6g is not among the best %zu of %zu", rung,
                        at, seen, places, n);
}

static void pause_at(const ty_rungs *r, const ty_board *board, size_t rung, double value,
                     ty_decision *out) {
    const standing s = stand(r, board, rung, value);
    const size_t n = s.n + 1, places = n / (size_t)r->eta;
    const double at = resource_of(r, rung), seen = ty_board_unturn(board, value);
    if (places == 0)
        ty_decision_set(out, TY_PAUSE,
                        "rung %zu at %g: %.6g waits for others, %zu of %lld are there", rung, at,
                        seen, n, (long long)r->eta);
    else if (s.better + s.equal >= places)
        ty_decision_set(out, TY_PAUSE, "rung %zu at %g: %.6g is not among the best %zu of %zu",
                        rung, at, seen, places, n);
}

void ty_rungs_judge(const ty_rungs *r, const ty_board *board, const ty_curve *own,
                    ty_decision *out) {
    const size_t last = own->count - 1, n = rungs_of(r, own);
    const double value = own->value[last];
    *out = (ty_decision){.answer = TY_CONTINUE};
    for (size_t rung = 0; rung < n && out->answer == TY_CONTINUE; rung++) {
        if (report_at(r, own, rung) != last)
            continue;
        if (isnan(value))
            ty_decision_set(out, TY_STOP, "rung %zu at %g: its metric is not a number", rung,
                            resource_of(r, rung));
        else if (r->pauses)
            pause_at(r, board, rung, value, out);
        else
            stop_at(r, board, rung, value, out);
    }
}

/* --- promoting ----------------------------------------------------------------------------------- */

/* The best of those that wait at a rung, the first of equals. */
static size_t best_waiting(const ty_rungs *r, const ty_board *board, size_t rung) {
    size_t best = board->count;
    double least = INFINITY;
    for (size_t i = 0; i < board->count; i++) {
        const ty_curve *c = &board->curves[i];
        const double value = value_at(r, c, rung);
        if (c->state != TY_TRIAL_PAUSED || isnan(value) || rungs_of(r, c) != rung + 1 ||
            !competes(r, board, c->number))
            continue;
        if (best == board->count || value < least) {
            best = i;
            least = value;
        }
    }
    return best;
}

/* How many came to a rung, and how many of them are before curve i; of equals, those that were asked for
 * first. */
typedef struct place {
    size_t n, ahead;
} place;

static place place_of(const ty_rungs *r, const ty_board *board, size_t rung, size_t i) {
    const double value = value_at(r, &board->curves[i], rung);
    place p = {0};
    for (size_t j = 0; j < board->count; j++) {
        const double other = value_at(r, &board->curves[j], rung);
        if (isnan(other) || !competes(r, board, board->curves[j].number))
            continue;
        p.n++;
        p.ahead += other < value || (other == value && j < i);
    }
    return p;
}

static bool is_among_best(const ty_rungs *r, const ty_board *board, size_t rung, size_t i) {
    const place p = place_of(r, board, rung, i);
    return p.ahead < p.n / (size_t)r->eta;
}

size_t ty_rungs_promote(const ty_rungs *r, const ty_board *board) {
    size_t rungs = 0;
    for (size_t i = 0; i < board->count; i++) {
        const size_t n = rungs_of(r, &board->curves[i]);
        rungs = n > rungs ? n : rungs;
    }
    while (rungs-- > 0) {
        const size_t i = best_waiting(r, board, rungs);
        if (i < board->count && is_among_best(r, board, rungs, i))
            return i;
    }
    return board->count;
}

static bool is_further(const ty_curve *a, const ty_curve *b) {
    const double at = a->resource[a->count - 1], than = b->resource[b->count - 1];
    return at > than || (at == than && a->value[a->count - 1] < b->value[b->count - 1]);
}

size_t ty_rungs_finish(const ty_board *board) {
    size_t furthest = board->count;
    for (size_t i = 0; board->is_last && i < board->count; i++) {
        const ty_curve *c = &board->curves[i];
        if (c->state == TY_TRIAL_COMPLETE || c->state == TY_TRIAL_RUNNING)
            return board->count;
        if (c->state == TY_TRIAL_PAUSED && c->count > 0 &&
            (furthest == board->count || is_further(c, &board->curves[furthest])))
            furthest = i;
    }
    return furthest;
}

/* --- chances ------------------------------------------------------------------------------------ */

/* How many compete that are on their way to the first rung. */
static double count_below(const ty_rungs *r, const ty_board *board) {
    const ty_bracket *b = &r->bracket;
    const double share = b->total ? (double)(b->to - b->from) / (double)b->total : 1;
    double n = floor(share * board->to_come);
    for (size_t i = 0; i < board->count; i++) {
        const ty_curve *c = &board->curves[i];
        n += c->state == TY_TRIAL_RUNNING && rungs_of(r, c) == 0 && competes(r, board, c->number);
    }
    return n;
}

/* How many will have come to a rung in the end. */
static double expected_at(const ty_rungs *r, const ty_board *board, size_t rung, size_t i) {
    double total = (double)place_of(r, board, 0, i).n + count_below(r, board);
    for (size_t k = 1; k <= rung; k++)
        total = fmax((double)place_of(r, board, k, i).n, floor(total / (double)r->eta));
    return total;
}

double ty_rungs_chance(const ty_rungs *r, const ty_board *board, size_t i) {
    const ty_curve *c = &board->curves[i];
    const size_t rungs = rungs_of(r, c);
    if (c->state != TY_TRIAL_PAUSED || rungs == 0 || !competes(r, board, c->number) ||
        isnan(value_at(r, c, rungs - 1)))
        return 0;
    const place p = place_of(r, board, rungs - 1, i);
    return ty_urn_chance(p.n, p.ahead, expected_at(r, board, rungs - 1, i), r->eta);
}
