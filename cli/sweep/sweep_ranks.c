#include "cli/sweep/sweep_ranks.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_CONFIG = 16 * 1024 * 1024 };

ty_status sweep_ranks_open(cli *app, sweep_ranks *r) {
    *r = (sweep_ranks){.app = app};
    TY_TRY(signals_init(&app->ctx, &r->signals));
    TY_TRY(ty_comm_open(&app->ctx, NULL, &r->world));
    facts_read(app, &r->facts);
    return ty_comm_agree(&app->ctx, r->world, ty_mail_open(&app->ctx, r->world, &r->mail));
}

static ty_status make_plan(sweep_ranks *r, const sweep *s, int64_t plan[3]) {
    size_t read = 0;
    TY_TRY(ty_file_read_all(&r->app->ctx, s->file.config_path, MAX_CONFIG, &r->config, &read));
    plan[0] = s->file.resources.ranks_per_trial;
    plan[1] = s->n_slots;
    plan[2] = (int64_t)read;
    return TY_OK;
}

static ty_status make_room(sweep_ranks *r, int64_t bytes) {
    char *text = realloc(r->config, (size_t)bytes + 1);
    if (!text)
        return ty_fail_nomem(&r->app->ctx, "the config of a sweep");
    text[bytes] = 0;
    r->config = text;
    return TY_OK;
}

static void say_left_over(const sweep_ranks *r) {
    const int left = ty_comm_size(r->world) - r->n_groups * r->per_trial;
    if (left > 0)
        console_say(&r->app->console, "note: %d rank%s without work", left,
                    left == 1 ? " is" : "s are");
}

ty_status sweep_ranks_divide(sweep_ranks *r, sweep *s, ty_status st) {
    ty_ctx *ctx = &r->app->ctx;
    int64_t plan[3] = {0}; /* ranks of a group, groups, bytes of the config */
    if (st == TY_OK && s)
        st = make_plan(r, s, plan);
    TY_TRY(ty_comm_agree(ctx, r->world, st));
    TY_TRY(ty_comm_broadcast(ctx, r->world, 0, plan, sizeof plan));
    TY_TRY(ty_comm_agree(ctx, r->world, make_room(r, plan[2])));
    TY_TRY(ty_comm_broadcast(ctx, r->world, 0, r->config, (size_t)plan[2]));
    r->per_trial = (int)plan[0];
    r->n_groups = (int)plan[1];
    say_left_over(r);
    const int group = ty_comm_rank(r->world) / r->per_trial;
    r->signals.is_training = true;
    return ty_comm_split(ctx, r->world, group < r->n_groups ? group : -1, &r->group);
}

void sweep_ranks_close(sweep_ranks *r) {
    ty_mail_close(r->mail);
    ty_comm_close(r->group);
    ty_comm_close(r->world);
    signals_clear(&r->signals);
    ty_text_clear(&r->answer);
    free(r->config);
}
