/* Named sets are rows; a further one is one row. */
#include "data/place.h"

#include <errno.h>
#include <string.h>

typedef struct named_set {
    const char *name;
    const char *package; /* Debian's; NULL: generated, nothing to install */
    const char *const *class_names;
    int64_t n_class_names;
} named_set;

/* As the set's own README names them, in the order of the labels. */
static const char *const fashion_classes[] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                              "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                              "Bag",         "Ankle boot"};

static const named_set named_sets[] = {
    {.name = "fashion-mnist",
     .package = "dataset-fashion-mnist",
     .class_names = fashion_classes,
     .n_class_names = sizeof fashion_classes / sizeof *fashion_classes},
    {.name = "synthetic"},
};
enum { N_NAMED_SETS = sizeof named_sets / sizeof *named_sets };

static const named_set *named_set_of(const char *source) {
    for (size_t i = 0; i < N_NAMED_SETS; i++)
        if (strcmp(named_sets[i].name, source) == 0)
            return &named_sets[i];
    return NULL;
}

/* Tries <folder>/<below><name> for each folder of a colon list; notes each in tried. *out stays
 * NULL where none is. */
static ty_status search_list(ty_ctx *ctx, ty_arena *arena, const char *list, const char *below,
                             const char *name, ty_text *tried, char **out) {
    for (const char *at = list; at && !*out;) {
        const char *end = strchr(at, ':');
        const size_t length = end ? (size_t)(end - at) : strlen(at);
        if (length > 0) {
            char *path = ty_arena_printf(arena, "%.*s/%s%s", (int)length, at, below, name);
            if (!path)
                return ty_fail_nomem(ctx, "a path");
            ty_text_addf(tried, "%s%s", tried->length ? ", " : "", path);
            if (ty_file_exists(ctx, path))
                *out = path;
        }
        at = end ? end + 1 : NULL;
    }
    return TY_OK;
}

static ty_status search(ty_ctx *ctx, ty_arena *arena, const char *name, ty_text *tried,
                        char **out) {
    const char *own = ctx->getenv("TILTYARD_DATA_PATH"), *shared = ctx->getenv("XDG_DATA_DIRS");
    *out = NULL;
    TY_TRY(search_list(ctx, arena, own, "", name, tried, out));
    return search_list(ctx, arena, shared && *shared ? shared : "/usr/local/share:/usr/share",
                       "datasets/", name, tried, out);
}

static ty_status fail_missing(ty_ctx *ctx, const char *source, const char *tried) {
    const named_set *set = named_set_of(source), *nearest = NULL;
    if (set)
        return ty_fail(ctx, TY_ERR_NOT_FOUND,
                       "data.source \"%s\" is in none of %s; to install it: apt install %s", source,
                       tried, set->package);
    int best = 4; /* more typing errors than that are another name */
    for (size_t i = 0; i < N_NAMED_SETS; i++) {
        const int distance = ty_text_distance(source, named_sets[i].name);
        if (distance < best) {
            best = distance;
            nearest = &named_sets[i];
        }
    }
    if (nearest)
        return ty_fail(ctx, TY_ERR_NOT_FOUND,
                       "data.source \"%s\" is no file, folder or named set; did you mean \"%s\"?",
                       source, nearest->name);
    ty_text names = {0};
    for (size_t i = 0; i < N_NAMED_SETS; i++)
        ty_text_addf(&names, "%s\"%s\"", i ? ", " : "", named_sets[i].name);
    const ty_status st = ty_fail(
        ctx, TY_ERR_NOT_FOUND,
        "data.source \"%s\" is no file, folder or named set; named sets: %s, and folders of "
        "$TILTYARD_DATA_PATH",
        source, ty_text_string(&names));
    ty_text_clear(&names);
    return st;
}

static const char *last_part(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}

static ty_status set_path(ty_ctx *ctx, ty_arena *arena, const char *path, ty_data_place *out) {
    out->path = ty_path_absolute(arena, path);
    if (!out->path)
        return ty_fail_nomem(ctx, "a path");
    out->name = last_part(out->path);
    out->source = out->path;
    return TY_OK;
}

static bool is_generated(const char *source) {
    return strncmp(source, "synthetic", 9) == 0 && (source[9] == '\0' || source[9] == ':');
}

static ty_status find_source(ty_ctx *ctx, const char *source, ty_arena *arena, ty_text *tried,
                             ty_data_place *out) {
    const named_set *set = named_set_of(source);
    char *found = NULL;
    if (is_generated(source)) {
        out->source = ty_arena_string(arena, source);
        out->name = out->source;
        return out->source ? TY_OK : ty_fail_nomem(ctx, "a name");
    }
    if (!set && ty_file_exists(ctx, source))
        return set_path(ctx, arena, source, out);
    if (!strchr(source, '/'))
        TY_TRY(search(ctx, arena, source, tried, &found));
    if (!found)
        return fail_missing(ctx, source, ty_text_string(tried));
    TY_TRY(set_path(ctx, arena, found, out));
    if (set) {
        out->source = set->name;
        out->name = set->name;
        out->class_names = set->class_names;
        out->n_class_names = set->n_class_names;
    }
    return TY_OK;
}

ty_status ty_place_find(ty_ctx *ctx, const ty_data_config *config, ty_arena *arena,
                        ty_data_place *out) {
    *out = (ty_data_place){0};
    if (!config->source || !*config->source)
        return ty_fail(ctx, TY_ERR_CONFIG, "data.source is empty, want a named set or a path");
    ty_text tried = {0};
    ty_status st = find_source(ctx, config->source, arena, &tried, out);
    ty_text_clear(&tried);
    TY_TRY(st);
    if (!config->test_source)
        return TY_OK;
    if (!out->path)
        return ty_fail(ctx, TY_ERR_CONFIG, "data.test_source does not go with generated data");
    if (!ty_file_exists(ctx, config->test_source))
        return ty_fail(ctx, TY_ERR_NOT_FOUND, "data.test_source \"%s\" does not exist",
                       config->test_source);
    out->test_path = ty_path_absolute(arena, config->test_source);
    return out->test_path ? TY_OK : ty_fail_nomem(ctx, "a path");
}
