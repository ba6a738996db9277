#include "faults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim.h"

#define FUNCTIONS 512

typedef struct counted {
    const char *function;
    size_t n_calls;
} counted;

struct cs_faults {
    counted of[FUNCTIONS];
    size_t n_functions;
    size_t n_any;
    char function[64]; /* "" none, "any" whichever */
    size_t nth;
    int error; /* 0: the function's natural one */
    bool has_happened;
};

static void bad_option(const char *text) {
    cs_unknown("CUDASIM_FAIL", "\"%s\", want <function>:<n>, <function>:<n>:<error> or any:<n>",
               text);
}

static void parse(cs_faults *f, const char *text) {
    const char *colon = strchr(text, ':');
    if (!colon || colon == text || (size_t)(colon - text) >= sizeof f->function)
        bad_option(text);
    memcpy(f->function, text, (size_t)(colon - text));
    char *end = NULL;
    f->nth = strtoul(colon + 1, &end, 10);
    if (*end == ':')
        f->error = (int)strtol(end + 1, &end, 10);
    if (f->nth == 0 || *end)
        bad_option(text);
}

void cs_faults_start(void) {
    cs_sim.faults = calloc(1, sizeof *cs_sim.faults);
    if (!cs_sim.faults)
        abort();
    if (cs_sim.options.fail)
        parse(cs_sim.faults, cs_sim.options.fail);
}

static counted *find(cs_faults *f, const char *function) {
    for (size_t i = 0; i < f->n_functions; i++)
        if (f->of[i].function == function || strcmp(f->of[i].function, function) == 0)
            return &f->of[i];
    if (f->n_functions == FUNCTIONS)
        abort();
    f->of[f->n_functions] = (counted){.function = function};
    return &f->of[f->n_functions++];
}

int cs_faults_count(const char *function, int natural_error) {
    cs_faults *f = cs_sim.faults;
    size_t nth = ++find(f, function)->n_calls;
    bool can_fail = natural_error != 0;
    f->n_any += can_fail;
    bool is_it = strcmp(f->function, "any") == 0
                     ? can_fail && f->n_any == f->nth
                     : strcmp(f->function, function) == 0 && nth == f->nth;
    if (!is_it)
        return 0;
    f->has_happened = true;
    int error = f->error ? f->error : natural_error;
    cs_note("made call %zu of %s fail with %d", nth, function, error);
    return error;
}

void cs_faults_summary(void) {
    const cs_faults *f = cs_sim.faults;
    for (size_t i = 0; i < f->n_functions; i++)
        cs_note("calls %s %zu", f->of[i].function, f->of[i].n_calls);
    cs_note("calls any %zu", f->n_any);
}

bool cs_faults_happened(void) {
    return cs_sim.faults->has_happened;
}
