/* The handler of SIGSEGV: a fault of the host in device memory is a report and the end; in pinned memory that queued
 * work still uses a report, and the program goes on; anything else goes to whoever handled it before. */
#ifndef TY_CUDASIM_TRAPS_H
#define TY_CUDASIM_TRAPS_H

void cs_traps_start(void);

#endif
