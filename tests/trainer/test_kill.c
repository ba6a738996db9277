/* kill -9 at random moments: whatever was lost since the last checkpoint is computed again, to the
 * same bits. The seed is printed; TY_TEST_SEED repeats a run, TY_TEST_KILLS sets how many kills
 * there are. TY_RUNNER comes from CMake. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/rng.h"
#include "tests/support/temp_folder.h"

enum { KILLS = 12, LONGEST_MS = 250 };

static const char *const config =
    "{\"data\": {\"source\": \"synthetic:150x1x8x8x4\", \"val_fraction\": 0.3, \"flip\": 0.5,"
    "\"crop_padding\": 1},"
    "\"model\": {\"layers\": [{\"type\": \"conv2d\", \"out\": 4}, \"batch_norm\", \"relu\","
    "\"flatten\", {\"type\": \"dropout\", \"rate\": 0.2}, \"linear\"]},"
    "\"train\": {\"duration\": \"150 steps\", \"global_batch_size\": 48, \"threads\": 1},"
    "\"eval\": {\"every\": \"20 steps\"}, \"checkpoint\": {\"every\": \"1 steps\"}}";

static pid_t start(const char *config_path, const char *run, const char *out) {
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    const int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0)
        _exit(126);
    execl(TY_RUNNER, TY_RUNNER, config_path, run, "0", "train", (char *)NULL);
    _exit(127);
}

static void finish(pid_t child) {
    int status;
    assert_true(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the job ended with wait status %d", status);
}

/* True where the process was still there to be killed. */
static bool kill_after(pid_t child, uint32_t ms) {
    const struct timespec nap = {.tv_nsec = (long)ms * 1000000};
    int status;
    (void)nanosleep(&nap, NULL);
    (void)kill(child, SIGKILL);
    assert_true(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status);
}

/* "step N hash H best B": what has to be equal. */
static void read_outcome(const char *path, char out[128]) {
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(out, 128, file));
    assert_int_equal(fclose(file), 0);
    char *rest = strstr(out, " loss ");
    assert_non_null(rest);
    *rest = '\0';
}

static long number_from(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : otherwise;
}

typedef struct bench {
    temp_folder folder;
    char config[2 * TEMP_FOLDER_BYTES], run[2 * TEMP_FOLDER_BYTES], out[2 * TEMP_FOLDER_BYTES];
    char whole[128]; /* outcome of a run that nobody disturbs */
    int n_runs;
} bench;

static void next_run(bench *b) {
    char name[32];
    (void)snprintf(name, sizeof name, "run%d", b->n_runs++);
    (void)temp_folder_path(&b->folder, name, b->run);
}

static void open_bench(bench *b) {
    *b = (bench){.folder = temp_folder_make()};
    FILE *file = fopen(temp_folder_path(&b->folder, "config.json", b->config), "w");
    assert_non_null(file);
    (void)fputs(config, file);
    assert_int_equal(fclose(file), 0);
    (void)temp_folder_path(&b->folder, "out", b->out);
    finish(start(b->config, "-", b->out));
    read_outcome(b->out, b->whole);
    next_run(b);
}

static void check_outcome(bench *b) {
    char pieces[128];
    read_outcome(b->out, pieces);
    assert_string_equal(pieces, b->whole);
    next_run(b);
}

static void killed_runs_end_with_the_same_bits(void **state) {
    (void)state;
    bench b;
    open_bench(&b);
    const long seed = number_from("TY_TEST_SEED", (long)time(NULL));
    const long kills = number_from("TY_TEST_KILLS", KILLS);
    (void)printf("TY_TEST_SEED=%ld\n", seed);
    for (long i = 0; i < kills;) {
        const ty_rng_block block =
            ty_rng_draw(ty_rng_key_of((uint64_t)seed, TY_STREAM_SYNTHETIC), (uint64_t)i, 0);
        if (kill_after(start(b.config, b.run, b.out), block.v[0] % LONGEST_MS))
            i++;
        else
            check_outcome(&b); /* it ended before: the same delay tries a new run */
    }
    finish(start(b.config, b.run, b.out));
    check_outcome(&b);
    (void)printf("%ld kills, %d runs\n", kills, b.n_runs - 1);
    temp_folder_remove(&b.folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_runs_end_with_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
