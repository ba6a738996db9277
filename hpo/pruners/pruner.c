#include "hpo/pruners/pruner.h"

#define ID_OF(name, text) ID_##name,
#define ROW_OF(name, text)                                                                         \
    {.type = #name,                                                                                \
     .help = text,                                                                                 \
     .rows = &ty_pruner_##name##_rows,                                                             \
     .struct_bytes = TY_PRUNER_CONFIG_BYTES,                                                       \
     .id = ID_##name},
#define TYPE_OF(name, text) [ID_##name] = &ty_pruner_##name,

enum { TY_PRUNER_ROWS(ID_OF) };

const ty_variant_row ty_pruner_variants[] = {TY_PRUNER_ROWS(ROW_OF){.type = NULL}};
const ty_variant_row ty_pruner_plain_variants[] = {TY_PRUNER_PLAIN_ROWS(ROW_OF){.type = NULL}};

static const ty_pruner_type *const types[] = {TY_PRUNER_ROWS(TYPE_OF)};

const ty_pruner_type *ty_pruner_of(const ty_variant *chosen) {
    return types[chosen->row->id];
}

ty_status ty_pruner_read_json(ty_ctx *ctx, const char *json, ty_doc **doc, ty_variant *out) {
    return ty_rows_load_variant(ctx, "pruner", ty_pruner_variants, json, doc, out);
}
