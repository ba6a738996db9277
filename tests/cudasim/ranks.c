#include "ranks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "cuda_api.h"

static pid_t start(const rank_setup *setup, int n_devices, rank_fn *body, FILE *output) {
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child > 0)
        return child;
    char devices[16];
    snprintf(devices, sizeof devices, "%d", n_devices);
    setenv("CUDASIM_DEVICES", devices, 1);
    dup2(fileno(output), STDERR_FILENO);
    if (cudaSetDevice(setup->rank % n_devices))
        _exit(200);
    int code = body(setup);
    _exit(code ? code : cs_report_count() ? CS_EXIT_REPORTED : 0);
}

static void end(pid_t child, FILE *output, caught *ended) {
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    ended->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
    rewind(output);
    size_t n = fread(ended->text, 1, sizeof ended->text - 1, output);
    ended->text[n] = 0;
    fclose(output);
}

/* The id is made in a process of its own, so that this one never starts the simulator. */
static int make_id(const void *arg) {
    ncclUniqueId id;
    (void)arg;
    if (ncclGetUniqueId(&id))
        return 1;
    for (size_t i = 0; i < 8; i++)
        fprintf(stderr, "%02x", (unsigned char)id.internal[i]);
    return 0;
}

static ncclUniqueId new_id(void) {
    ncclUniqueId id = {{0}};
    caught c = run_apart(make_id, NULL);
    assert_int_equal(c.exit_code, 0);
    for (int i = 0; i < 8; i++) {
        unsigned byte = 0;
        assert_int_equal(sscanf(c.text + 2 * i, "%2x", &byte), 1);
        id.internal[i] = (char)byte;
    }
    return id;
}

void ranks_run(int size, int n_devices, rank_fn *body, const void *arg, caught *ended) {
    rank_setup setup = {.size = size, .id = new_id(), .arg = arg};
    pid_t children[CS_NCCL_RANKS];
    FILE *outputs[CS_NCCL_RANKS];
    for (setup.rank = 0; setup.rank < size; setup.rank++) {
        outputs[setup.rank] = tmpfile();
        assert_non_null(outputs[setup.rank]);
        children[setup.rank] = start(&setup, n_devices, body, outputs[setup.rank]);
    }
    for (int i = 0; i < size; i++)
        end(children[i], outputs[i], &ended[i]);
}

void assert_clean(const caught *ended, int size) {
    for (int i = 0; i < size; i++)
        if (ended[i].exit_code != 0)
            fail_msg("rank %d of %d ended with %d:\n%s", i, size, ended[i].exit_code,
                     ended[i].text);
}
