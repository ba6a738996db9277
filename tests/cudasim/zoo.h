/* Runs the rows of a bug zoo: `program NAME wrong` must be reported, `program NAME right` must not. */
#ifndef TY_CUDASIM_ZOO_H
#define TY_CUDASIM_ZOO_H

#include <stddef.h>

typedef struct zoo_row {
    const char *name;
    const char *kind;   /* "bounds" */
    const char *says;   /* what the report has to contain: the line, or the name of what is wrong */
    const char *prints; /* what the program has to print */
} zoo_row;

/* Each row is two cmocka tests, run under four schedules. Returns main's value. */
int zoo_main(const char *program, const zoo_row *rows, size_t n_rows);

#endif
