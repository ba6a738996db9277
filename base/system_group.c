/* Control groups: the limit that is tightest between the process's own group and the root of what is
 * mounted here (cgroups(7), the kernel's admin-guide/cgroup-v1 and cgroup-v2). */
#include "base/system_private.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PATH = 4096, MAX_LEVELS = 64 };

/* Whether list, "a,b,c" of `length` bytes, has the name. */
static bool has_name(const char *list, size_t length, const char *name) {
    const size_t name_length = strlen(name);
    for (const char *at = list, *end = list + length; at < end;) {
        const char *comma = memchr(at, ',', (size_t)(end - at));
        const size_t part = (size_t)((comma ? comma : end) - at);
        if (part == name_length && memcmp(at, name, part) == 0)
            return true;
        at += part + 1;
    }
    return false;
}

/* The path behind the line of a controller in /proc/self/cgroup, "4:memory:/a/b"; the one of version
 * 2, "0::/a/b", for "". NULL: there is no such line. */
static char *group_path(ty_arena *arena, const char *text, const char *controller) {
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        const size_t length = strcspn(line, "\n");
        const char *list = memchr(line, ':', length);
        const char *path = list ? memchr(list + 1, ':', length - (size_t)(list + 1 - line)) : NULL;
        if (!path)
            continue;
        const size_t names = (size_t)(path - list - 1);
        const bool is_it = *controller ? has_name(list + 1, names, controller) : names == 0;
        const size_t bytes = length - (size_t)(path + 1 - line);
        if (is_it && path[1] == '/' && bytes < MAX_PATH)
            return ty_arena_string_n(arena, path + 1, bytes);
    }
    return NULL;
}

/* One kind of control group: where its files are and what they are called. */
typedef struct family {
    const char *controller; /* "" for version 2 */
    const char *mount;      /* below /sys/fs/cgroup */
} family;

typedef struct groups {
    ty_ctx *ctx;
    const char *root;
    const char *text; /* of /proc/self/cgroup */
} groups;

/* A limit that a group at folder sets; NAN: none. */
typedef double (*limit_fn)(const groups *g, const char *folder);

static double in_group(const groups *g, const char *folder, const char *file, const char *key) {
    return ty_system_file_number(g->ctx, ty_arena_printf(&g->ctx->scratch, "%s/%s", folder, file),
                                 key);
}

/* The tightest limit from the process's own group up to the root of what is mounted here, and whose
 * it is. Inside a container the path may be the host's, of which only the upper part is missing. */
static double tightest(const groups *g, const family *f, limit_fn limit_of, const char **whose) {
    double found = NAN;
    char *path = group_path(&g->ctx->scratch, g->text, f->controller);
    bool is_root = false;
    for (int level = 0; path && !is_root && level < MAX_LEVELS; level++) {
        char *slash = strrchr(path, '/');
        is_root = !slash || path[1] == '\0';
        const char *folder = ty_arena_printf(&g->ctx->scratch, "%s/sys/fs/cgroup%s%s", g->root,
                                             f->mount, is_root ? "" : path);
        if (!folder)
            break;
        const double limit = limit_of(g, folder);
        if (limit < found || (isnan(found) && !isnan(limit))) {
            found = limit;
            *whose = folder;
        }
        if (slash)
            slash[slash == path] = '\0';
    }
    return found;
}

static double memory_limit_v2(const groups *g, const char *folder) {
    return in_group(g, folder, "memory.max", NULL); /* "max" is no number */
}

static double memory_limit_v1(const groups *g, const char *folder) {
    return in_group(g, folder, "memory.limit_in_bytes", NULL); /* no limit is a huge one */
}

static double quota(double allowed_us, double period_us) {
    return allowed_us > 0 && period_us > 0 ? allowed_us / period_us : NAN;
}

/* How many processors "0-3,8" names; NAN for none. */
static double count_cpus(const char *list) {
    double count = 0;
    char *at = NULL;
    for (const char *part = list; *part >= '0' && *part <= '9'; part = at + (*at == ',')) {
        const double first = (double)strtoull(part, &at, 10);
        const double last = *at == '-' ? (double)strtoull(at + 1, &at, 10) : first;
        count += last >= first ? last - first + 1 : 0;
    }
    return count > 0 ? count : NAN;
}

