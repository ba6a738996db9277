/* Writes one sample checkpoint for other tools to read: write_checkpoint PATH. */
#include "tests/trainer/checkpoint_fixture.h"

int main(int argc, char **argv) {
    ty_ctx ctx;
    sample s;
    if (argc != 2)
        return 2;
    ty_ctx_init(&ctx);
    sample_init(&s, 7);
    ty_status st = ty_checkpoint_write(&ctx, argv[1], &s.content);
    if (st != TY_OK)
        (void)fprintf(stderr, "%s\n", ctx.message);
    sample_clear(&s);
    ty_ctx_clear(&ctx);
    return ty_status_exit_code(st);
}
