/* What two configs have differently, for a run that is to go on under another one. */
#ifndef TY_CLI_COMPARE_H
#define TY_CLI_COMPARE_H

#include "trainer/trainer.h"

/* Compares the result keys of the config at path with doc's. Equal hashes are TY_OK; otherwise
 * TY_ERR_CONFIG, with one "  key: old -> new" line a difference. */
ty_status compare_configs(ty_ctx *ctx, const char *path, const ty_doc *doc, uint64_t hash,
                          ty_text *difference) TY_MUST_USE;

#endif
