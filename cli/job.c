#include "cli/job.h"

#include <stdio.h>
#include <string.h>

#include "cli/given.h"

enum { MAX_NAME = 200 }; /* bytes of a run's folder name */

static ty_status apply_sets(cli *app, job *j) {
    for (int i = 0; i < app->args.n_options; i++)
        if (strcmp(app->args.option[i].row->name, "set") == 0)
            TY_TRY(ty_doc_set(&app->ctx, j->doc, app->args.option[i].value));
    for (int i = 0; i < j->n_sets; i++)
        TY_TRY(ty_doc_set(&app->ctx, j->doc, j->sets[i]));
    return TY_OK;
}

static ty_status resolve(cli *app, job *j) {
    TY_TRY(apply_sets(app, j));
    j->config_json.length = 0;
    TY_TRY(ty_train_config_load(&app->ctx, j->doc, &j->config));
    TY_TRY(ty_rows_dump(&app->ctx, &ty_train_rows, j->doc, &j->config_json));
    return ty_rows_hash(&app->ctx, &ty_train_rows, j->doc, &j->config_hash);
}

ty_status job_read_config(cli *app, job *j, const char *path) {
    ty_status st = j->text ? ty_doc_parse(&app->ctx, path, j->text, strlen(j->text), &j->doc)
                           : ty_doc_read(&app->ctx, path, &j->doc);
    if (st == TY_ERR_NOT_FOUND || st == TY_ERR_IO)
        return ty_fail_within(&app->ctx, TY_ERR_CONFIG, "reading the config");
    TY_TRY(st);
    TY_TRY(given_name(app, j->doc, &j->names_experiment));
    TY_TRY(resolve(app, j));
    /* Its line is not shown: it may hold a password. */
    TY_TRY(ty_target_choose(&app->ctx, j->config.tracking.uri, app->folder, &j->arena, &j->target));
    TY_TRY(given_run(app, j));
    bool is_named_anew = false;
    TY_TRY(given_id(app, j, &is_named_anew));
    return is_named_anew ? resolve(app, j) : TY_OK;
}

const char *job_target_name(cli *app, job *j) {
    const char *usual = strcmp(app->folder, ".") == 0
                            ? "mlflow.db"
                            : ty_path_join(&j->arena, app->folder, "mlflow.db");
    const char *absolute = usual ? ty_path_absolute(&j->arena, usual) : NULL;
    if (j->target.kind == TY_TARGET_OFFLINE)
        return "offline (`tiltyard sync` brings it to MLflow)";
    if (j->target.kind == TY_TARGET_SERVER)
        return j->target.name;
    return absolute && strcmp(absolute, j->target.path) == 0 ? usual : j->target.path;
}

/* The key that a message begins with, in out; false where it begins with none. */
static bool key_of(const char *message, char out[128]) {
    size_t length = strspn(message, "abcdefghijklmnopqrstuvwxyz0123456789_.");
    while (length > 0 && message[length - 1] == '.')
        length--;
    if (length == 0 || length >= 128)
        return false;
    (void)snprintf(out, 128, "%.*s", (int)length, message);
    const size_t root = strcspn(out, ".");
    for (int64_t i = 0; i < ty_train_rows.n; i++)
        if (strlen(ty_train_rows.v[i].key) == root &&
            memcmp(ty_train_rows.v[i].key, out, root) == 0)
            return true;
    return false;
}

ty_status job_place(cli *app, job *j, ty_status st) {
    char key[128], message[TY_MESSAGE_BYTES];
    const char *words = console_own_words(app->ctx.message);
    const bool is_placed = st == TY_ERR_CONFIG || st == TY_ERR_NOT_FOUND || st == TY_ERR_DEVICE;
    if (!is_placed || !key_of(words, key))
        return st;
    (void)snprintf(message, sizeof message, "%s", words);
    (void)ty_rows_reject(&app->ctx, j->doc, key, "%s", message);
    return st;
}

/* The message of now, and on a line of its own what follows from it. */
static ty_status say_after(ty_ctx *ctx, ty_status st, const char *line) {
    const size_t used = strlen(ctx->message);
    (void)snprintf(ctx->message + used, sizeof ctx->message - used, "\n  %s", line);
    return st;
}

