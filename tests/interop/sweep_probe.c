/* What test_sweeps.py needs of sweep files: each file it names, as one line of JSON: its constants, and of each
 * parameter its values at the quantiles 1/64, 3/64, ...; or its error. */
#include <stdio.h>
#include <stdlib.h>

#include "hpo/hpo.h"

enum { QUANTILES = 32 };

static json_t *values_of(const ty_param *p) {
    json_t *list = json_array();
    for (int i = 0; i < QUANTILES; i++)
        (void)json_array_append_new(
            list, ty_param_to_json(p, ty_param_quantile(p, (i + 0.5) / QUANTILES)));
    return list;
}

static json_t *describe(const ty_sweep_file *file) {
    json_t *params = json_object(), *fixed = json_object();
    for (size_t d = 0; d < file->space.count; d++)
        (void)json_object_set_new(params, file->space.params[d].name,
                                  values_of(&file->space.params[d]));
    for (size_t i = 0; i < file->fixed_count; i++)
        (void)json_object_set_new(fixed, file->fixed[i].name, json_deep_copy(file->fixed[i].value));
    return json_pack("{s:o, s:o, s:s}", "params", params, "fixed", fixed, "pruner",
                     file->pruner.row->type);
}

static void show(const char *path) {
    ty_ctx ctx;
    ty_sweep_file file;
    ty_ctx_init(&ctx);
    json_t *json = ty_sweep_file_read(&ctx, path, NULL, 0, &file) == TY_OK
                       ? describe(&file)
                       : json_pack("{s:s}", "error", ctx.message);
    char *text = json_dumps(json, JSON_REAL_PRECISION(17));
    puts(text ? text : "{\"error\": \"out of memory\"}");
    free(text);
    json_decref(json);
    ty_sweep_file_clear(&file);
    ty_ctx_clear(&ctx);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        show(argv[i]);
    return 0;
}
