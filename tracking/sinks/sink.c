#include "tracking/sinks/sink.h"

static const ty_sink_kind *const kinds[] = {[TY_TARGET_STORE] = &ty_sink_store,
                                            [TY_TARGET_SERVER] = &ty_sink_server,
                                            [TY_TARGET_OFFLINE] = NULL};

const ty_sink_kind *ty_sink_for(const ty_target *target) {
    return kinds[target->kind];
}
