/* Programs that are started by name. */
#ifndef TY_CLI_PROGRAM_H
#define TY_CLI_PROGRAM_H

#include "base/base.h"

/* Whether execvp will find the program and may run it: a name with a slash is a path, another one is
 * looked for in the folders of PATH. */
bool program_is_found(ty_ctx *ctx, const char *program);

#endif
