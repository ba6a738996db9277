#include "leaks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

typedef struct tracked {
    const void *object;
    char kind[40];
    char name[64];
    char made_by[64];
    char made_in[48];
} tracked;

struct cs_leaks {
    tracked *all;
    size_t n, room;
};

static cs_leaks *leaks(void) {
    if (!cs_sim.leaks)
        cs_sim.leaks = calloc(1, sizeof *cs_sim.leaks);
    if (!cs_sim.leaks)
        abort();
    return cs_sim.leaks;
}

static tracked *find(const char *kind, const void *object) {
    cs_leaks *l = leaks();
    for (size_t i = 0; i < l->n; i++)
        if (l->all[i].object == object && strcmp(l->all[i].kind, kind) == 0)
            return &l->all[i];
    return NULL;
}

void cs_leak_track(const char *kind, const void *object, const char *name) {
    cs_leaks *l = leaks();
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 64;
        l->all = realloc(l->all, l->room * sizeof *l->all);
        if (!l->all)
            abort();
    }
    tracked *one = &l->all[l->n++];
    *one = (tracked){.object = object};
    snprintf(one->kind, sizeof one->kind, "%s", kind);
    snprintf(one->name, sizeof one->name, "%s", name ? name : "");
    snprintf(one->made_by, sizeof one->made_by, "%s", cs_caller_name());
    snprintf(one->made_in, sizeof one->made_in, "%s", cs_current_function());
}

bool cs_leak_release(const char *kind, const void *object) {
    tracked *one = find(kind, object);
    if (!one)
        return false;
    *one = leaks()->all[--leaks()->n];
    return true;
}

bool cs_leak_is_alive(const char *kind, const void *object) {
    return find(kind, object) != NULL;
}

size_t cs_leak_count(const char *kind) {
    size_t n = 0;
    for (size_t i = 0; i < leaks()->n; i++)
        n += !kind || strcmp(leaks()->all[i].kind, kind) == 0;
    return n;
}

void cs_leaks_report(void) {
    for (size_t i = 0; i < leaks()->n; i++) {
        const tracked *one = &leaks()->all[i];
        char where[160];
        snprintf(where, sizeof where, "%s in %s", one->made_in, one->made_by);
        cs_report(CS_LEAK, where, "%s %p%s%s is alive at exit", one->kind, one->object,
                  one->name[0] ? ", " : "", one->name);
    }
}
