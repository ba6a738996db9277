/* What will happen, in words, before it happens: `check`, and the lines `train` starts with. */
#ifndef TY_CLI_PLAN_H
#define TY_CLI_PLAN_H

#include "cli/job.h"

/* The head of a run on stderr: version, data, model, memory. */
void plan_say(cli *app, const job *j, const ty_trainer *trainer);

/* Plans without running and prints the resolved config with origins, layers, memory and steps.
 * Writes nothing. The config must have been read. */
ty_status plan_check(cli *app, job *j) TY_MUST_USE;

#endif
