#include "cli/facts.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Collects at most bytes - 1 bytes until end of file or the deadline. */
static size_t read_pipe(ty_ctx *ctx, int fd, char *out, size_t bytes) {
    size_t used = 0;
    int64_t deadline = ty_now_ns(ctx) + 1000000000;
    while (used + 1 < bytes) {
        int64_t left_ms = (deadline - ty_now_ns(ctx)) / 1000000;
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        if (left_ms <= 0 || poll(&wait, 1, (int)left_ms) <= 0)
            break;
        ssize_t got = read(fd, out + used, bytes - 1 - used);
        if (got <= 0)
            break;
        used += (size_t)got;
    }
    out[used] = '\0';
    return used;
}

/* Runs words[0] and reads its standard output; false where it could not run or did not end well. */
static bool capture(ty_ctx *ctx, char *const *words, char *out, size_t bytes) {
    int ends[2];
    out[0] = '\0';
    if (pipe2(ends, O_CLOEXEC) != 0)
        return false;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    pid_t child;
    int error = posix_spawnp(&child, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (error) {
        close(ends[0]);
        return false;
    }
    read_pipe(ctx, ends[0], out, bytes);
    close(ends[0]);
    int state = 0;
    (void)kill(child, SIGPIPE); /* no reader is left: a slow git need not finish */
    (void)waitpid(child, &state, 0);
    return out[0] != '\0';
}

/* The first line behind the last @ of what begins at text; text itself where there is none before
 * `end`. */
static const char *behind_user(const char *text, const char *end) {
    const char *found = text;
    for (const char *at = text; at < end; at++)
        found = *at == '@' ? at + 1 : found;
    return found;
}

/* "host:8080", "[::1]", "host": nothing that a password with a slash in it could have left over. */
static bool is_host(const char *text, const char *end) {
    const char *colon = memchr(text, ':', (size_t)(end - text));
    const size_t digits = colon ? strspn(colon + 1, "0123456789") : 0;
    return *text == '[' || !colon || colon + 1 + digits == end;
}

/* "https://user:token@host/path?query", "ssh://git@host/path", "git@host:path" or a path. */
void facts_clean_url(const char *url, char *out, size_t room) {
    const int length = (int)strcspn(url, "?#\r\n");
    const char *scheme = strstr(url, "://"), *colon = strchr(url, ':');
    const bool has_scheme = scheme && scheme < url + length;
    out[0] = '\0';
    if (has_scheme) {
        const char *host = scheme + 3, *end = host + strcspn(host, "/?#\r\n");
        const bool has_user = memchr(host, '@', (size_t)(end - host)) != NULL;
        const char *rest = behind_user(host, end);
        if (has_user || is_host(host, end) || !strchr(end, '@'))
            (void)snprintf(out, room, "%.*s%.*s", (int)(host - url), url,
                           (int)(url + length - rest), rest);
    } else if (colon && colon < url + length && url[0] != '/' && url[0] != '.') {
        const char *at = strchr(url, '@');
        const bool has_password = at && colon < at;
        const char *rest = has_password ? behind_user(url, url + length) : at ? at + 1 : url;
        const bool is_git = strncmp(url, "git@", 4) == 0;
        (void)snprintf(out, room, "%s%.*s", is_git ? "git@" : "", (int)(url + length - rest), rest);
    } else
        (void)snprintf(out, room, "%.*s", length, url);
}

static void read_origin(ty_ctx *ctx, facts *out) {
    char *const origin[] = {(char[]){"git"}, (char[]){"config"}, (char[]){"--get"},
                            (char[]){"remote.origin.url"}, NULL};
    char url[sizeof out->git_url];
    if (capture(ctx, origin, url, sizeof url))
        facts_clean_url(url, out->git_url, sizeof out->git_url);
}

static void read_git(ty_ctx *ctx, facts *out) {
    char *const revision[] = {(char[]){"git"},          (char[]){"rev-parse"}, (char[]){"HEAD"},
                              (char[]){"--abbrev-ref"}, (char[]){"HEAD"},      NULL};
    char *const status[] = {(char[]){"git"}, (char[]){"status"}, (char[]){"--porcelain"},
                            (char[]){"--untracked-files=no"}, NULL};
    char text[512];
    if (!capture(ctx, revision, text, sizeof text) || strspn(text, "0123456789abcdef") < 40)
        return;
    char *branch = text + strcspn(text, "\n");
    branch += *branch != '\0';
    (void)snprintf(out->git_commit, sizeof out->git_commit, "%.*s",
                   (int)strspn(text, "0123456789abcdef"), text);
    branch[strcspn(branch, "\n")] = '\0';
    if (strcmp(branch, "HEAD") != 0)
        (void)snprintf(out->git_branch, sizeof out->git_branch, "%.255s", branch);
    out->git_is_dirty = capture(ctx, status, text, sizeof text);
    read_origin(ctx, out);
}

/* What the control group of a container allows, or what the machine has. */
int64_t facts_memory(ty_ctx *ctx) {
    const int64_t machine = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    char *text = NULL;
    size_t bytes = 0;
    if (ty_file_read_all(ctx, "/sys/fs/cgroup/memory.max", 64, &text, &bytes) != TY_OK)
        return machine;
    const long long limit = atoll(text); /* "max" is 0 */
    free(text);
    return limit > 0 && limit < machine ? (int64_t)limit : machine;
}

static void read_cpu(ty_ctx *ctx, facts *out) {
    char *text = NULL;
    size_t bytes = 0;
    if (ty_file_read_all(ctx, "/proc/cpuinfo", 16 * 1024 * 1024, &text, &bytes) != TY_OK)
        return;
    const char *line = strstr(text, "model name");
    const char *colon = line ? strchr(line, ':') : NULL;
    if (colon)
        (void)snprintf(out->cpu, sizeof out->cpu, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    free(text);
}

void facts_read(cli *app, facts *out) {
    *out = (facts){.cores = sysconf(_SC_NPROCESSORS_ONLN)};
    struct utsname name;
    if (uname(&name) == 0) {
        (void)snprintf(out->host, sizeof out->host, "%s", name.nodename);
        (void)snprintf(out->kernel, sizeof out->kernel, "%.60s %.90s", name.sysname, name.release);
    }
    const char *user = app->ctx.getenv("USER");
    const struct passwd *entry = user && *user ? NULL : getpwuid(geteuid());
    (void)snprintf(out->user, sizeof out->user, "%s",
                   user && *user ? user
                   : entry       ? entry->pw_name
                                 : "");
    out->memory_bytes = facts_memory(&app->ctx);
    (void)snprintf(out->libraries, sizeof out->libraries, "%s", TY_LIBRARIES);
    read_cpu(&app->ctx, out);
    read_git(&app->ctx, out);
}

static void add_pair(ty_text *out, const char *key, const char *value, const char *end) {
    ty_text_addf(out, "  \"%s\": ", key);
    ty_text_add_json(out, value);
    ty_text_add(out, end);
}

void facts_json(const facts *f, const char *more, ty_text *out) {
    ty_text_add(out, "{\n");
    add_pair(out, "tiltyard", TY_VERSION_TEXT, ",\n");
    add_pair(out, "host", f->host, ",\n");
    add_pair(out, "user", f->user, ",\n");
    add_pair(out, "kernel", f->kernel, ",\n");
    add_pair(out, "cpu", f->cpu, ",\n");
    ty_text_addf(out, "  \"cores\": %ld,\n  \"memory_bytes\": %lld,\n", f->cores,
                 (long long)f->memory_bytes);
    add_pair(out, "libraries", f->libraries, ",\n");
    add_pair(out, "git_commit", f->git_commit, ",\n");
    add_pair(out, "git_branch", f->git_branch, ",\n");
    add_pair(out, "git_url", f->git_url, ",\n");
    ty_text_addf(out, "  \"git_dirty\": %s%s\n}\n", f->git_is_dirty ? "true" : "false", more);
}

/* What stands between :// and an @ may be a password, and does not leave the process. */
static void add_clean_word(ty_text *out, const char *word) {
    const char *scheme = strstr(word, "://"), *at = scheme ? strrchr(scheme, '@') : NULL;
    if (!at) {
        args_add_word(out, word);
        return;
    }
    ty_text clean = {0};
    ty_text_addf(&clean, "%.*s***%s", (int)(scheme + 3 - word), word, at);
    args_add_word(out, ty_text_string(&clean));
    ty_text_clear(&clean);
}

void facts_command_line(const cli *app, ty_text *out) {
    ty_text_add(out, "tiltyard");
    for (int i = 1; i < app->argc; i++) {
        ty_text_add(out, " ");
        add_clean_word(out, app->argv[i]);
    }
}
