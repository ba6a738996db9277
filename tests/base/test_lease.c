/* Leases between processes of this host, and files as other hosts would have left them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/lease.h"
#include "tests/support/temp_folder.h"

/* Of what another host left: no machine is so busy that it runs out while a test looks. */
enum { TTL_MS = 2000, LEFT_TTL_MS = 60000 };

typedef struct fixture {
    ty_ctx ctx;
    temp_folder folder;
    char path[2 * TEMP_FOLDER_BYTES];
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    f->folder = temp_folder_make();
    temp_folder_path(&f->folder, "run.lease", f->path);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    temp_folder_remove(&f->folder);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

static void pause_ms(int milliseconds) {
    struct timespec time = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = (long)(milliseconds % 1000) * 1000000};
    assert_int_equal(nanosleep(&time, NULL), 0);
}

/* A child that takes the lease, says so through a pipe, and waits to be killed. */
static pid_t start_holder(fixture *f) {
    int ends[2];
    char said = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        ty_lease *lease = NULL;
        if (ty_lease_acquire(&f->ctx, f->path, TTL_MS, &lease) != TY_OK)
            _exit(1);
        if (write(ends[1], "!", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &said, 1), 1);
    (void)close(ends[0]);
    return child;
}

static void end_holder(pid_t child) {
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

/* A lease file as a process somewhere else would have written it. */
static void leave_file(fixture *f, const char *host, const char *boot, int64_t age_ms) {
    char text[512];
    memset(text, '\n', sizeof text);
    int length = snprintf(text, sizeof text,
                          "tiltyard-lease 1\nhost %s\nboot %s\npid 17\ntaken_ns 1\nttl_ms %d\n"
                          "beat_ms %" PRId64 "\n",
                          host, boot, LEFT_TTL_MS, ty_now_wall_ns(&f->ctx) / 1000000 - age_ms);
    int more = snprintf(text + length, sizeof text - (size_t)length, "check %016" PRIx64 "\n",
                        ty_hash64(text, (size_t)length));
    text[length + more] = '\n';
    assert_int_equal(ty_file_write_atomic(&f->ctx, f->path, text, sizeof text), TY_OK);
}

static void expect_taken_over(fixture *f) {
    ty_lease *lease = NULL;
    assert_false(ty_lease_is_held(&f->ctx, f->path));
    assert_int_equal(ty_lease_acquire(&f->ctx, f->path, TTL_MS, &lease), TY_OK);
    ty_lease_release(&f->ctx, lease);
}

static void a_lease_is_taken_held_and_gone_when_released(void **state) {
    fixture *f = *state;
    ty_lease *lease = NULL;
    assert_false(ty_lease_is_held(&f->ctx, f->path));
    assert_int_equal(ty_lease_acquire(&f->ctx, f->path, TTL_MS, &lease), TY_OK);
    assert_true(ty_lease_is_held(&f->ctx, f->path));
    assert_false(ty_lease_is_lost(lease));
    ty_lease_release(&f->ctx, lease);
    assert_false(ty_lease_is_held(&f->ctx, f->path));
    assert_false(ty_file_exists(&f->ctx, f->path));
    ty_lease_release(&f->ctx, NULL);
}

static void a_second_one_is_told_who_has_it(void **state) {
    fixture *f = *state;
    char want[64];
    ty_lease *lease = NULL;
    pid_t child = start_holder(f);
    assert_int_equal(ty_lease_acquire(&f->ctx, f->path, TTL_MS, &lease), TY_ERR_BUSY);
    (void)snprintf(want, sizeof want, "process %ld on host ", (long)child);
    assert_non_null(strstr(f->ctx.message, want));
    assert_non_null(strstr(f->ctx.message, "s ago"));
    end_holder(child);
}

static void a_killed_holder_is_followed_at_once(void **state) {
    fixture *f = *state;
    end_holder(start_holder(f));
    expect_taken_over(f);
}

static void a_suspended_holder_keeps_its_lease_beyond_the_expiry(void **state) {
    fixture *f = *state;
    ty_lease *lease = NULL;
    pid_t child = start_holder(f);
    assert_int_equal(kill(child, SIGSTOP), 0);
    pause_ms(TTL_MS + 300);
    assert_true(ty_lease_is_held(&f->ctx, f->path));
    assert_int_equal(ty_lease_acquire(&f->ctx, f->path, TTL_MS, &lease), TY_ERR_BUSY);
    end_holder(child);
}

static int64_t last_beat(fixture *f) {
    char *text;
    size_t bytes;
    int64_t beat = 0;
    assert_int_equal(ty_file_read_all(&f->ctx, f->path, 1024, &text, &bytes), TY_OK);
    assert_int_equal(bytes, 512);
    const char *at = strstr(text, "beat_ms ");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "beat_ms %" SCNd64, &beat), 1);
    free(text);
    return beat;
}

static void a_heartbeat_keeps_the_age_below_the_ttl(void **state) {
    fixture *f = *state;
    ty_lease *lease = NULL;
    assert_int_equal(ty_lease_acquire(&f->ctx, f->path, TTL_MS, &lease), TY_OK);
    pause_ms(TTL_MS + 300);
    const int64_t beat = last_beat(f);
    assert_true(ty_now_wall_ns(&f->ctx) / 1000000 - beat < TTL_MS);
    ty_lease_release(&f->ctx, lease);
}

/* While the heartbeat writes the file. */
static void a_check_says_at_any_moment_that_the_lease_is_held(void **state) {
    fixture *f = *state;
    ty_lease *lease = NULL;
    int beats = 0;
    assert_int_equal(ty_lease_acquire(&f->ctx, f->path, 100, &lease), TY_OK);
    int64_t seen = last_beat(f);
    for (int n = 0; n < 10000 && beats < 5; n++) {
        assert_int_equal(ty_lease_check(&f->ctx, lease), TY_OK);
        const int64_t now = last_beat(f);
        beats += now != seen;
        seen = now;
        pause_ms(1);
    }
    assert_int_equal(beats, 5);
    ty_lease_release(&f->ctx, lease);
}

