/* Reports and notes: one write(2) a line, so that the ranks of a run do not tear each other's lines. */
#include "report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sim.h"

#define LINE 1024

typedef struct said {
    cs_kind kind;
    char where[160];
    size_t times;
} said;

struct cs_reports {
    said *said;
    size_t n_said, room;
    size_t n_total, n_of[CS_KINDS];
};

static const char *const kind_names[CS_KINDS] = {
    [CS_BOUNDS] = "bounds",
    [CS_ALIGNMENT] = "alignment",
    [CS_UNINITIALISED] = "uninitialised",
    [CS_USE_AFTER_FREE] = "use-after-free",
    [CS_DOUBLE_FREE] = "double-free",
    [CS_RACE] = "race",
    [CS_BARRIER] = "barrier",
    [CS_MASK] = "mask",
    [CS_NULL] = "null",
    [CS_HOST_POINTER] = "host-pointer",
    [CS_HOST_ACCESS] = "host-access",
    [CS_HOST_ORDER] = "host-order",
    [CS_WRONG_DEVICE] = "wrong-device",
    [CS_DIRECTION] = "direction",
    [CS_MISSING_EVENT] = "missing-event",
    [CS_LAUNCH] = "launch",
    [CS_STICKY] = "sticky",
    [CS_ARGUMENT] = "argument",
    [CS_HANG] = "hang",
    [CS_LEAK] = "leak",
    [CS_BLAS] = "blas",
    [CS_DNN] = "dnn",
    [CS_NCCL] = "nccl",
    [CS_TRAP] = "trap",
    [CS_UNKNOWN] = "unknown",
};

const char *cs_kind_name(cs_kind kind) {
    return kind_names[kind];
}

static void write_all(int fd, const char *line, size_t n) {
    while (n > 0) {
        ssize_t done = write(fd, line, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        line += done;
        n -= (size_t)done;
    }
}

static void put_line(const char *line) {
    size_t n = strlen(line);
    write_all(STDERR_FILENO, line, n);
    if (!cs_sim.options.report_path)
        return;
    int fd = open(cs_sim.options.report_path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    write_all(fd, line, n);
    close(fd);
}

void cs_note(const char *format, ...) {
    char line[LINE];
    int n = snprintf(line, sizeof line - 1, "cudasim: ");
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line + n, sizeof line - 1 - (size_t)n, format, arguments);
    va_end(arguments);
    put_line(strcat(line, "\n"));
}

static cs_reports *reports(void) {
    if (!cs_sim.reports)
        cs_sim.reports = calloc(1, sizeof *cs_sim.reports);
    if (!cs_sim.reports)
        abort();
    return cs_sim.reports;
}

/* Counts a report; true the first time that this kind is said of this place. */
static bool is_new(cs_reports *r, cs_kind kind, const char *where) {
    r->n_total++;
    r->n_of[kind]++;
    for (size_t i = 0; i < r->n_said; i++)
        if (r->said[i].kind == kind &&
            strncmp(r->said[i].where, where, sizeof r->said[i].where - 1) == 0) {
            r->said[i].times++;
            return false;
        }
    if (r->n_said == r->room) {
        size_t room = r->room ? r->room * 2 : 16;
        said *more = realloc(r->said, room * sizeof *more);
        if (!more)
            return true;
        r->said = more;
        r->room = room;
    }
    said *one = &r->said[r->n_said++];
    *one = (said){.kind = kind, .times = 1};
    snprintf(one->where, sizeof one->where, "%s", where);
    return true;
}

static void report(cs_kind kind, const char *where, const char *format, va_list arguments) {
    pthread_mutex_lock(&cs_sim.lock);
    if (is_new(reports(), kind, where)) {
        char text[LINE / 2];
        vsnprintf(text, sizeof text, format, arguments);
        cs_note("%s: %s: %s", kind_names[kind], where, text);
        if (cs_mutation_is_made()) /* and noticed: the rest of the run would show nothing more */
            _exit(99);
    }
    pthread_mutex_unlock(&cs_sim.lock);
}

void cs_report(cs_kind kind, const char *where, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    report(kind, where, format, arguments);
    va_end(arguments);
    if (kind == CS_UNKNOWN)
        cs_end_reported();
}

void cs_unknown(const char *where, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    report(CS_UNKNOWN, where, format, arguments);
    va_end(arguments);
    cs_end_reported();
}

size_t cs_report_count(void) {
    return reports()->n_total;
}

size_t cs_report_count_of(cs_kind kind) {
    return reports()->n_of[kind];
}

void cs_end_reported(void) {
    fflush(NULL);
    _exit(CS_EXIT_REPORTED);
}
