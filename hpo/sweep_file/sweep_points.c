/* `points` of a sweep file: what is tried first. */
#include <stdio.h>
#include <string.h>

#include "hpo/space/points.h"
#include "hpo/sweep_file/sweep_private.h"

static void no_memory(sweep_reader *r) {
    sweep_found(r, ty_fail_nomem(r->ctx, "the points of a sweep"));
}

static json_t *constants(const ty_sweep_file *file) {
    json_t *all = json_object();
    for (size_t i = 0; i < file->fixed_count; i++)
        if (json_object_set_new(all, file->fixed[i].name, json_deep_copy(file->fixed[i].value)) !=
            0) {
            json_decref(all);
            return NULL;
        }
    return all;
}

/* Nested objects are dotted names, as in `parameters`; a parameter whose choices are objects takes one. */
static int add_members(sweep_reader *r, const json_t *object, const char *prefix, json_t *out) {
    const char *key;
    json_t *value;
    int failed = 0;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        const char *written = ty_arena_printf(&r->file->arena, "%s%s", prefix, key);
        const char *name = written ? sweep_our_name(r, written) : NULL;
        const char *deeper = name ? ty_arena_printf(&r->file->arena, "%s.", written) : NULL;
        if (!deeper)
            return -1;
        const bool is_known = ty_space_find(&r->file->space, name) < r->file->space.count;
        failed |= json_is_object(value) && !is_known ? add_members(r, value, deeper, out)
                                                     : json_object_set(out, name, value);
    }
    return failed;
}

static void reject(sweep_reader *r, size_t index, const char *key) {
    char words[512];
    const char *path =
        ty_arena_printf(&r->file->arena, "points.%zu%s%s", index, key ? "." : "", key ? key : "");
    (void)snprintf(words, sizeof words, "%.500s", r->ctx->message);
    SWEEP_REJECT(r, path ? path : "points", "%s", words);
}

static void read_point(sweep_reader *r, size_t index, const json_t *written, const json_t *fixed) {
    double given[TY_SPACE_MAX_PARAMS];
    const char *key = NULL;
    json_t *point = json_is_object(written) ? json_object() : json_null();
    const bool is_short = !point || add_members(r, written, "", point) != 0;
    if (is_short)
        no_memory(r);
    else if (ty_point_read(r->ctx, &r->file->space, fixed, point, given, &key) != TY_OK)
        reject(r, index, key);
    else if (json_array_append(r->file->given, point) != 0)
        no_memory(r);
    json_decref(point);
}

void sweep_read_points(sweep_reader *r) {
    size_t i;
    json_t *point, *fixed = constants(r->file);
    r->file->given = json_array();
    if (!fixed || !r->file->given)
        no_memory(r);
    else
        json_array_foreach(r->file->points, i, point)
            read_point(r, i, point, fixed);
    json_decref(fixed);
}