static double cpuset(const groups *g, const char *folder, const char *file) {
    char *text = ty_system_slurp(g->ctx, ty_arena_printf(&g->ctx->scratch, "%s/%s", folder, file));
    const double count = text ? count_cpus(text) : NAN;
    free(text);
    return count;
}

/* cpu.max is "200000 100000" or "max 100000". */
static double cpu_limit_v2(const groups *g, const char *folder) {
    char *text = ty_system_slurp(g->ctx, ty_arena_printf(&g->ctx->scratch, "%s/cpu.max", folder));
    const char *period = text ? strchr(text, ' ') : NULL;
    const double by_time = period ? quota(ty_system_number(text), ty_system_number(period)) : NAN;
    free(text);
    return fmin(by_time, cpuset(g, folder, "cpuset.cpus.effective"));
}

static double cpu_limit_v1(const groups *g, const char *folder) {
    return quota(in_group(g, folder, "cpu.cfs_quota_us", NULL),
                 in_group(g, folder, "cpu.cfs_period_us", NULL));
}

static double cpuset_limit_v1(const groups *g, const char *folder) {
    return cpuset(g, folder, "cpuset.effective_cpus");
}

/* Reads the group's use of memory where its limit is below the machine's memory. What was read from
 * files and not used lately goes back when somebody wants it. */
static void limit_memory(const groups *g, ty_system_reading *out) {
    static const family v2 = {"", ""}, v1 = {"memory", "/memory"};
    const char *whose = NULL;
    double limit = tightest(g, &v2, memory_limit_v2, &whose);
    const bool is_v2 = whose != NULL;
    if (!is_v2)
        limit = tightest(g, &v1, memory_limit_v1, &whose);
    if (!whose || limit >= out->memory_total)
        return;
    const double held =
        in_group(g, whose, is_v2 ? "memory.current" : "memory.usage_in_bytes", NULL);
    const double idle =
        in_group(g, whose, "memory.stat", is_v2 ? "inactive_file" : "total_inactive_file");
    out->memory_total = limit;
    out->memory_used = idle < held ? held - idle : held;
}

/* The group of another controller of version 1 that has the same name. */
static const char *sibling(const groups *g, const char *folder, const char *from, const char *to) {
    const char *rest = folder + strlen(g->root) + strlen("/sys/fs/cgroup") + strlen(from);
    return ty_arena_printf(&g->ctx->scratch, "%s/sys/fs/cgroup%s%s", g->root, to, rest);
}

/* Seconds that a group used, and the seconds that its share of processors has had. */
static void limit_cpu(const groups *g, int cores, ty_system_reading *out) {
    static const family v2 = {"", ""}, v1 = {"cpu", "/cpu"}, v1_set = {"cpuset", "/cpuset"};
    const char *whose = NULL, *whose_set = NULL;
    double used = NAN, limit = tightest(g, &v2, cpu_limit_v2, &whose);
    if (whose) {
        used = 1e-6 * in_group(g, whose, "cpu.stat", "usage_usec");
    } else {
        limit = tightest(g, &v1, cpu_limit_v1, &whose);
        const double set = tightest(g, &v1_set, cpuset_limit_v1, &whose_set);
        const bool is_set = whose_set && !(limit <= set);
        const char *group = is_set ? whose_set : whose;
        limit = is_set ? set : limit;
        if (group)
            used = 1e-9 * in_group(g, sibling(g, group, is_set ? "/cpuset" : "/cpu", "/cpuacct"),
                                   "cpuacct.usage", NULL);
    }
    if (isnan(used) || !(limit < (double)cores))
        return;
    out->cpu_busy_s = used;
    out->cpu_total_s = limit * 1e-9 * (double)ty_now_ns(g->ctx);
}

void ty_system_limit(ty_ctx *ctx, const char *root, int cores, ty_system_reading *out) {
    char *text = ty_system_slurp(ctx, ty_arena_printf(&ctx->scratch, "%s/proc/self/cgroup", root));
    if (text) {
        const groups g = {.ctx = ctx, .root = root, .text = text};
        limit_memory(&g, out);
        limit_cpu(&g, cores, out);
    }
    free(text);
}
