/* What base/system.c and base/system_group.c share. */
#ifndef TY_BASE_SYSTEM_PRIVATE_H
#define TY_BASE_SYSTEM_PRIVATE_H

#include "base/system.h"

/* A file's text, or NULL, also for a path that is NULL. The caller's to free. */
char *ty_system_slurp(ty_ctx *ctx, const char *path);

/* The number that text begins with, after blanks; NAN where there is none. */
double ty_system_number(const char *text);

/* The number behind key, which begins a line ("MemTotal:", "usage_usec"), in the file at path; key
 * NULL: the file's first. NAN where there is none. */
double ty_system_file_number(ty_ctx *ctx, const char *path, const char *key);
double ty_system_number_of(const char *text, const char *key);

/* Puts the control group's limits and use in place of the machine's, where they are less. cores: the
 * machine's. */
void ty_system_limit(ty_ctx *ctx, const char *root, int cores, ty_system_reading *out);

#endif
