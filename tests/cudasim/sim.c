/* Start, options, exit; the bracket round every API call. */
#include "sim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "faults.h"
#include "leaks.h"
#include "memory.h"
#include "profile.h"
#include "stream.h"
#include "symbols.h"
#include "thread.h"
#include "traps.h"

cs_simulator cs_sim = {.lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};

cs_thread *cs_this_thread(void) {
    static _Thread_local cs_thread thread;
    return &thread;
}

/* --- options ---------------------------------------------------------------------------------- */

static const char *text_of(const char *name) {
    const char *value = getenv(name);
    return value && value[0] ? value : NULL;
}

static uint64_t number_of(const char *name, uint64_t otherwise) {
    const char *value = text_of(name);
    if (!value)
        return otherwise;
    char *end = NULL;
    errno = 0;
    uint64_t number = strtoull(value, &end, 0);
    if (errno || *end || value[0] == '-')
        cs_unknown(name, "\"%s\", want a whole number", value);
    return number;
}

static cs_schedule schedule_of(const char *value) {
    static const char *const names[] = {"in_order", "reverse", "one_warp", "random"};
    for (int i = 0; value && i < 4; i++)
        if (strcmp(names[i], value) == 0)
            return (cs_schedule)i;
    if (value)
        cs_unknown("CUDASIM_SCHEDULE", "\"%s\", want in_order, reverse, one_warp or random", value);
    return CS_SCHEDULE_RANDOM;
}

static unsigned check_of(const char *name, size_t n) {
    static const struct {
        const char *name;
        unsigned check;
    } checks[] = {{"bounds", CS_CHECK_BOUNDS},   {"align", CS_CHECK_ALIGN},
                  {"init", CS_CHECK_INIT},       {"race", CS_CHECK_RACE},
                  {"barrier", CS_CHECK_BARRIER}, {"order", CS_CHECK_ORDER},
                  {"host", CS_CHECK_HOST},       {"leak", CS_CHECK_LEAK},
                  {"all", CS_CHECK_ALL},         {"none", 0}};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (strlen(checks[i].name) == n && memcmp(checks[i].name, name, n) == 0)
            return checks[i].check;
    cs_unknown("CUDASIM_CHECKS",
               "\"%.*s\", want all, none or some of bounds, align, init, race, "
               "barrier, order, host, leak",
               (int)n, name);
}

static unsigned checks_of(const char *value) {
    unsigned checks = value ? 0 : CS_CHECK_ALL;
    while (value && *value) {
        size_t n = strcspn(value, ",");
        checks |= check_of(value, n);
        value += n + (value[n] == ',');
    }
    return checks;
}

static void read_options(cs_options *o) {
    o->report_path = text_of("CUDASIM_REPORT");
    const char *trace = text_of("CUDASIM_TRACE");
    o->seed = number_of("CUDASIM_SEED", 1);
    o->schedule = schedule_of(text_of("CUDASIM_SCHEDULE"));
    o->checks = checks_of(text_of("CUDASIM_CHECKS"));
    o->n_devices = (int)number_of("CUDASIM_DEVICES", 1);
    o->memory_bytes = number_of("CUDASIM_MEMORY", 0);
    o->hang_s = (double)number_of("CUDASIM_HANG_SECONDS", 60);
    o->is_tracing = trace && strcmp(trace, "0") != 0;
    o->profile = text_of("CUDASIM_PROFILE");
    o->fail = text_of("CUDASIM_FAIL");
    o->coverage = text_of("CUDASIM_COVERAGE");
    o->mutate = text_of("CUDASIM_MUTATE");
    o->registers = text_of("CUDASIM_REGISTERS");
    if (o->n_devices < 0 || o->n_devices > CS_MAX_DEVICES)
        cs_unknown("CUDASIM_DEVICES", "%d, want 0 to %d", o->n_devices, CS_MAX_DEVICES);
}

/* CUDA_VISIBLE_DEVICES as the driver reads it: indices up to the first that is no device. */
static void see_devices(void) {
    const char *list = getenv("CUDA_VISIBLE_DEVICES");
    cs_sim.n_devices = 0;
    for (int i = 0; !list && i < cs_sim.options.n_devices; i++)
        cs_sim.physical[cs_sim.n_devices++] = i;
    while (list && *list && cs_sim.n_devices < CS_MAX_DEVICES) {
        char *end = NULL;
        long device = strtol(list, &end, 10);
        if (end == list || device < 0 || device >= cs_sim.options.n_devices)
            return;
        cs_sim.physical[cs_sim.n_devices++] = (int)device;
        list = *end == ',' ? end + 1 : "";
    }
}