/* Applies --set, which may change how but not what is computed. */
static ty_status resolve_again(cli *app, job *j, const char *model) {
    uint64_t before = 0;
    TY_TRY(ty_rows_hash(&app->ctx, &ty_train_rows, j->doc, &before));
    TY_TRY(resolve(app, j));
    if (j->config_hash == before)
        return TY_OK;
    return ty_fail(&app->ctx, TY_ERR_CONFIG,
                   "--set changes what %s has computed; only keys of speed, memory and display may "
                   "change here",
                   model);
}

ty_status job_read_run_config(cli *app, job *j, const char *run_folder) {
    char *path = ty_path_join(&j->arena, run_folder, "config.json");
    char *folder = ty_arena_string(&j->arena, run_folder);
    if (!path || !folder)
        return ty_fail_nomem(&app->ctx, "a path");
    ty_status st = ty_doc_read(&app->ctx, path, &j->doc);
    if (st == TY_OK)
        st = ty_train_config_load(&app->ctx, j->doc, &j->config);
    if (st != TY_OK && st != TY_ERR_NOMEM)
        return say_after(&app->ctx, TY_ERR_INTEGRITY,
                         "the run's own config.json cannot be read; the command that trained it "
                         "writes it anew");
    TY_TRY(st);
    TY_TRY(resolve_again(app, j, run_folder));
    j->run_folder = folder;
    return TY_OK;
}

ty_status job_read_model_config(cli *app, job *j, const char *model, const char *json) {
    ty_status st = ty_doc_parse(&app->ctx, model, json, strlen(json), &j->doc);
    if (st == TY_OK)
        st = ty_train_config_load(&app->ctx, j->doc, &j->config);
    if (st != TY_OK && st != TY_ERR_NOMEM)
        return say_after(&app->ctx, TY_ERR_INTEGRITY,
                         "the config inside the model cannot be read: it is damaged, or of a newer "
                         "tiltyard");
    TY_TRY(st);
    return resolve_again(app, j, model);
}

/* Digests of data files are kept for the machine, so that a set is hashed once and not once a run;
 * NULL: nowhere. */
static const char *cache_folder(cli *app, job *j) {
    if (j->writes_nothing)
        return NULL;
    const char *cache = app->ctx.getenv("XDG_CACHE_HOME");
    const char *home = app->ctx.getenv("HOME");
    if (cache && *cache)
        return ty_path_join(&j->arena, cache, "tiltyard");
    return home && *home ? ty_path_join(&j->arena, home, ".cache/tiltyard") : NULL;
}

ty_status job_meet(cli *app, job *j, double deadline_s) {
    const ty_comm_options options = {.deadline_s = deadline_s};
    if (!j->saves_nothing)
        TY_TRY(signals_init(&app->ctx, &j->signals));
    TY_TRY(ty_comm_open(&app->ctx, &options, &j->comm));
    app->ctx.rank = ty_comm_rank(j->comm);
    return TY_OK;
}

ty_status job_open(cli *app, job *j) {
    if (!j->comm)
        TY_TRY(job_meet(app, j, j->config.train.comm_deadline_s));
    ty_status st = ty_dataset_open(&app->ctx, &j->config.data, cache_folder(app, j), &j->data);
    return job_place(app, j, ty_comm_agree(&app->ctx, j->comm, st));
}

ty_status job_check_data(cli *app, job *j) {
    const ty_data_info *info = ty_dataset_info(j->data);
    const ty_origin origin = ty_doc_origin(j->doc, "eval.top_k");
    const bool is_written = origin.file || origin.set; /* the default is everybody's */
    if (!j->run_is_new || !is_written || !info->is_classification ||
        j->config.eval.top_k <= info->n_outputs)
        return TY_OK;
    return job_place(app, j,
                     ty_fail(&app->ctx, TY_ERR_CONFIG,
                             "eval.top_k is %lld, but the data have %lld classes",
                             (long long)j->config.eval.top_k, (long long)info->n_outputs));
}

