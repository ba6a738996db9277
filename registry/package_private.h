/* What package*.c share. */
#ifndef TY_REGISTRY_PACKAGE_PRIVATE_H
#define TY_REGISTRY_PACKAGE_PRIVATE_H

#include <string.h>

#include "registry/package.h"

/* Letters of ids that MLflow gives. */
#define TY_PACKAGE_ID_LETTERS "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_"

/* "m-" and 32 hex digits, as we and MLflow's SQL store give them. */
static inline bool ty_package_id_is_good(const char *id) {
    return strncmp(id, "m-", 2) == 0 && strlen(id) == TY_PACKAGE_ID - 1 &&
           strspn(id + 2, "0123456789abcdef") == TY_PACKAGE_ID - 3;
}

#endif
