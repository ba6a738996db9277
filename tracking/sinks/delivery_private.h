/* The inside of delivery*.c. */
#ifndef TY_TRACKING_SINKS_DELIVERY_PRIVATE_H
#define TY_TRACKING_SINKS_DELIVERY_PRIVATE_H

#include "tracking/sinks/delivery.h"

enum {
    TY_DELIVERY_TARGET = 1,
    TY_DELIVERY_RUN,
    TY_DELIVERY_ACK,
    TY_DELIVERY_FILE,
    TY_DELIVERY_MODEL,
    TY_DELIVERY_DEAD,
    TY_DELIVERY_GONE,
    TY_DELIVERY_AGAIN,
    TY_DELIVERY_END
};

/* "made", "ready", "failed". */
const char *ty_delivered_state_name(ty_delivered_state state);

/* "run" -> run + "/delivery.journal"; in arena, NULL: no memory. */
char *ty_delivery_journal_path(ty_arena *arena, const char *run_folder);

#endif