/* --- start and exit --------------------------------------------------------------------------- */

static void start(void) {
    read_options(&cs_sim.options);
    const char *key = cs_sim.options.profile ? cs_sim.options.profile : "a100";
    cs_sim.profile = cs_profile_find(key);
    if (!cs_sim.profile)
        cs_unknown("CUDASIM_PROFILE", "\"%s\", want one of %s", key, cs_profile_names());
    see_devices();
    cs_faults_start();
    int error = cs_memory_start();
    if (error)
        cs_unknown("start", "no address space for simulated devices: %s", strerror(error));
    if (cs_streams_start() != 0)
        cs_unknown("start", "no memory for streams");
    cs_traps_start();
}

void cs_start(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start);
}

/* Runs when everything else of the process has let go: the last chance to change how it ends. */
__attribute__((destructor)) static void finish(void) {
    if (!cs_sim.memory)
        return;
    cs_streams_stop();
    if (cs_sim.options.checks & CS_CHECK_LEAK)
        cs_leaks_report();
    if (cs_sim.options.is_tracing)
        cs_faults_summary();
    if (cs_report_count() == 0)
        return;
    cs_note("%zu reports; seed %llu", cs_report_count(), (unsigned long long)cs_sim.options.seed);
    cs_end_reported();
}

/* --- the bracket ------------------------------------------------------------------------------ */

int cs_enter_from(const char *function, int natural_error, const void *caller) {
    cs_start();
    pthread_mutex_lock(&cs_sim.lock);
    cs_thread *thread = cs_this_thread();
    if (thread->depth++ > 0)
        return 0;
    thread->function = function;
    thread->caller = caller;
    if (cs_sim.options.is_tracing)
        cs_note("call %s from %s", function, cs_caller_name());
    return cs_faults_count(function, natural_error);
}

int cs_leave(int error) {
    cs_this_thread()->depth--;
    pthread_mutex_unlock(&cs_sim.lock);
    return error;
}

const char *cs_current_function(void) {
    const cs_thread *thread = cs_this_thread();
    return thread->function ? thread->function : "?";
}

/* Names are looked up in files: a small table remembers them. */
typedef struct known_caller {
    const void *pc;
    uint64_t offset;
    char name[64];
} known_caller;

static const known_caller *caller(void) {
    static known_caller known[512];
    const void *pc = cs_this_thread()->caller;
    known_caller *one = &known[((uintptr_t)pc * 0x9E3779B97F4A7C15ull) >> 55];
    if (one->pc != pc || !pc) {
        one->offset = pc ? cs_symbol_of(pc, one->name, sizeof one->name) : 0;
        one->pc = pc;
    }
    return one;
}

const char *cs_caller_name(void) {
    return caller()->name[0] ? caller()->name : "?";
}

const char *cs_current_call(void) {
    static char call[128];
    snprintf(call, sizeof call, "%s in %s", cs_current_function(), cs_caller_name());
    return call;
}

uint64_t cs_caller_offset(void) {
    return caller()->offset;
}

int cs_current_device(void) {
    return cs_this_thread()->device;
}

void cs_set_sticky(int cuda_error) {
    if (!cs_sim.sticky_error)
        cs_sim.sticky_error = cuda_error;
}

/* --- choices ---------------------------------------------------------------------------------- */

/* splitmix64 (Steele, Lea, Flood 2014). */
uint64_t cs_random_next(cs_random *random) {
    uint64_t z = random->state += 0x9E3779B97F4A7C15ull;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
}

void cs_random_init(cs_random *random, uint64_t seed, uint64_t stream) {
    random->state = seed;
    random->state = cs_random_next(random) ^ (stream * 0xD1342543DE82EF95ull);
    cs_random_next(random);
}

uint64_t cs_random_below(cs_random *random, uint64_t n) {
    return (uint64_t)(((unsigned __int128)cs_random_next(random) * n) >> 64);
}
