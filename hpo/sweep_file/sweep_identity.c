/* What a sweep is, as canonical JSON: two files with the same one may go on with each other's journal.
 * In it is what decides over points, values and verdicts; not what it is called, runs on, or when it
 * ends. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/space/space_json.h"
#include "hpo/sweep_file/sweep_private.h"

static void add_member(ty_text *out, const char *key, double value) {
    ty_text_addf(out, ",\"%s\":", key);
    ty_text_add_number(out, value == 0 ? 0 : value); /* -0 is 0 */
}

/* --- the space ---------------------------------------------------------------------------------- */

static void add_space(ty_text *out, const ty_sweep_file *file) {
    ty_space_add_params(&file->space, out);
    ty_text_add(out, ",\"fixed\":{");
    for (size_t i = 0; i < file->fixed_count; i++) {
        ty_text_addf(out, "%s\"%s\":", i ? "," : "", file->fixed[i].name);
        ty_json_add_canonical(file->fixed[i].value, out);
    }
    ty_text_add(out, "},");
    ty_space_add_constraints(&file->space, out);
    ty_text_add(out, ",\"limits\":[");
    for (size_t i = 0; i < file->limit_count; i++) {
        ty_text_add(out, i ? ",{\"metric\":" : "{\"metric\":");
        ty_text_add_json(out, file->limits[i].metric);
        add_member(out, "min", file->limits[i].min);
        add_member(out, "max", file->limits[i].max);
        ty_text_add(out, "}");
    }
    ty_text_add(out, "]");
}

/* --- what decides ------------------------------------------------------------------------------- */

/* Keys that the rows know; by name, so that a new row of the file leaves older identities alone. */
static bool is_decisive(const char *path) {
    static const char *const whole[] = {"metric.name", "metric.goal", "metric.value", "resource"};
    for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
        if (strcmp(path, whole[i]) == 0)
            return true;
    return strncmp(path, "sampler.", 8) == 0 || strncmp(path, "pruner.", 7) == 0 ||
           strncmp(path, "early_terminate.", 16) == 0;
}

static ty_status add_key(void *self, const ty_resolved *key) {
    ty_text *out = self;
    if (!is_decisive(key->path))
        return TY_OK;
    json_t *value = json_loads(key->json, JSON_DECODE_ANY, NULL);
    ty_text_add(out, ",");
    ty_text_add_json(out, key->path);
    ty_text_add(out, ":");
    if (json_is_number(value)) /* 1e-3 is 0.001, 3.0 is 3 */
        ty_text_add_number(out, json_number_value(value));
    else
        ty_json_add_canonical(value, out);
    json_decref(value);
    return TY_OK;
}

ty_status sweep_make_identity(ty_ctx *ctx, ty_sweep_file *file) {
    ty_text text = {0};
    ty_text_add(&text, "{");
    add_space(&text, file);
    const ty_status st = ty_rows_walk(ctx, &ty_sweep_rows, file->doc, add_key, &text);
    ty_text_add(&text, "}");
    file->identity = text.is_short ? NULL : ty_arena_string(&file->arena, ty_text_string(&text));
    ty_text_clear(&text);
    return st == TY_OK && !file->identity ? ty_fail_nomem(ctx, "a sweep's identity") : st;
}
