#include "tracking/identity.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

ty_status ty_identity_random(ty_ctx *ctx, char out[33]) {
    unsigned char bytes[16];
    ssize_t got;
    do
        got = getrandom(bytes, sizeof bytes, 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof bytes)
        return ty_fail_errno(ctx, errno, "asking the system for a random name");
    for (int i = 0; i < 16; i++)
        (void)snprintf(out + 2 * i, 3, "%02x", bytes[i]);
    return TY_OK;
}

char *ty_identity_user(ty_ctx *ctx, ty_arena *arena) {
    static const char *const names[] = {"LOGNAME", "USER"};
    for (int i = 0; i < 2; i++) {
        const char *name = ctx->getenv(names[i]);
        if (name && name[0] != '\0')
            return ty_arena_string(arena, name);
    }
    struct passwd entry, *found = NULL;
    char buffer[4096];
    if (getpwuid_r(getuid(), &entry, buffer, sizeof buffer, &found) == 0 && found)
        return ty_arena_string(arena, found->pw_name);
    return ty_arena_printf(arena, "uid %ld", (long)getuid());
}
