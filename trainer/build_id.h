/* Which build this program is: the linker's build id, so that ranks of different builds notice each
 * other. */
#ifndef TY_TRAINER_BUILD_ID_H
#define TY_TRAINER_BUILD_ID_H

#include <stddef.h>

/* Writes the hex digits of the main program's GNU build id; "none" where it was linked without
 * one. */
void ty_build_id(char *out, size_t bytes);

#endif
