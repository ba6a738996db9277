/* What will happen, in words, before it happens: `check`, and the lines `train` starts with. */
#ifndef TY_CLI_PLAN_H
#define TY_CLI_PLAN_H

#include "cli/job.h"

/* The head of a run on stderr: version, data, model, memory. */
void plan_say(cli *app, const job *j, const ty_trainer *trainer);

/* Plans without running and prints the resolved config with origins, layers, memory and steps.
 * Writes nothing. The config must have been read. */
ty_status plan_check(cli *app, job *j) TY_MUST_USE;

/* Compares the result keys of the config at path with doc's. Equal hashes are TY_OK; otherwise
 * TY_ERR_CONFIG, with one "  key: old -> new" line a difference. */
ty_status plan_compare_configs(ty_ctx *ctx, const char *path, const ty_doc *doc, uint64_t hash,
                               ty_text *difference) TY_MUST_USE;

#endif
