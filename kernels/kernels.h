/* The door of kernels: maths on a device, the same op behind one table everywhere. */
#ifndef TY_KERNELS_KERNELS_H
#define TY_KERNELS_KERNELS_H

#include "kernels/attrs.h"
#include "kernels/clique.h"
#include "kernels/device.h"
#include "kernels/flat.h"
#include "kernels/op.h"
#include "kernels/tensor.h"

#endif
