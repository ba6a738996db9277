/* What pruners share. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "hpo/pruners/pruner.h"

size_t ty_curve_from(const ty_curve *c, double resource) {
    size_t low = 0, high = c->count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (c->resource[middle] < resource)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t ty_curve_at(const ty_curve *c, double resource) {
    const size_t i = ty_curve_from(c, resource);
    return i < c->count && c->resource[i] == resource ? i : c->count;
}

double ty_curve_best(const ty_curve *c) {
    double best = NAN;
    for (size_t i = 0; i < c->count; i++)
        if (isnan(best) || c->value[i] < best)
            best = isnan(c->value[i]) ? best : c->value[i];
    return best;
}

bool ty_curve_is_due(const ty_curve *c, double warmup, double interval) {
    const double now = c->resource[c->count - 1];
    if (now < warmup)
        return false;
    const double begin = warmup + floor((now - warmup) / interval) * interval;
    return c->count < 2 || c->resource[c->count - 2] < begin;
}

double ty_board_unturn(const ty_board *board, double value) {
    return board->is_turned ? -value : value;
}

void ty_decision_set(ty_decision *v, ty_answer answer, const char *format, ...) {
    va_list arguments;
    v->answer = answer;
    va_start(arguments, format);
    (void)vsnprintf(v->reason, sizeof v->reason, format, arguments);
    va_end(arguments);
}
