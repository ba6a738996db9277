/* The door of base: everything that knows no word of machine learning. */
#ifndef TY_BASE_BASE_H
#define TY_BASE_BASE_H

#include "base/arena.h"
#include "base/checked.h"
#include "base/ctx.h"
#include "base/doc.h"
#include "base/event.h"
#include "base/hash.h"
#include "base/io.h"
#include "base/journal.h"
#include "base/lease.h"
#include "base/nvml.h"
#include "base/rng.h"
#include "base/rows.h"
#include "base/status.h"
#include "base/system.h"
#include "base/text.h"

#endif
