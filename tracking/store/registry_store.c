#include "tracking/store/registry_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tracking/store/relocate.h"
#include "tracking/store/schema.h"
#include "tracking/store/store_sql.h"

enum { MAX_ROWS = 100000, NUMBER_BYTES = 24 };

struct ty_registry_store {
    _Atomic int64_t give_up_ns;
    ty_store *store;
};

static ty_status relocate(ty_ctx *ctx, ty_store *store, const char *path) {
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const char *folder = ty_path_folder(&ctx->scratch, path);
    const ty_status st = folder ? ty_relocate(ctx, store, folder, false)
                                : ty_fail_nomem(ctx, "the registry's folder");
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

ty_status ty_registry_store_open(ty_ctx *ctx, const char *path, ty_registry_store **out) {
    ty_registry_store *rs = calloc(1, sizeof *rs);
    if (!rs)
        return ty_fail_nomem(ctx, "the registry");
    rs->give_up_ns = INT64_MAX;
    ty_status st = ty_store_open_file(ctx, path, &rs->give_up_ns, &rs->store);
    if (st == TY_OK)
        st = ty_schema_check_registry(ctx, rs->store->db);
    if (st == TY_OK)
        st = relocate(ctx, rs->store, path);
    if (st == TY_OK)
        *out = rs;
    else
        ty_registry_store_close(rs);
    return st;
}

void ty_registry_store_close(ty_registry_store *rs) {
    if (rs)
        ty_store_close(rs->store);
    free(rs);
}

/* --- rows to structs -------------------------------------------------------------------------- */

/* Rows of one statement, as they come: an array of items in arena, grown by doubling. */
typedef struct rows {
    ty_arena *arena;
    char *v;
    int64_t n, capacity;
    size_t item_bytes;
} rows;

static void *next_item(rows *r) {
    if (r->n == r->capacity) {
        const int64_t capacity = r->capacity ? r->capacity * 2 : 8;
        char *v =
            capacity > MAX_ROWS ? NULL : ty_arena_array(r->arena, (size_t)capacity, r->item_bytes);
        if (!v)
            return NULL;
        if (r->n)
            memcpy(v, r->v, (size_t)r->n * r->item_bytes);
        r->v = v;
        r->capacity = capacity;
    }
    return r->v + (size_t)r->n++ * r->item_bytes;
}

/* A column's text in arena, "" for NULL; *is_short where memory is out. */
static const char *text_at(sqlite3_stmt *row, int column, ty_arena *arena, bool *is_short) {
    const char *text = (const char *)sqlite3_column_text(row, column);
    const char *copy = ty_arena_string(arena, text ? text : "");
    *is_short |= copy == NULL;
    return copy ? copy : "";
}

static bool take_pair(sqlite3_stmt *row, void *item, ty_arena *arena) {
    bool is_short = false;
    ty_mlflow_pair *pair = item;
    pair->key = text_at(row, 0, arena, &is_short);
    pair->value = text_at(row, 1, arena, &is_short);
    return !is_short;
}

static bool take_model(sqlite3_stmt *row, void *item, ty_arena *arena) {
    bool is_short = false;
    ty_mlflow_registered *model = item;
    *model = (ty_mlflow_registered){.name = text_at(row, 0, arena, &is_short),
                                    .description = text_at(row, 3, arena, &is_short),
                                    .created_ms = sqlite3_column_int64(row, 1),
                                    .updated_ms = sqlite3_column_int64(row, 2)};
    return !is_short;
}

static bool take_version(sqlite3_stmt *row, void *item, ty_arena *arena) {
    bool is_short = false;
    ty_mlflow_registered_version *v = item;
    *v = (ty_mlflow_registered_version){.name = text_at(row, 0, arena, &is_short),
                                        .version = text_at(row, 1, arena, &is_short),
                                        .description = text_at(row, 4, arena, &is_short),
                                        .source = text_at(row, 5, arena, &is_short),
                                        .run_id = text_at(row, 6, arena, &is_short),
                                        .status = text_at(row, 7, arena, &is_short),
                                        .run_link = text_at(row, 8, arena, &is_short),
                                        .created_ms = sqlite3_column_int64(row, 2),
                                        .updated_ms = sqlite3_column_int64(row, 3)};
    v->model_id = strncmp(v->source, "models:/m-", 10) == 0 ? v->source + 8 : "";
    return !is_short;
}

/* All rows of a statement that ty_sql_ask has begun. */
static ty_status collect(ty_ctx *ctx, ty_registry_store *rs, sqlite3_stmt *row, bool has_row,
                         bool (*take)(sqlite3_stmt *row, void *item, ty_arena *arena), rows *out) {
    int code = has_row ? SQLITE_ROW : SQLITE_DONE;
    bool is_short = false;
    while (code == SQLITE_ROW && !is_short) {
        void *item = next_item(out);
        is_short = !item || !take(row, item, out->arena);
        code = sqlite3_step(row);
    }
    ty_status st = TY_OK;
    if (is_short)
        st = ty_fail_nomem(ctx, "the registry's answer");
    else if (code != SQLITE_DONE)
        st = ty_sql_fail(ctx, rs->store);
    (void)sqlite3_reset(row);
    return st;
}

static ty_status read_pairs(ty_ctx *ctx, ty_registry_store *rs, ty_sql which, const char *name,
                            int64_t version, ty_arena *arena, ty_mlflow_pairs *out) {
    sqlite3_stmt *row;
    bool has_row;
    rows list = {.arena = arena, .item_bytes = sizeof(ty_mlflow_pair)};
    const char *format = which == TY_SQL_VERSION_TAGS ? "si" : "s";
    TY_TRY(ty_sql_ask(ctx, rs->store, which, &row, &has_row, format, name, version));
    TY_TRY(collect(ctx, rs, row, has_row, take_pair, &list));
    *out = (ty_mlflow_pairs){.v = (const ty_mlflow_pair *)(const void *)list.v, .n = list.n};
    return TY_OK;
}

ty_status ty_registry_store_models(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                   ty_arena *arena, ty_mlflow_registered_list *out) {
    sqlite3_stmt *row;
    bool has_row;
    rows list = {.arena = arena, .item_bytes = sizeof(ty_mlflow_registered)};
    TY_TRY(ty_sql_ask(ctx, rs->store, TY_SQL_MODELS, &row, &has_row, "s", name));
    TY_TRY(collect(ctx, rs, row, has_row, take_model, &list));
    ty_mlflow_registered *v = (void *)list.v;
    for (int64_t i = 0; i < list.n; i++) {
        TY_TRY(read_pairs(ctx, rs, TY_SQL_MODEL_TAGS, v[i].name, 0, arena, &v[i].tags));
        TY_TRY(read_pairs(ctx, rs, TY_SQL_MODEL_ALIASES, v[i].name, 0, arena, &v[i].aliases));
    }
    *out = (ty_mlflow_registered_list){.v = v, .n = list.n};
    return TY_OK;
}

/* Those of the model's aliases that name this version. */
static ty_status take_aliases(ty_ctx *ctx, const ty_mlflow_pairs *all, ty_arena *arena,
                              ty_mlflow_registered_version *v) {
    const char **mine = ty_arena_array(arena, (size_t)all->n + 1, sizeof *mine);
    if (!mine)
        return ty_fail_nomem(ctx, "a version's aliases");
    for (int64_t i = 0; i < all->n; i++)
        if (strcmp(all->v[i].value, v->version) == 0)
            mine[v->n_aliases++] = all->v[i].key;
    v->aliases = mine;
    return TY_OK;
}

ty_status ty_registry_store_versions(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                     int64_t version, ty_arena *arena,
                                     ty_mlflow_version_list *out) {
    sqlite3_stmt *row;
    bool has_row;
    ty_mlflow_pairs aliases;
    rows list = {.arena = arena, .item_bytes = sizeof(ty_mlflow_registered_version)};
    TY_TRY(read_pairs(ctx, rs, TY_SQL_MODEL_ALIASES, name, 0, arena, &aliases));
    TY_TRY(ty_sql_ask(ctx, rs->store, TY_SQL_VERSIONS, &row, &has_row, "si", name, version));
    TY_TRY(collect(ctx, rs, row, has_row, take_version, &list));
    ty_mlflow_registered_version *v = (void *)list.v;
    for (int64_t i = 0; i < list.n; i++) {
        TY_TRY(read_pairs(ctx, rs, TY_SQL_VERSION_TAGS, name, strtoll(v[i].version, NULL, 10),
                          arena, &v[i].tags));
        TY_TRY(take_aliases(ctx, &aliases, arena, &v[i]));
    }
    *out = (ty_mlflow_version_list){.v = v, .n = list.n};
    return TY_OK;
}

/* --- places ----------------------------------------------------------------------------------- */

/* The texts of a row's columns; NULL for those that are NULL. *found false: no row. */
static ty_status ask_texts(ty_ctx *ctx, sqlite3_stmt *row, bool has_row, const int *columns, int n,
                           ty_arena *arena, const char **out) {
    ty_status st = TY_OK;
    for (int i = 0; i < n; i++) {
        const char *text = has_row ? (const char *)sqlite3_column_text(row, columns[i]) : NULL;
        out[i] = text ? ty_arena_string(arena, text) : NULL;
        if (text && !out[i])
            st = ty_fail_nomem(ctx, "a model's place");
    }
    (void)sqlite3_reset(row);
    return st;
}

/* A plain path, as ty_store_uri escaped it, is a path again; a URI stays one. */
static const char *path_of(ty_arena *arena, const char *uri) {
    const char *path = strncmp(uri, "file://", 7) == 0 ? uri + 7 : uri;
    char *copy = ty_arena_string(arena, path);
    if (!copy || path[0] != '/')
        return copy;
    char *to = copy;
    for (const char *from = copy; *from != '\0'; to++) {
        unsigned code = 0;
        int used = 0;
        if (*from == '%' && sscanf(from, "%%%2x%n", &code, &used) == 1 && used == 3 && code != 0) {
            *to = (char)code;
            from += 3;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
    return copy;
}

ty_status ty_registry_store_location(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                     int64_t version, ty_arena *arena, const char **out) {
    sqlite3_stmt *row;
    bool has_row;
    const char *texts[2];
    TY_TRY(ty_sql_ask(ctx, rs->store, TY_SQL_VERSIONS, &row, &has_row, "si", name, version));
    TY_TRY(ask_texts(ctx, row, has_row, (const int[]){9, 5}, 2, arena, texts));
    if (!has_row)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "model %s has no version %lld", name,
                       (long long)version);
    const char *uri = texts[0] ? texts[0] : texts[1] ? texts[1] : "";
    *out = path_of(arena, uri);
    return *out ? TY_OK : ty_fail_nomem(ctx, "a model's place");
}

ty_status ty_registry_store_logged(ty_ctx *ctx, ty_registry_store *rs, const char *model_id,
                                   ty_arena *arena, const char **out_location,
                                   const char **out_run_id) {
    sqlite3_stmt *row;
    bool has_row;
    const char *texts[2];
    TY_TRY(ty_sql_ask(ctx, rs->store, TY_SQL_LOGGED_MODEL, &row, &has_row, "s", model_id));
    TY_TRY(ask_texts(ctx, row, has_row, (const int[]){0, 1}, 2, arena, texts));
    if (!has_row)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "%s knows no model %s", rs->store->path, model_id);
    *out_location = path_of(arena, texts[0] ? texts[0] : "");
    *out_run_id = texts[1];
    return *out_location ? TY_OK : ty_fail_nomem(ctx, "a model's place");
}

/* --- changes ---------------------------------------------------------------------------------- */

/* Ends what ty_store_begin began, well or not. */
static ty_status end(ty_ctx *ctx, ty_registry_store *rs, ty_status st) {
    if (st == TY_OK)
        st = ty_store_commit(ctx, rs->store);
    if (st != TY_OK)
        ty_store_rollback(rs->store);
    return st;
}

static int64_t now_ms(const ty_ctx *ctx) {
    return ty_now_wall_ns(ctx) / 1000000;
}

static ty_status add_model(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                           const char *description, ty_mlflow_pairs tags) {
    int64_t n_added = 0;
    TY_TRY(ty_sql_run(ctx, rs->store, TY_SQL_MAKE_MODEL, &n_added, "sis", name, now_ms(ctx),
                      description));
    for (int64_t i = 0; n_added && i < tags.n; i++)
        TY_TRY(ty_sql_run(ctx, rs->store, TY_SQL_TAG_MODEL, NULL, "sss", name, tags.v[i].key,
                          tags.v[i].value));
    return TY_OK;
}

ty_status ty_registry_store_make_model(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                       const char *description, ty_mlflow_pairs tags) {
    TY_TRY(ty_store_begin(ctx, rs->store));
    return end(ctx, rs, add_model(ctx, rs, name, description, tags));
}

static ty_status ask_number(ty_ctx *ctx, ty_registry_store *rs, ty_sql which, const char *name,
                            const char *key, int64_t *out) {
    sqlite3_stmt *row;
    bool has_row;
    TY_TRY(ty_sql_ask(ctx, rs->store, which, &row, &has_row, "ss", name, key));
    *out = has_row ? sqlite3_column_int64(row, 0) : 0;
    (void)sqlite3_reset(row);
    return TY_OK;
}

/* The row itself; the number is the highest plus one, under the write lock. */
static ty_status add_row(ty_ctx *ctx, ty_registry_store *rs, const ty_mlflow_new_version *v,
                         const char *run_id, const char *location, int64_t *out) {
    sqlite3_stmt *row;
    bool has_row;
    TY_TRY(ty_sql_ask(ctx, rs->store, TY_SQL_ADD_VERSION, &row, &has_row, "sisssss", v->name,
                      now_ms(ctx), v->description, v->source, run_id, v->run_link, location));
    *out = has_row ? sqlite3_column_int64(row, 0) : 0;
    (void)sqlite3_reset(row);
    return *out > 0 ? TY_OK : ty_fail(ctx, TY_ERR_INTERNAL, "no version was added");
}

static ty_status add_tags(ty_ctx *ctx, ty_registry_store *rs, const ty_mlflow_new_version *v,
                          int64_t version) {
    if (v->uid)
        TY_TRY(ty_sql_run(ctx, rs->store, TY_SQL_TAG_VERSION, NULL, "siss", v->name, version,
                          TY_MLFLOW_UID_TAG, v->uid));
    for (int64_t i = 0; i < v->tags.n; i++)
        TY_TRY(ty_sql_run(ctx, rs->store, TY_SQL_TAG_VERSION, NULL, "siss", v->name, version,
                          v->tags.v[i].key, v->tags.v[i].value));
    return TY_OK;
}

static ty_status add_version(ty_ctx *ctx, ty_registry_store *rs, const ty_mlflow_new_version *v,
                             const char *location, int64_t *out) {
    const char *run_id = v->run_id, *model_run = NULL;
    int64_t n_touched = 0;
    if (v->uid)
        TY_TRY(ask_number(ctx, rs, TY_SQL_VERSION_OF_UID, v->name, v->uid, out));
    if (*out > 0)
        return TY_OK;
    if (!location)
        TY_TRY(
            ty_registry_store_logged(ctx, rs, v->model_id, &ctx->scratch, &location, &model_run));
    const char *uri = ty_store_uri(&ctx->scratch, location);
    if (!uri)
        return ty_fail_nomem(ctx, "a model's place");
    TY_TRY(ty_sql_run(ctx, rs->store, TY_SQL_TOUCH_MODEL, &n_touched, "si", v->name, now_ms(ctx)));
    if (n_touched == 0)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "there is no registered model %s", v->name);
    TY_TRY(add_row(ctx, rs, v, run_id ? run_id : model_run, uri, out));
    TY_TRY(add_tags(ctx, rs, v, *out));
    if (!v->model_id)
        return TY_OK;
    return ty_sql_run(ctx, rs->store, TY_SQL_LINK_VERSION, NULL, "ssi", v->model_id, v->name, *out);
}

