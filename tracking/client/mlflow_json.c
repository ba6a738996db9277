/* Members of JSON objects: read from what any server may send, written as MLflow takes them. */
#include "tracking/client/mlflow_private.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- reading --- */

const char *mlflow_text(mlflow_reader *r, const char *key) {
    const char *value = json_string_value(json_object_get(r->json, key));
    if (!value)
        return "";
    const char *copy = ty_arena_string(r->arena, value);
    r->is_short = r->is_short || !copy;
    return copy ? copy : "";
}

bool mlflow_is_id(const char *text) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    const size_t length = strspn(text, plain);
    return length > 0 && length <= 256 && text[length] == '\0';
}

const char *mlflow_id(mlflow_reader *r, const char *key) {
    const json_t *value = json_object_get(r->json, key);
    if (json_is_integer(value)) {
        const char *digits =
            ty_arena_printf(r->arena, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
        r->is_short = r->is_short || !digits;
        return digits ? digits : "";
    }
    const char *text = mlflow_text(r, key);
    return mlflow_is_id(text) ? text : "";
}

int64_t mlflow_integer(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    if (!text)
        return json_integer_value(value);
    char *end = NULL;
    errno = 0;
    const long long number = strtoll(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' ? number : 0;
}

bool mlflow_number(const json_t *value, double *out) {
    const char *text = json_string_value(value);
    if (json_is_number(value))
        *out = json_number_value(value);
    else if (text && strcmp(text, "NaN") == 0)
        *out = NAN;
    else if (text && strcmp(text, "Infinity") == 0)
        *out = INFINITY;
    else if (text && strcmp(text, "-Infinity") == 0)
        *out = -INFINITY;
    else
        return false;
    return true;
}

ty_mlflow_pairs mlflow_pairs(mlflow_reader *r, const char *key, const char *name,
                             const char *value) {
    const json_t *array = json_object_get(r->json, key);
    const size_t n = json_array_size(array);
    ty_mlflow_pair *v = n > 0 ? ty_arena_array(r->arena, n, sizeof *v) : NULL;
    r->is_short = r->is_short || (n > 0 && !v);
    for (size_t i = 0; v && i < n; i++) {
        mlflow_reader one = {.arena = r->arena, .json = json_array_get(array, i)};
        v[i] = (ty_mlflow_pair){mlflow_text(&one, name), mlflow_text(&one, value)};
        r->is_short = r->is_short || one.is_short;
    }
    return (ty_mlflow_pairs){.v = v, .n = v ? (int64_t)n : 0};
}

const char *mlflow_pair_value(ty_mlflow_pairs pairs, const char *key) {
    for (int64_t i = 0; i < pairs.n; i++)
        if (strcmp(pairs.v[i].key, key) == 0)
            return pairs.v[i].value;
    return NULL;
}

/* --- lists --- */

ty_status mlflow_list_add(ty_ctx *ctx, mlflow_list *list, const void *item, size_t item_bytes) {
    if (list->n == list->capacity) {
        const int64_t capacity = list->capacity > 0 ? list->capacity * 2 : 64;
        void *v = realloc(list->v, (size_t)capacity * item_bytes);
        if (!v)
            return ty_fail_nomem(ctx, "a server's answer");
        list->v = v;
        list->capacity = capacity;
    }
    memcpy((char *)list->v + (size_t)list->n * item_bytes, item, item_bytes);
    list->n++;
    return TY_OK;
}

ty_status mlflow_list_finish(ty_ctx *ctx, mlflow_list *list, size_t item_bytes, ty_arena *arena,
                             const void **out) {
    const size_t bytes = (size_t)list->n * item_bytes;
    void *v = bytes > 0 ? ty_arena_alloc(arena, bytes) : NULL;
    if (v)
        memcpy(v, list->v, bytes);
    free(list->v);
    list->v = NULL;
    *out = v;
    return v || bytes == 0 ? TY_OK : ty_fail_nomem(ctx, "a server's answer");
}

/* --- writing --- */

void mlflow_add_comma(ty_text *out) {
    const char last = out->length > 0 ? out->data[out->length - 1] : '{';
    if (last != '{' && last != '[')
        ty_text_add(out, ",");
}

static void add_key(ty_text *out, const char *key) {
    mlflow_add_comma(out);
    ty_text_add_json(out, key);
    ty_text_add(out, ":");
}

void mlflow_add_text(ty_text *out, const char *key, const char *value) {
    if (!value)
        return;
    add_key(out, key);
    ty_text_add_json(out, value);
}

void mlflow_add_integer(ty_text *out, const char *key, int64_t value) {
    add_key(out, key);
    ty_text_addf(out, "%lld", (long long)value);
}

static void add_pair(ty_text *out, const char *key, const char *value) {
    mlflow_add_comma(out);
    ty_text_add(out, "{");
    mlflow_add_text(out, "key", key);
    mlflow_add_text(out, "value", value);
    ty_text_add(out, "}");
}

void mlflow_add_pairs(ty_text *out, const char *key, ty_mlflow_pairs pairs, const char *uid) {
    add_key(out, key);
    ty_text_add(out, "[");
    if (uid)
        add_pair(out, TY_MLFLOW_UID_TAG, uid);
    for (int64_t i = 0; i < pairs.n; i++)
        add_pair(out, pairs.v[i].key, pairs.v[i].value);
    ty_text_add(out, "]");
}

void mlflow_add_query(ty_text *out, const char *key, const char *value) {
    if (out->length > 0 && out->data[out->length - 1] != '?')
        ty_text_add(out, "&");
    ty_http_add_encoded(out, key, false);
    ty_text_add(out, "=");
    ty_http_add_encoded(out, value, false);
}
