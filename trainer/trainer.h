/* The door of trainer: runs one job on N ranks, from a config to its last checkpoint. */
#ifndef TY_TRAINER_TRAINER_H
#define TY_TRAINER_TRAINER_H

#include "trainer/checkpoint.h"
#include "trainer/comm.h"
#include "trainer/config.h"
#include "trainer/onnx.h"
#include "trainer/train.h"

#endif
