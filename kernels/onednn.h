/* The one door to oneDNN: lanes, and primitives as calls. Only onednn*.c see its header, so that
 * moving to oneDNN 3 (which has no op descriptors) touches nothing else. */
#ifndef TY_KERNELS_ONEDNN_H
#define TY_KERNELS_ONEDNN_H

#include "kernels/cpu.h"

typedef struct ty_onednn ty_onednn; /* engine and stream of one lane */

/* Caps the process's instruction set to the level (once for all: another level later is
 * TY_ERR_DEVICE) and keeps f32 maths in f32 whatever the environment says. */
ty_status ty_onednn_open(ty_ctx *ctx, int isa_level, ty_onednn **out) TY_MUST_USE;
void ty_onednn_close(ty_onednn *dnn);

/* "2.6.3" of the library that is loaded. */
const char *ty_onednn_version(char text[32]);

#endif
