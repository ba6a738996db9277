/* The status table's three columns as functions. */
#include "base/status.h"

typedef struct status_row {
    const char *name;
    int exit_code;
    const char *meaning;
} status_row;

static const status_row status_rows[TY_STATUS_COUNT] = {
#define STATUS_ROW(name, exit_code, meaning) [TY_##name] = {#name, exit_code, meaning},
    TY_STATUS_ROWS(STATUS_ROW)
#undef STATUS_ROW
};

static const status_row *row_of(ty_status st) {
    return &status_rows[(unsigned)st < TY_STATUS_COUNT ? st : TY_ERR_INTERNAL];
}

const char *ty_status_name(ty_status st) {
    return row_of(st)->name;
}

const char *ty_status_meaning(ty_status st) {
    return row_of(st)->meaning;
}

int ty_status_exit_code(ty_status st) {
    return row_of(st)->exit_code;
}
