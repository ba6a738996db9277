/* /proc is text that others write: every number is looked for, none is trusted to be there (proc(5)). */
#include "base/system.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/io.h"
#include "base/system_private.h"

enum { MAX_FILE = 1024 * 1024 };

char *ty_system_slurp(ty_ctx *ctx, const char *path) {
    char *text = NULL;
    size_t bytes;
    return path && ty_file_read_all(ctx, path, MAX_FILE, &text, &bytes) == TY_OK ? text : NULL;
}

double ty_system_number(const char *text) {
    while (*text == ' ' || *text == '\t')
        text++;
    if (*text < '0' || *text > '9')
        return NAN;
    return (double)strtoull(text, NULL, 10);
}

double ty_system_number_of(const char *text, const char *key) {
    const size_t length = strlen(key);
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, length) == 0 && (line[length] == ' ' || line[length] == '\t'))
            return ty_system_number(line + length);
    }
    return NAN;
}

double ty_system_file_number(ty_ctx *ctx, const char *path, const char *key) {
    char *text = ty_system_slurp(ctx, path);
    const double number = !text ? NAN
                          : key ? ty_system_number_of(text, key)
                                : ty_system_number(text);
    free(text);
    return number;
}

/* --- the machine ------------------------------------------------------------------------------ */

/* "cpu user nice system idle iowait irq softirq steal ...", in ticks; guests are within user. */
static void read_cpu(ty_ctx *ctx, const char *root, ty_system_reading *out, int *cores) {
    char *text = ty_system_slurp(ctx, ty_arena_printf(&ctx->scratch, "%s/proc/stat", root));
    const double tick = 1.0 / (double)sysconf(_SC_CLK_TCK);
    *cores = 0;
    if (text && strncmp(text, "cpu ", 4) == 0) {
        double total = 0, idle = 0;
        char *at = text + 4;
        for (int i = 0; i < 8; i++) {
            const double ticks = (double)strtoull(at, &at, 10);
            total += ticks;
            idle += i == 3 || i == 4 ? ticks : 0;
        }
        out->cpu_total_s = total * tick;
        out->cpu_busy_s = (total - idle) * tick;
    }
    for (const char *line = text; line && (line = strstr(line, "\ncpu")); line += 4)
        *cores += line[4] >= '0' && line[4] <= '9';
    free(text);
}

static void read_memory(ty_ctx *ctx, const char *root, ty_system_reading *out) {
    char *text = ty_system_slurp(ctx, ty_arena_printf(&ctx->scratch, "%s/proc/meminfo", root));
    if (text) {
        out->memory_total = 1024 * ty_system_number_of(text, "MemTotal:");
        out->memory_used = out->memory_total - 1024 * ty_system_number_of(text, "MemAvailable:");
    }
    free(text);
}

/* "  eth0: <bytes received> and 7 more <bytes sent> ..." after two lines of heads. */
static void read_network(ty_ctx *ctx, const char *root, ty_system_reading *out) {
    char *text = ty_system_slurp(ctx, ty_arena_printf(&ctx->scratch, "%s/proc/net/dev", root));
    double received = 0, sent = 0;
    bool is_known = false;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        line += strspn(line, " ");
        const char *colon = line + strcspn(line, ":\n");
        if (*colon != ':' || strncmp(line, "lo:", 3) == 0)
            continue;
        char *at = NULL;
        const double in = (double)strtoull(colon + 1, &at, 10);
        for (int i = 0; i < 7; i++)
            (void)strtoull(at, &at, 10);
        received += in;
        sent += (double)strtoull(at, NULL, 10);
        is_known = true;
    }
    if (is_known) {
        out->network_received = received;
        out->network_sent = sent;
    }
    free(text);
}

static void read_disk(ty_ctx *ctx, const char *disk, ty_system_reading *out) {
    struct statvfs found;
    if (!disk || ctx->io->statvfs(ctx->io->self, disk, &found) != 0)
        return;
    const double block = (double)found.f_frsize;
    out->disk_used = block * ((double)found.f_blocks - (double)found.f_bfree);
    out->disk_free = block * (double)found.f_bavail;
}

static void read_process(ty_ctx *ctx, const char *root, ty_system_reading *out) {
    struct rusage usage;
    char *text = ty_system_slurp(ctx, ty_arena_printf(&ctx->scratch, "%s/proc/self/statm", root));
    const char *resident = text ? strchr(text, ' ') : NULL;
    if (resident)
        out->process_memory = ty_system_number(resident) * (double)sysconf(_SC_PAGESIZE);
    if (getrusage(RUSAGE_SELF, &usage) == 0)
        out->process_cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                             1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    free(text);
}

/* --- all of it -------------------------------------------------------------------------------- */

void ty_system_read(ty_ctx *ctx, const char *root, const char *disk, ty_system_reading *out) {
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    int cores = 0;
    *out = (ty_system_reading){NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN};
    read_cpu(ctx, root, out, &cores);
    read_memory(ctx, root, out);
    read_network(ctx, root, out);
    read_disk(ctx, disk, out);
    read_process(ctx, root, out);
    ty_system_limit(ctx, root, cores, out);
    ty_arena_reset(&ctx->scratch, mark);
}

double ty_system_cpu_percent(const ty_system_reading *from, const ty_system_reading *to) {
    const double total = to->cpu_total_s - from->cpu_total_s;
    const double busy = to->cpu_busy_s - from->cpu_busy_s;
    if (!(total > 0) || isnan(busy) || busy < 0)
        return NAN;
    return busy < total ? 100 * busy / total : 100;
}
