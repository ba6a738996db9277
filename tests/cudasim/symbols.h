/* Names of functions by address, static ones too: dladdr knows only what a file exports, so the
 * file's symbol table is read. */
#ifndef TY_CUDASIM_SYMBOLS_H
#define TY_CUDASIM_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/* Writes the name of the function that holds pc into name (room >= 1, cut to it), or "?" where nothing says it.
 * Returns pc's distance from the function's first byte (from the file's first byte for "?"). */
uint64_t cs_symbol_of(const void *pc, char *name, size_t room);

#endif