ty_status ty_registry_store_make_version(ty_ctx *ctx, ty_registry_store *rs,
                                         const ty_mlflow_new_version *version, const char *location,
                                         int64_t *out_version) {
    *out_version = 0;
    if (!location && !version->model_id)
        return ty_fail(ctx, TY_ERR_ARG, "a version of %s has neither files nor a model",
                       version->name);
    TY_TRY(ty_store_begin(ctx, rs->store));
    ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const ty_status st = add_version(ctx, rs, version, location, out_version);
    ty_arena_reset(&ctx->scratch, mark);
    return end(ctx, rs, st);
}

/* Under the lock, so that a tag never stands alone. */
static ty_status check_exists(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                              int64_t version) {
    sqlite3_stmt *row;
    bool has_row;
    if (version)
        TY_TRY(ty_sql_ask(ctx, rs->store, TY_SQL_VERSIONS, &row, &has_row, "si", name, version));
    else
        TY_TRY(ty_sql_ask(ctx, rs->store, TY_SQL_MODELS, &row, &has_row, "s", name));
    (void)sqlite3_reset(row);
    if (has_row)
        return TY_OK;
    if (version)
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "model %s has no version %lld", name,
                       (long long)version);
    return ty_fail(ctx, TY_ERR_NOT_FOUND, "there is no registered model %s", name);
}

