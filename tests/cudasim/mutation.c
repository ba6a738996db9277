/* Mutation points that a run comes past: listed once each, or the one asked for dropped. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define POINTS 4096

/* Whether this point was not listed before. */
static bool is_new(const char *point) {
    static char *listed[POINTS];
    static size_t n_listed;
    for (size_t i = 0; i < n_listed; i++)
        if (strcmp(listed[i], point) == 0)
            return false;
    if (n_listed < POINTS)
        listed[n_listed++] = strdup(point);
    return true;
}

bool cs_mutation_point(const char *kind, const char *where, uint64_t index, const char *what) {
    if (!cs_sim.options.mutate)
        return false;
    char point[256];
    snprintf(point, sizeof point, "%s:%s:%llu", kind, where, (unsigned long long)index);
    if (strcmp(cs_sim.options.mutate, "list") != 0)
        return strcmp(cs_sim.options.mutate, point) == 0;
    if (is_new(point))
        cs_note("mutation %s %s", point, what);
    return false;
}
