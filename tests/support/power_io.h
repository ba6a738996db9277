/* A file system that remembers what was done to it, to ask afterwards what a power cut could have
 * left.
 *
 * The model: a write is sure once its file was fsynced, a name (create, rename, unlink) once its
 * folder was. What came after may be there or not: names as any subset in their order, writes as
 * any subset of their 4 KiB pages, lengths as what was written so far. One folder, one file at a
 * time being written; everything starts from an empty folder. */
#ifndef TY_TESTS_SUPPORT_POWER_IO_H
#define TY_TESTS_SUPPORT_POWER_IO_H

#include "base/io.h"

typedef struct power_io power_io;

power_io *power_io_open(void);
void power_io_close(power_io *power);
const ty_io *power_io_io(power_io *power); /* for ctx->io; does everything for real, too */

/* Notes that `value` was promised at this point. */
void power_io_promise(power_io *power, int64_t value);

size_t power_io_count(const power_io *power);

/* Makes in folder (which is empty) what a cut after the first `count` operations may leave; *seed
 * chooses what of the unsure is there. Returns the last promise before the cut, -1 for none. */
int64_t power_io_cut(const power_io *power, size_t count, uint64_t *seed, const char *folder);

#endif
