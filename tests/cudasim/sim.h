/* The one process-wide object of the simulator (the API it stands in for has no handle to hang state on), its options
 * from the environment, and the way in and out of every API function. */
#ifndef TY_CUDASIM_SIM_H
#define TY_CUDASIM_SIM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"

#define CS_API __attribute__((visibility("default")))
#define CS_MAX_DEVICES 8

typedef enum cs_schedule {
    CS_SCHEDULE_IN_ORDER,
    CS_SCHEDULE_REVERSE,
    CS_SCHEDULE_ONE_WARP,
    CS_SCHEDULE_RANDOM
} cs_schedule;

enum {
    CS_CHECK_BOUNDS = 1 << 0,
    CS_CHECK_ALIGN = 1 << 1,
    CS_CHECK_INIT = 1 << 2,
    CS_CHECK_RACE = 1 << 3,
    CS_CHECK_BARRIER = 1 << 4,
    CS_CHECK_ORDER = 1 << 5, /* missing events between queued operations */
    CS_CHECK_HOST = 1 << 6,  /* the host's use of pinned memory that queued work uses */
    CS_CHECK_LEAK = 1 << 7,
    CS_CHECK_ALL = (1 << 8) - 1
};

typedef struct cs_options {
    uint64_t seed;        /* CUDASIM_SEED, 1 if unset */
    cs_schedule schedule; /* CUDASIM_SCHEDULE: in_order, reverse, one_warp, random (the default) */
    unsigned checks;      /* CUDASIM_CHECKS: all (the default), none, or names joined by commas */
    int n_devices;        /* CUDASIM_DEVICES, 1 if unset */
    size_t memory_bytes;  /* CUDASIM_MEMORY a device; 0: the profile's */
    double hang_s;        /* CUDASIM_HANG_SECONDS, 60 if unset */
    bool is_tracing; /* CUDASIM_TRACE set and not 0: each API call is a line, the counts at exit */
    const char *profile;     /* CUDASIM_PROFILE: t4, a100 (the default), h100 */
    const char *fail;        /* CUDASIM_FAIL, or NULL */
    const char *report_path; /* CUDASIM_REPORT, or NULL */
    const char *coverage;    /* CUDASIM_COVERAGE, or NULL */
    const char *mutate;      /* CUDASIM_MUTATE, or NULL */
    const char *registers;   /* CUDASIM_REGISTERS: a file of "kernel registers" lines, or NULL */
} cs_options;

typedef struct cs_profile cs_profile;
typedef struct cs_memory cs_memory;
typedef struct cs_streams cs_streams;
typedef struct cs_binaries cs_binaries;
typedef struct cs_faults cs_faults;
typedef struct cs_leaks cs_leaks;

typedef struct cs_simulator {
    cs_options options;
    const cs_profile *profile;
    int n_devices; /* that this process sees */
    int physical
        [CS_MAX_DEVICES]; /* which device of the machine each of them is (CUDA_VISIBLE_DEVICES) */
    pthread_mutex_t lock; /* recursive; held in every API function */
    cs_reports *reports;
    cs_memory *memory;
    cs_streams *streams;
    cs_binaries *binaries;
    cs_faults *faults;
    cs_leaks *leaks;
    int sticky_error;        /* 0, or what every further call returns */
    bool is_sticky_returned; /* the program has been told */
    uint32_t races_noted;    /* records in the shadow of races: launches never share a number */
} cs_simulator;

extern cs_simulator cs_sim;

/* Starts the simulator once: options, address spaces, handler of faults. Called by the first API call; a unit test
 * may call it. Options set by hand before a start survive where the environment says nothing. */
void cs_start(void);

/* What each API function does first and last. cs_enter starts the simulator, takes the lock, traces and counts the
 * call, remembers the caller's address and returns 0, or the error to return: an injected one (CUDASIM_FAIL;
 * natural_error is what this function usually fails with). A function whose injected failure must still release
 * something does so. cs_leave gives the lock back and passes error through. */
int cs_enter_from(const char *function, int natural_error, const void *caller);
int cs_leave(int error);
#define cs_enter(natural_error)                                                                    \
    cs_enter_from(__func__, (natural_error), __builtin_return_address(0))

/* cs_leave of a library's function. A library that is linked with this runtime leaves the errors behind that it got
 * over (attributes it may not set, events that are not ready yet): here every call of one does. */
int cs_library_leave(int error);

/* Every later CUDA call returns this error, as after a trap or an assertion on the device. */
void cs_set_sticky(int cuda_error);

/* The device that cudaSetDevice chose in this thread, and the one whose queued work runs now. */
int cs_current_device(void);
int cs_running_device(void);

/* The API function that this thread is in, and the program's function that called it. */
const char *cs_current_function(void);
const char *cs_caller_name(void);
/* Both, as reports name a call: "cudaMemcpyAsync in load_batch". Good until the next call of it. */
const char *cs_current_call(void);
/* How far into that function the call was made: tells call sites apart, the same in every run of one binary. */
uint64_t cs_caller_offset(void);

/* Mutation (CUDASIM_MUTATE). With "list", cs_mutation_point notes `kind:where:index what` once; it is true when this
 * very point is the one to drop. */
bool cs_mutation_point(const char *kind, const char *where, uint64_t index, const char *what);
/* The call that the program is in as such a point: where is its caller, that one's caller and so on, joined by "<", as
 * far as wrappers usually go; index tells apart their call sites. */
bool cs_mutation_call(const char *kind);
/* Whether the run has a mutant: its first report ends it. */
bool cs_mutation_is_made(void);

/* A generator for choices that a seed must replay: equal streams of numbers for equal (seed, stream). */
typedef struct cs_random {
    uint64_t state;
} cs_random;
void cs_random_init(cs_random *random, uint64_t seed, uint64_t stream);
uint64_t cs_random_next(cs_random *random);
/* Uniform in [0, n), n > 0. */
uint64_t cs_random_below(cs_random *random, uint64_t n);

#endif