static bool is_folder_name(const char *name) {
    const size_t length = strlen(name);
    bool is_plain = length > 0 && length <= MAX_NAME && name[0] != '.';
    for (size_t i = 0; is_plain && i < length; i++)
        is_plain = (unsigned char)name[i] >= 0x20 && name[i] != 0x7f && name[i] != '/';
    return is_plain;
}

static ty_status base_name(cli *app, job *j, const char *name, char out[512]) {
    if (name) {
        if (!is_folder_name(name))
            return ty_fail(&app->ctx, TY_ERR_ARG,
                           "--name is \"%.60s\", want a plain folder name: 1 to %d bytes, without "
                           "\"/\", control characters and a dot in front",
                           name, (int)MAX_NAME);
        (void)snprintf(out, 512, "%s", name);
        return TY_OK;
    }
    char identity[256];
    int length =
        snprintf(identity, sizeof identity, "%016llx %s", (unsigned long long)j->config_hash,
                 ty_dataset_info(j->data)->fingerprint);
    uint64_t hash = ty_hash64(identity, (size_t)length);
    (void)snprintf(out, 512, "%.400s-%012llx", j->config.name,
                   (unsigned long long)(hash & 0xffffffffffffULL));
    return TY_OK;
}

/* runs/<experiment>/<run>, as short as it can be said from here. */
static char *run_path(cli *app, job *j, ty_arena *arena, const char *run) {
    const bool is_here = strcmp(app->folder, ".") == 0;
    const bool is_root = strcmp(app->folder, "/") == 0;
    return ty_arena_printf(arena, "%s%sruns/%s/%s", is_here ? "" : app->folder,
                           is_here || is_root ? "" : "/", j->config.experiment, run);
}

/* The newest attempt that exists, or the one after it; where MLflow's run was named, the attempt that
 * is recorded there, else a new one. */
static int choose_attempt(cli *app, job *j, const char *base, bool is_fresh) {
    int attempt = 1;
    for (int next = 1;; next++) {
        char *folder = next == 1 ? ty_arena_string(&app->ctx.scratch, base)
                                 : ty_arena_printf(&app->ctx.scratch, "%s.%d", base, next);
        char *path = folder ? run_path(app, j, &app->ctx.scratch, folder) : NULL;
        if (!path || !ty_file_exists(&app->ctx, path))
            return is_fresh || j->given_run_id ? next : attempt;
        if (!is_fresh && j->given_run_id &&
            ty_named_run_is(&app->ctx, path, &j->target, j->given_run_id))
            return next;
        attempt = next;
    }
}

ty_status job_choose_run(cli *app, job *j, const char *name, bool is_fresh) {
    char base[512] = {0};
    char chosen[544] = {0};
    ty_status st = base_name(app, j, name, base);
    if (st == TY_OK && ty_comm_rank(j->comm) == 0) {
        int attempt = choose_attempt(app, j, base, is_fresh);
        if (attempt == 1)
            (void)snprintf(chosen, sizeof chosen, "%s", base);
        else
            (void)snprintf(chosen, sizeof chosen, "%s.%d", base, attempt);
    }
    TY_TRY(ty_comm_agree(&app->ctx, j->comm, st));
    TY_TRY(ty_comm_broadcast(&app->ctx, j->comm, 0, chosen, sizeof chosen));
    j->run_name = ty_arena_string(&j->arena, chosen);
    j->run_folder = run_path(app, j, &j->arena, chosen);
    if (!j->run_name || !j->run_folder)
        return ty_fail_nomem(&app->ctx, "the run's path");
    uint64_t exists = ty_comm_rank(j->comm) == 0 && ty_file_exists(&app->ctx, j->run_folder);
    TY_TRY(ty_comm_vote(&app->ctx, j->comm, exists, &exists));
    j->run_is_new = !exists;
    const bool is_asking = j->run_is_new && ty_comm_rank(j->comm) == 0;
    return ty_comm_agree(&app->ctx, j->comm, is_asking ? given_run_check(app, j) : TY_OK);
}

void job_close(job *j) {
    ty_dataset_close(j->data);
    if (!j->lends_comm)
        ty_comm_close(j->comm);
    ty_doc_close(j->doc);
    ty_text_clear(&j->config_json);
    ty_arena_clear(&j->arena);
    signals_clear(&j->signals);
    *j = (job){0};
}
