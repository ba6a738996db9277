/* `parameters` of a sweep file: nested ones get dotted names, names of other tools ours. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/sweep_file/sweep_private.h"

typedef struct collector {
    sweep_reader *r;
    sweep_entry *v;
    size_t n;
} collector;

static void no_memory(sweep_reader *r) {
    sweep_found(r, ty_fail_nomem(r->ctx, "the parameters of a sweep"));
}

/* What stands for more parameters rather than for one. */
static const json_t *nested(const json_t *json) {
    return json_object_get(json, "parameters");
}

static size_t count_leaves(const json_t *group) {
    const char *key;
    json_t *value;
    size_t n = 0;
    json_object_foreach((json_t *)(uintptr_t)group, key, value)
        n += nested(value) ? count_leaves(nested(value)) : 1;
    return n;
}

static bool is_name(const char *name) {
    if (!isalpha((unsigned char)*name) && *name != '_')
        return false;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("_.-", *name))
            return false;
    return true;
}

static void add_leaf(collector *c, const sweep_entry *entry) {
    char shown[SWEEP_SHOWN_BYTES];
    const size_t before = c->n;
    if (!is_name(entry->name))
        SWEEP_REJECT(c->r, entry->path,
                     "a parameter is called \"%.64s\", want letters, digits, \"_\", \".\" and "
                     "\"-\", the first one a letter or \"_\"",
                     entry->name);
    else if (!json_is_object(entry->json))
        SWEEP_REJECT(c->r, entry->path,
                     "%s is %s, want an object\none value is written as {\"value\": ...}, several "
                     "as {\"values\": [...]}",
                     entry->name, sweep_show(entry->json, shown));
    else
        c->v[c->n++] = *entry;
    if (c->n > before)
        sweep_translate(c->r, &c->v[before]);
}

static void collect(collector *c, const json_t *group, const char *prefix, const char *path);

static void collect_group(collector *c, const sweep_entry *entry) {
    const char *path = ty_arena_printf(&c->r->file->arena, "%s.parameters", entry->path);
    const char *prefix = ty_arena_printf(&c->r->file->arena, "%s.", entry->name);
    if (!path || !prefix)
        no_memory(c->r);
    else if (json_object_size(entry->json) != 1 || !json_is_object(nested(entry->json)))
        SWEEP_REJECT(c->r, path,
                     "%s has \"parameters\", want an object of parameters there and no other key",
                     entry->name);
    else
        collect(c, nested(entry->json), prefix, path);
}

/* Recursion goes as deep as a document may. */
static void collect(collector *c, const json_t *group, const char *prefix, const char *path) {
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)group, key, value) {
        const sweep_entry entry = {.name = ty_arena_printf(&c->r->file->arena, "%s%s", prefix, key),
                                   .path = ty_arena_printf(&c->r->file->arena, "%s.%s", path, key),
                                   .json = value,
                                   .order = c->n};
        if (!entry.name || !entry.path)
            no_memory(c->r);
        else if (nested(value))
            collect_group(c, &entry);
        else
            add_leaf(c, &entry);
    }
}

static int by_name(const void *left, const void *right) {
    const sweep_entry *a = left, *b = right;
    const int order = strcmp(a->name, b->name);
    return order ? order : (a->order > b->order) - (a->order < b->order);
}

static void sort(collector *c) {
    qsort(c->v, c->n, sizeof *c->v, by_name);
    for (size_t i = 1; i < c->n; i++)
        if (strcmp(c->v[i - 1].name, c->v[i].name) == 0)
            SWEEP_REJECT(c->r, c->v[i].path, "%s is a parameter twice, here and as %s",
                         c->v[i].name, c->v[i - 1].path);
}

static bool allocate(collector *c, ty_param **params, const char ***paths, ty_fixed **fixed) {
    ty_arena *arena = &c->r->file->arena;
    const size_t n = c->n ? c->n : 1;
    *params = ty_arena_array(arena, n, sizeof **params);
    *paths = ty_arena_array(arena, n, sizeof **paths);
    *fixed = ty_arena_array(arena, n, sizeof **fixed);
    return *params && *paths && *fixed;
}

static void read_all(collector *c) {
    ty_sweep_file *file = c->r->file;
    ty_param *params;
    const char **paths;
    ty_fixed *fixed;
    if (!allocate(c, &params, &paths, &fixed)) {
        no_memory(c->r);
        return;
    }
    for (size_t i = 0; i < c->n; i++) {
        bool is_fixed;
        const size_t d = file->space.count;
        sweep_read_form(c->r, &c->v[i], &params[d], &fixed[file->fixed_count], &is_fixed);
        paths[d] = c->v[i].path;
        file->fixed_count += is_fixed;
        file->space.count += !is_fixed;
    }
    file->space.params = params;
    file->param_paths = paths;
    file->fixed = fixed;
}

static void check_count(sweep_reader *r) {
    const size_t n = r->file->space.count;
    if (n > TY_SPACE_MAX_PARAMS)
        SWEEP_REJECT(r, "parameters", "%zu parameters are searched, want <= %d", n,
                     (int)TY_SPACE_MAX_PARAMS);
    else if (n == 0)
        SWEEP_REJECT(r, "parameters",
                     "nothing is searched, want one parameter with more than one "
                     "value");
}

void sweep_read_params(sweep_reader *r) {
    enum { MAX_LEAVES = 4096 };
    const json_t *root = r->file->parameters;
    const size_t n = count_leaves(root);
    if (!root) /* said already */
        return;
    if (n > MAX_LEAVES) {
        SWEEP_REJECT(r, "parameters", "%zu parameters, want <= %d", n, (int)MAX_LEAVES);
        return;
    }
    collector c = {.r = r, .v = ty_arena_array(&r->file->arena, n ? n : 1, sizeof *c.v)};
    if (!c.v) {
        no_memory(r);
        return;
    }
    collect(&c, root, "", "parameters");
    sort(&c);
    read_all(&c);
    if (r->st == TY_OK)
        check_count(r);
}
