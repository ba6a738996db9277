/* What the simulator found: one line a finding on stderr (and in the file of CUDASIM_REPORT), each said once.
 * A process that has reported anything ends with CS_EXIT_REPORTED, whatever it meant to end with. */
#ifndef TY_CUDASIM_REPORT_H
#define TY_CUDASIM_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#define CS_EXIT_REPORTED 99

typedef enum cs_kind {
    CS_BOUNDS,         /* outside every allocation, or past the end of one */
    CS_ALIGNMENT,      /* an access that is not a multiple of its width */
    CS_UNINITIALISED,  /* bytes read that nothing has written */
    CS_USE_AFTER_FREE, /* of device or pinned memory, streams, events, handles */
    CS_DOUBLE_FREE,    /* freed, destroyed or closed twice, or never allocated */
    CS_RACE,           /* two threads of one launch, one writing, no order between them */
    CS_BARRIER,        /* a barrier that some threads never reach */
    CS_MASK,           /* a shuffle, vote or warp barrier whose mask names absent lanes */
    CS_NULL,           /* null dereferenced on the device */
    CS_HOST_POINTER,   /* a kernel or a library used host memory */
    CS_HOST_ACCESS,    /* the host used device memory */
    CS_HOST_ORDER,     /* the host used pinned memory that queued work still uses */
    CS_WRONG_DEVICE,   /* memory, stream or event of another device */
    CS_DIRECTION,      /* a copy whose kind contradicts its pointers */
    CS_MISSING_EVENT, /* two queued operations on the same bytes, one writing, no order between them */
    CS_LAUNCH,        /* a launch past a limit of the device or the kernel */
    CS_STICKY,        /* work launched after a sticky error was returned */
    CS_ARGUMENT,      /* another wrong argument of an API function */
    CS_HANG,          /* nothing can make progress */
    CS_LEAK,          /* alive at exit */
    CS_BLAS,          /* cuBLASLt's rules */
    CS_DNN,           /* cuDNN's rules */
    CS_NCCL,          /* NCCL's rules */
    CS_TRAP,          /* a kernel trapped or failed an assertion */
    CS_UNKNOWN,       /* not modelled: ends the process at once */
    CS_KINDS
} cs_kind;

typedef struct cs_reports cs_reports;

/* Says `kind: where: text`. where is "file.cu:line", a kernel or an API function; a second report of the same kind
 * and place is only counted. CS_UNKNOWN does not return. */
void cs_report(cs_kind kind, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports CS_UNKNOWN and ends the process with CS_EXIT_REPORTED. */
_Noreturn void cs_unknown(const char *where, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* A line that is no finding (trace, mutation points, counts), to stderr and the report file. */
void cs_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The kind's name as reports print it: "use-after-free". */
const char *cs_kind_name(cs_kind kind);

/* How many reports were made, the repeated ones too. */
size_t cs_report_count(void);
size_t cs_report_count_of(cs_kind kind);

/* Flushes what the program printed and ends it with CS_EXIT_REPORTED. */
_Noreturn void cs_end_reported(void);

#endif
