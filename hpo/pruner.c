#include "hpo/pruner.h"

#include <stddef.h>

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

typedef struct only_pruner {
    ty_variant pruner;
} only_pruner;

static const ty_row only_row[] = {{.key = "pruner",
                                   .type = TY_ROW_VARIANT,
                                   .offset = offsetof(only_pruner, pruner),
                                   .variants = ty_pruner_variants,
                                   .help = "the pruner"}};
static const ty_rows only_rows = TY_ROWS(only_row);

ty_status ty_pruner_read_json(ty_ctx *ctx, const char *json, ty_doc **doc, ty_variant *out) {
    ty_text text = {0};
    only_pruner only = {0};
    ty_text_addf(&text, "{\"pruner\": %s}", json);
    ty_status st = ty_doc_parse(ctx, "pruner", ty_text_string(&text), text.length, doc);
    ty_text_clear(&text);
    TY_TRY(st);
    st = ty_rows_load(ctx, &only_rows, NULL, *doc, &only);
    if (st == TY_OK) {
        *out = only.pruner;
        return TY_OK;
    }
    ty_doc_close(*doc);
    *doc = NULL;
    return st;
}