static ty_status change_tag(ty_ctx *ctx, ty_registry_store *rs, const char *name, int64_t version,
                            const char *key, const char *value) {
    TY_TRY(check_exists(ctx, rs, name, version));
    if (version && value)
        return ty_sql_run(ctx, rs->store, TY_SQL_TAG_VERSION, NULL, "siss", name, version, key,
                          value);
    if (version)
        return ty_sql_run(ctx, rs->store, TY_SQL_UNTAG_VERSION, NULL, "sis", name, version, key);
    if (value)
        return ty_sql_run(ctx, rs->store, TY_SQL_TAG_MODEL, NULL, "sss", name, key, value);
    return ty_sql_run(ctx, rs->store, TY_SQL_UNTAG_MODEL, NULL, "ss", name, key);
}

ty_status ty_registry_store_tag(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                int64_t version, const char *key, const char *value) {
    TY_TRY(ty_store_begin(ctx, rs->store));
    return end(ctx, rs, change_tag(ctx, rs, name, version, key, value));
}

static ty_status change_description(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                    int64_t version, const char *description) {
    TY_TRY(check_exists(ctx, rs, name, version));
    if (version)
        return ty_sql_run(ctx, rs->store, TY_SQL_DESCRIBE_VERSION, NULL, "sisi", name, version,
                          description, now_ms(ctx));
    return ty_sql_run(ctx, rs->store, TY_SQL_DESCRIBE_MODEL, NULL, "ssi", name, description,
                      now_ms(ctx));
}

