/* The door of data: files in, checked and reproducible batches out. */
#ifndef TY_DATA_DATA_H
#define TY_DATA_DATA_H

#include "data/dataset.h"
#include "data/fitted.h"
#include "data/loader.h"
#include "data/predictions.h"
#include "data/samples.h"

#endif