static void another_host_is_waited_for_until_it_expires(void **state) {
    fixture *f = *state;
    ty_lease *lease = NULL;
    leave_file(f, "elsewhere", "boot-of-elsewhere", 500);
    assert_true(ty_lease_is_held(&f->ctx, f->path));
    assert_int_equal(ty_lease_acquire(&f->ctx, f->path, TTL_MS, &lease), TY_ERR_BUSY);
    assert_non_null(strstr(f->ctx.message, "process 17 on host elsewhere"));
    leave_file(f, "elsewhere", "boot-of-elsewhere", LEFT_TTL_MS + 1000);
    expect_taken_over(f);
}

static void an_earlier_boot_of_this_host_is_dead(void **state) {
    fixture *f = *state;
    char host[256] = "";
    assert_int_equal(gethostname(host, sizeof host - 1), 0);
    leave_file(f, host, "an-earlier-boot", 0);
    expect_taken_over(f);
}

static ty_lease *acquire(fixture *f) {
    ty_lease *lease = NULL;
    assert_int_equal(ty_lease_acquire(&f->ctx, f->path, TTL_MS, &lease), TY_OK);
    return lease;
}

/* What no lock says is gone may have something open; whoever dies in between, that is not forgotten. */
static void that_one_before_may_wake_up_is_known_until_it_is_settled(void **state) {
    fixture *f = *state;
    end_holder(start_holder(f));
    ty_lease *lease = acquire(f);
    assert_false(ty_lease_may_wake(lease));
    ty_lease_release(&f->ctx, lease);
    leave_file(f, "elsewhere", "boot-of-elsewhere", LEFT_TTL_MS + 1000);
    end_holder(start_holder(f));
    lease = acquire(f);
    assert_true(ty_lease_may_wake(lease));
    ty_lease_release(&f->ctx, lease);
    assert_false(ty_lease_is_held(&f->ctx, f->path));
    lease = acquire(f);
    assert_true(ty_lease_may_wake(lease));
    assert_int_equal(ty_lease_settle(&f->ctx, lease), TY_OK);
    ty_lease_release(&f->ctx, lease);
    assert_false(ty_file_exists(&f->ctx, f->path));
}

static void an_unreadable_file_is_nobody(void **state) {
    fixture *f = *state;
    static const char *const texts[] = {"", "tiltyard-lease 1\nhost",
                                        "\x7f"
                                        "ELF",
                                        "tiltyard-lease 1\nhost a\nboot b\npid 1\ntaken_ns 1\n"
                                        "ttl_ms 9\nbeat_ms 99999999999999\ncheck 0\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(ty_file_write_atomic(&f->ctx, f->path, texts[i], strlen(texts[i])), TY_OK);
        expect_taken_over(f);
    }
}

static void a_lease_that_was_taken_over_is_lost_and_left_alone(void **state) {
    fixture *f = *state;
    ty_lease *lease = NULL;
    assert_int_equal(ty_lease_acquire(&f->ctx, f->path, 100, &lease), TY_OK);
    leave_file(f, "elsewhere", "boot-of-elsewhere", 0);
    for (int n = 0; n < 3000 && !ty_lease_is_lost(lease); n++)
        pause_ms(20);
    assert_true(ty_lease_is_lost(lease));
    ty_lease_release(&f->ctx, lease);
    assert_true(ty_lease_is_held(&f->ctx, f->path)); /* by elsewhere, still */
}

/* Released before a heartbeat could have noticed. */
static void a_lease_that_was_just_taken_over_is_left_alone_too(void **state) {
    fixture *f = *state;
    ty_lease *lease = NULL;
    assert_int_equal(ty_lease_acquire(&f->ctx, f->path, 3600000, &lease), TY_OK);
    leave_file(f, "elsewhere", "boot-of-elsewhere", 0);
    assert_false(ty_lease_is_lost(lease));
    ty_lease_release(&f->ctx, lease);
    assert_true(ty_lease_is_held(&f->ctx, f->path));
}

static void a_folder_that_is_missing_is_said(void **state) {
    fixture *f = *state;
    ty_lease *lease = NULL;
    temp_folder_path(&f->folder, "none/run.lease", f->path);
    assert_int_equal(ty_lease_acquire(&f->ctx, f->path, TTL_MS, &lease), TY_ERR_NOT_FOUND);
    assert_int_equal(ty_lease_acquire(&f->ctx, f->path, 10, &lease), TY_ERR_ARG);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(a_lease_is_taken_held_and_gone_when_released),
        WITH_FOLDER(a_second_one_is_told_who_has_it),
        WITH_FOLDER(a_killed_holder_is_followed_at_once),
        WITH_FOLDER(a_suspended_holder_keeps_its_lease_beyond_the_expiry),
        WITH_FOLDER(a_heartbeat_keeps_the_age_below_the_ttl),
        WITH_FOLDER(a_check_says_at_any_moment_that_the_lease_is_held),
        WITH_FOLDER(another_host_is_waited_for_until_it_expires),
        WITH_FOLDER(an_earlier_boot_of_this_host_is_dead),
        WITH_FOLDER(that_one_before_may_wake_up_is_known_until_it_is_settled),
        WITH_FOLDER(an_unreadable_file_is_nobody),
        WITH_FOLDER(a_lease_that_was_taken_over_is_lost_and_left_alone),
        WITH_FOLDER(a_lease_that_was_just_taken_over_is_left_alone_too),
        WITH_FOLDER(a_folder_that_is_missing_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