ty_status ty_registry_store_describe(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                     int64_t version, const char *description) {
    TY_TRY(ty_store_begin(ctx, rs->store));
    return end(ctx, rs, change_description(ctx, rs, name, version, description));
}

ty_status ty_registry_store_fail_moved(ty_ctx *ctx, const char *name, const char *alias,
                                       int64_t seen, int64_t expected) {
    char at[NUMBER_BYTES] = "nowhere", wanted[NUMBER_BYTES] = "nowhere";
    if (seen > 0)
        (void)snprintf(at, sizeof at, "%lld", (long long)seen);
    if (expected > 0)
        (void)snprintf(wanted, sizeof wanted, "%lld", (long long)expected);
    return ty_fail(ctx, TY_ERR_BUSY, "%s@%s has moved: it is at %s, expected %s", name, alias, at,
                   wanted);
}

static ty_status move_alias(ty_ctx *ctx, ty_registry_store *rs, const char *name, const char *alias,
                            int64_t expected, int64_t version, int64_t *was) {
    TY_TRY(ask_number(ctx, rs, TY_SQL_ALIAS, name, alias, was));
    if (expected >= 0 && *was != expected)
        return ty_registry_store_fail_moved(ctx, name, alias, *was, expected);
    TY_TRY(check_exists(ctx, rs, name, version));
    if (version == 0)
        return ty_sql_run(ctx, rs->store, TY_SQL_DELETE_ALIAS, NULL, "ss", name, alias);
    return ty_sql_run(ctx, rs->store, TY_SQL_SET_ALIAS, NULL, "ssi", name, alias, version);
}

ty_status ty_registry_store_move_alias(ty_ctx *ctx, ty_registry_store *rs, const char *name,
                                       const char *alias, int64_t expected, int64_t version,
                                       int64_t *was) {
    *was = 0;
    TY_TRY(ty_store_begin(ctx, rs->store));
    return end(ctx, rs, move_alias(ctx, rs, name, alias, expected, version, was));
}
