/* Private to hpo: what the files that read a sweep file share. sweep_rows.c has its keys, sweep_params.c
 * and sweep_forms.c read `parameters`, sweep_identity.c says what the sweep is. */
#ifndef TY_HPO_SWEEP_FILE_SWEEP_PRIVATE_H
#define TY_HPO_SWEEP_FILE_SWEEP_PRIVATE_H

#include "hpo/sweep_file/sweep_file.h"

/* Findings add up in the document: st is the first one's, and reading goes on. */
typedef struct sweep_reader {
    ty_ctx *ctx;
    ty_sweep_file *file;
    ty_status st;
} sweep_reader;

static inline void sweep_found(sweep_reader *r, ty_status st) {
    if (r->st == TY_OK)
        r->st = st;
}

/* SWEEP_REJECT(reader, path, format, ...): one finding. */
#define SWEEP_REJECT(r, ...) sweep_found((r), ty_rows_reject((r)->ctx, (r)->file->doc, __VA_ARGS__))

/* One parameter as it was written. */
typedef struct sweep_entry {
    const char *name; /* dotted, of ours where it was another tool's */
    const char *path; /* in the document */
    const json_t *json;
    size_t order; /* in which it was written */
} sweep_entry;

enum { SWEEP_SHOWN_BYTES = 64 };

/* json in a message: as JSON text, cut where it is long. Returns out. */
const char *sweep_show(const json_t *json, char out[SWEEP_SHOWN_BYTES]);

/* Reads one parameter: a constant gets *is_fixed and its value in fixed, all else is in param. */
void sweep_read_form(sweep_reader *r, const sweep_entry *entry, ty_param *param, ty_fixed *fixed,
                     bool *is_fixed);

/* Fills space, param_paths and fixed from `parameters`; names sorted, so that neither the format nor the
 * order of writing matters. */
void sweep_read_params(sweep_reader *r);

/* Where the config is ours: what another tool calls one of its keys gets our name, and, where that is an
 * amount, values with a unit. Said in the log. */
void sweep_translate(sweep_reader *r, sweep_entry *entry);
/* Our name for it, or the name itself; in file's arena. */
const char *sweep_our_name(const sweep_reader *r, const char *name);

/* Gives the parameters their clauses, and brings parents before children. */
void sweep_read_conditions(sweep_reader *r);

/* Fills space.constraints and limits, by the final order of parameters. */
void sweep_read_constraints(sweep_reader *r);

/* Fills given, when all else of the space is read. */
void sweep_read_points(sweep_reader *r);

/* Canonical JSON of what decides over points and verdicts, in file's arena. */
ty_status sweep_make_identity(ty_ctx *ctx, ty_sweep_file *file) TY_MUST_USE;

#endif
