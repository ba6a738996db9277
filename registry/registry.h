/* The door of registry: models that leave a run, and the places that know them by name. */
#ifndef TY_REGISTRY_REGISTRY_H
#define TY_REGISTRY_REGISTRY_H

#include "base/base.h"
#include "registry/manifest.h"
#include "registry/package.h"

#endif
