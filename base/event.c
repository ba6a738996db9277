/* Telling all observers of an event. */
#include "base/event.h"

#include <stddef.h>

static int strength(ty_answer answer) {
    return answer == TY_STOP ? 2 : answer == TY_PAUSE ? 1 : 0;
}

static void take_stronger(ty_answer answer, const char *why, ty_answer *strongest,
                          const char **reason) {
    if (strength(answer) <= strength(*strongest))
        return;
    *strongest = answer;
    *reason = why;
}

ty_answer ty_observers_notify(const ty_observers *observers, const ty_event *event,
                              const char **reason) {
    ty_answer strongest = TY_CONTINUE;
    *reason = NULL;
    for (int64_t i = 0; i < observers->n; i++) {
        const ty_observer *observer = &observers->v[i];
        const char *why = NULL;
        const ty_answer answer = observer->notify(observer->self, event, &why);
        take_stronger(answer, why, &strongest, reason);
    }
    return strongest;
}

bool ty_observers_wait(const ty_observers *observers, ty_answer *answer, const char **reason) {
    bool any = false;
    *answer = TY_CONTINUE;
    *reason = NULL;
    for (int64_t i = 0; i < observers->n; i++) {
        const ty_observer *observer = &observers->v[i];
        const char *why = NULL;
        ty_answer own = TY_CONTINUE;
        if (!observer->waits)
            continue;
        any = observer->waits(observer->self, &own, &why) || any;
        take_stronger(own, why, answer, reason);
    }
    return any;
}

void ty_observers_keep(ty_ctx *ctx, const ty_observers *observers) {
    for (int64_t i = 0; i < observers->n; i++)
        if (observers->v[i].keep)
            observers->v[i].keep(ctx, observers->v[i].self);
}
