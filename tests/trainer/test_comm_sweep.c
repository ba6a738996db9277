/* What a start removes from /dev/shm, and what it leaves alone. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "trainer/comm_private.h"

/* A segment as OpenMPI would leave it, of a job that is not there. */
static void make_segment(char path[256], const char *host, int number) {
    (void)snprintf(path, 256, "/dev/shm/vader_segment.%s.0.t%x.%d", host, (unsigned)getpid(),
                   number);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, 4096), 0);
    (void)close(fd);
}

static void sweep(void) {
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    ty_comm_sweep(&ctx);
    ty_ctx_clear(&ctx);
}

static const char *own_host(void) {
    static char host[TY_COMM_HOST_BYTES];
    (void)gethostname(host, sizeof host - 1);
    return host;
}

static void a_segment_nobody_maps_is_removed(void **state) {
    (void)state;
    char path[256];
    make_segment(path, own_host(), 0);
    sweep();
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_segment_that_is_mapped_stays(void **state) {
    (void)state;
    char path[256];
    make_segment(path, own_host(), 1);
    int fd = open(path, O_RDWR);
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(memory != MAP_FAILED);
    (void)close(fd);
    sweep();
    assert_int_equal(access(path, F_OK), 0);
    (void)munmap(memory, 4096);
    sweep();
    assert_int_not_equal(access(path, F_OK), 0);
}

static void a_segment_of_another_host_stays(void **state) {
    (void)state;
    char path[256];
    make_segment(path, "another-host", 2);
    sweep();
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(unlink(path), 0);
}

static void a_link_stays(void **state) {
    (void)state;
    char path[256];
    (void)snprintf(path, sizeof path, "/dev/shm/vader_segment.%s.0.t%x.3", own_host(),
                   (unsigned)getpid());
    assert_int_equal(symlink("/dev/null", path), 0);
    sweep();
    char target[32];
    assert_true(readlink(path, target, sizeof target) > 0);
    assert_int_equal(unlink(path), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_segment_nobody_maps_is_removed),
        cmocka_unit_test(a_segment_that_is_mapped_stays),
        cmocka_unit_test(a_segment_of_another_host_stays),
        cmocka_unit_test(a_link_stays),
    };
    return cmocka_run_group_tests_name("comm_sweep", tests, NULL, NULL);
}
