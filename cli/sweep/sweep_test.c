/* The last word of a sweep: its best trial on the test data. Nothing was chosen by them, and they are
 * read once: what came out is kept in the sweep's folder, and a sweep that goes on and ends with the
 * same best trial only shows it again. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/launch.h"
#include "cli/sweep/sweep.h"

extern char **environ;

/* Ours without what an mpirun put there: the command is no rank of it. */
static char **environment(ty_ctx *ctx) {
    static const char *const launchers[] = {"OMPI_", "PMIX_", "PMI_", "ORTE_"};
    size_t n = 0, kept = 0;
    while (environ[n])
        n++;
    char **out = ty_arena_array(&ctx->scratch, n + 1, sizeof *out);
    for (size_t i = 0; out && i < n; i++) {
        bool is_launchers = false;
        for (size_t l = 0; l < sizeof launchers / sizeof *launchers; l++)
            is_launchers |= strncmp(environ[i], launchers[l], strlen(launchers[l])) == 0;
        if (!is_launchers)
            out[kept++] = environ[i];
    }
    return out;
}

/* The signals that stop reach the command, which are blocked here. *out: what it prints on its stdout. */
static ty_status start(ty_ctx *ctx, char *const *words, char *const *ours, pid_t *child, int *out) {
    int ends[2];
    sigset_t none;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t how;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return ty_fail_errno(ctx, errno, "starting %s", words[1]);
    sigemptyset(&none);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&how, &none);
    const int error = posix_spawn(child, LAUNCH_SELF, &actions, &how, words, ours);
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    *out = ends[0];
    if (error == 0)
        return TY_OK;
    (void)close(ends[0]);
    return ty_fail_errno(ctx, error, "starting %s", words[1]);
}

/* Whoever asks the sweep to stop waits for no test: it only reads, and is made the next time. */
static ssize_t read_some(int fd, pid_t child, char *bytes, size_t size) {
    enum { look_ms = 200 };
    struct pollfd one = {.fd = fd, .events = POLLIN};
    while (poll(&one, 1, look_ms) <= 0)
        if (slots_is_interrupted())
            (void)kill(child, SIGKILL);
    return read(fd, bytes, size);
}

/* What a command prints on its stdout, which is short; its messages go where ours do. */
static ty_status run_and_read(ty_ctx *ctx, char *const *words, ty_text *out) {
    int from = -1, state = 0;
    pid_t child = 0;
    char bytes[4096];
    ssize_t got = 0;
    char **ours = environment(ctx);
    if (!ours)
        return ty_fail_nomem(ctx, "an environment");
    TY_TRY(start(ctx, words, ours, &child, &from));
    while ((got = read_some(from, child, bytes, sizeof bytes)) > 0 || (got < 0 && errno == EINTR))
        ty_text_add_n(out, bytes, got > 0 ? (size_t)got : 0);
    (void)close(from);
    while (waitpid(child, &state, 0) < 0 && errno == EINTR)
        continue;
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return TY_OK;
    return ty_fail(ctx, TY_ERR_FAILED, "testing the best trial %s",
                   slots_is_interrupted() ? "was interrupted: the same command does it" : "failed");
}

/* The line that `eval --json` prints, with the trial in front. */
static ty_status evaluate(sweep *s, const ty_trial *best, json_t **out) {
    ty_ctx *ctx = &s->app->ctx;
    const char *run = ty_arena_printf(&s->arena, "%s/runs/%s/%s", s->app->folder, s->experiment,
                                      sweep_run_name(s, best->number, &s->arena));
    const char *words[] = {launch_path(&s->arena),
                           "eval",
                           run,
                           "--dir",
                           s->app->folder,
                           "--split",
                           "test",
                           "--json",
                           NULL};
    ty_text text = {0};
    ty_status st = run && words[0] ? run_and_read(ctx, (char *const *)(uintptr_t)words, &text)
                                   : ty_fail_nomem(ctx, "a path");
    if (st == TY_OK) {
        *out = json_loads(ty_text_string(&text), 0, NULL);
        if (!*out ||
            json_object_set_new(*out, "trial", json_integer((json_int_t)best->number)) != 0)
            st = ty_fail(ctx, TY_ERR_INTERNAL, "eval printed no result");
    }
    ty_text_clear(&text);
    return st;
}

static ty_status keep(sweep *s, const char *path, const json_t *result) {
    char *text = json_dumps(result, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    const ty_status st = text ? ty_file_write_atomic(&s->app->ctx, path, text, strlen(text))
                              : ty_fail_nomem(&s->app->ctx, "the test's result");
    free(text);
    return st;
}

/* What was kept for this trial; NULL where nothing was. */
static json_t *kept_for(sweep *s, const char *path, const ty_trial *best) {
    char *text = NULL;
    size_t bytes = 0;
    if (!ty_file_exists(&s->app->ctx, path) ||
        ty_file_read_all(&s->app->ctx, path, 65536, &text, &bytes) != TY_OK)
        return NULL;
    json_t *result = json_loadb(text, bytes, 0, NULL);
    free(text);
    if (json_integer_value(json_object_get(result, "trial")) == (json_int_t)best->number)
        return result;
    json_decref(result);
    return NULL;
}

static void say(sweep *s, const json_t *result) {
    static const char *const scores[] = {"accuracy", "mean_absolute_error", "loss"};
    for (int i = 0; i < 3; i++) {
        const json_t *score = json_object_get(result, scores[i]);
        char key[64];
        if (!json_is_number(score))
            continue;
        (void)snprintf(key, sizeof key, "test/%s", scores[i]);
        sweep_tell_metric(s, key, json_number_value(score),
                          json_integer_value(json_object_get(result, "trial")));
        console_say(&s->app->console, "test    %s %.6g of the best trial", scores[i],
                    json_number_value(score));
    }
}

static ty_status test(sweep *s, const char *path, const ty_trial *best) {
    ty_status st = TY_OK;
    json_t *result = kept_for(s, path, best);
    if (!result) {
        TY_TRY(evaluate(s, best, &result));
        st = keep(s, path, result);
    }
    say(s, result);
    json_decref(result);
    return st;
}

void sweep_test_best(sweep *s) {
    const ty_trial *best = ty_study_best(s->study);
    const char *path = ty_path_join(&s->arena, s->folder, "test.json");
    if (path && best && s->file.config_path && test(s, path, best) != TY_OK)
        ty_log(&s->app->ctx, TY_LOG_WARN, "test", "%s", s->app->ctx.message);
}
