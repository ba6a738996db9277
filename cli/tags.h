/* Tags of where a run comes from, under the names that MLflow's UI knows. */
#ifndef TY_CLI_TAGS_H
#define TY_CLI_TAGS_H

#include "cli/facts.h"

typedef void (*tags_fn)(void *self, const char *key, const char *value);

/* Calls tell for each tag: git's commit, branch, origin and whether files differ from them; the
 * parent that MLFLOW_PARENT_RUN_ID names; last, what MLFLOW_RUN_CONTEXT holds (a JSON object), so
 * that whoever starts a run has the last word. A context that is none is said and left out. */
void tags_of_origin(ty_ctx *ctx, const facts *f, tags_fn tell, void *self);

#endif
