/* Telling all observers of an event. */
#include "base/event.h"

#include <stddef.h>

static int strength(ty_answer answer) {
    return answer == TY_STOP ? 2 : answer == TY_PAUSE ? 1 : 0;
}

ty_answer ty_observers_notify(const ty_observers *observers, const ty_event *event,
                              const char **reason) {
    ty_answer strongest = TY_CONTINUE;
    *reason = NULL;
    for (int64_t i = 0; i < observers->n; i++) {
        const ty_observer *observer = &observers->v[i];
        const char *why = NULL;
        ty_answer answer = observer->notify(observer->self, event, &why);
        if (strength(answer) > strength(strongest)) {
            strongest = answer;
            *reason = why;
        }
    }
    return strongest;
}
