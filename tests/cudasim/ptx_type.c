/* Names, types and places: the small questions about a PTX module. */
#include "tests/cudasim/ptx.h"

#include <string.h>

typedef struct type_row {
    const char *name;
    uint32_t bytes;
    bool is_signed, is_float;
} type_row;

static const type_row types[CS_TYPE_COUNT] = {
    [CS_NO_TYPE] = {"", 0, false, false}, [CS_PRED] = {"pred", 0, false, false},
    [CS_B8] = {"b8", 1, false, false},    [CS_B16] = {"b16", 2, false, false},
    [CS_B32] = {"b32", 4, false, false},  [CS_B64] = {"b64", 8, false, false},
    [CS_U8] = {"u8", 1, false, false},    [CS_U16] = {"u16", 2, false, false},
    [CS_U32] = {"u32", 4, false, false},  [CS_U64] = {"u64", 8, false, false},
    [CS_S8] = {"s8", 1, true, false},     [CS_S16] = {"s16", 2, true, false},
    [CS_S32] = {"s32", 4, true, false},   [CS_S64] = {"s64", 8, true, false},
    [CS_F16] = {"f16", 2, false, true},   [CS_F16X2] = {"f16x2", 4, false, true},
    [CS_BF16] = {"bf16", 2, false, true}, [CS_BF16X2] = {"bf16x2", 4, false, true},
    [CS_TF32] = {"tf32", 4, false, true}, [CS_F32] = {"f32", 4, false, true},
    [CS_F64] = {"f64", 8, false, true},
};

bool cs_text_is(cs_text text, const char *word) {
    return text.n == strlen(word) && memcmp(text.at, word, text.n) == 0;
}

bool cs_text_same(cs_text a, cs_text b) {
    return a.n == b.n && memcmp(a.at, b.at, a.n) == 0;
}

cs_type cs_type_named(cs_text name) {
    for (int type = CS_PRED; type < CS_TYPE_COUNT; type++)
        if (cs_text_is(name, types[type].name))
            return (cs_type)type;
    return CS_NO_TYPE;
}

const char *cs_type_name(cs_type type) {
    return types[type].name;
}

uint32_t cs_type_bytes(cs_type type) {
    return types[type].bytes;
}

bool cs_type_is_signed(cs_type type) {
    return types[type].is_signed;
}

bool cs_type_is_float(cs_type type) {
    return types[type].is_float;
}

int64_t cs_label_find(const cs_function *function, cs_text name) {
    for (size_t i = 0; i < function->n_labels; i++)
        if (cs_text_same(function->labels[i].name, name))
            return (int64_t)i;
    return -1;
}

const cs_function *cs_ptx_function(const cs_ptx *ptx, cs_text name) {
    const cs_function *found = NULL;
    for (size_t i = 0; i < ptx->n_functions; i++)
        if (cs_text_same(ptx->functions[i]->name, name) && (!found || ptx->functions[i]->has_body))
            found = ptx->functions[i];
    return found;
}

cs_text cs_source_path(const cs_ptx *ptx, uint32_t number) {
    for (size_t i = 0; i < ptx->n_files; i++)
        if (ptx->files[i].number == number)
            return ptx->files[i].path;
    return (cs_text){"?", 1};
}

static bool contains(cs_text text, const char *word) {
    return memmem(text.at, text.n, word, strlen(word)) != NULL;
}

/* Headers of the toolkit, wherever it is installed: /usr/local/cuda/targets/..., .../nvidia/cu13/include/... */
static bool is_toolkit_path(cs_text path) {
    return contains(path, "/targets/x86_64-linux/include/") || contains(path, "/cuda/include/") ||
           contains(path, "/nvidia/cu") || contains(path, "/crt/");
}

const cs_location *cs_source_location(const cs_ptx *ptx, uint32_t location) {
    uint32_t at = location < ptx->n_locations ? location : 0;
    while (ptx->locations[at].inlined_at &&
           is_toolkit_path(cs_source_path(ptx, ptx->locations[at].file)))
        at = ptx->locations[at].inlined_at;
    return &ptx->locations[at];
}
