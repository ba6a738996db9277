/* Mutation points that a run comes past: listed once each, or the one asked for dropped. */
#include <execinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "symbols.h"
#include "thread.h"

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

bool cs_mutation_is_made(void) {
    const char *asked = cs_sim.options.mutate;
    return asked && strcmp(asked, "list") != 0;
}

/* Whether it is the point asked for; "event:function<*" is every call of a function, whoever calls it. */
static bool is_asked_for(const char *point) {
    const char *asked = cs_sim.options.mutate;
    const size_t length = strlen(asked);
    if (length > 0 && asked[length - 1] == '*')
        return strncmp(asked, point, length - 1) == 0;
    return strcmp(asked, point) == 0;
}

bool cs_mutation_point(const char *kind, const char *where, uint64_t index, const char *what) {
    if (!cs_sim.options.mutate)
        return false;
    char point[256];
    snprintf(point, sizeof point, "%s:%s:%llu", kind, where, (unsigned long long)index);
    if (strcmp(cs_sim.options.mutate, "list") != 0)
        return is_asked_for(point);
    if (is_new(point))
        cs_note("mutation %s %s", point, what);
    return false;
}

#define CALLERS 3

bool cs_mutation_call(const char *kind) {
    if (!cs_sim.options.mutate)
        return false;
    void *frames[24];
    int n = backtrace(frames, 24), first = 0;
    while (first < n && frames[first] != cs_this_thread()->caller)
        first++;
    char where[224] = "";
    uint64_t index = 0;
    for (int i = first; i < n && i < first + CALLERS; i++) {
        char name[64];
        uint64_t offset = cs_symbol_of(frames[i], name, sizeof name);
        size_t length = strlen(where);
        snprintf(where + length, sizeof where - length, "%s%s", length ? "<" : "", name);
        index = index * 31 + offset;
    }
    return cs_mutation_point(kind, where, index % 100000, cs_current_function());
}
