/* Every operation of a journal's life and of an atomic write, failed once and for ever in each way:
 * what was promised stays, nothing half done is ever read, and afterwards everything works
 * again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/journal.h"
#include "tests/support/fault_io.h"
#include "tests/support/temp_folder.h"

enum { RECORDS = 6, TRIES = 3 };

/* What the scenario was promised; in memory that outlives a killed child. */
typedef struct promises {
    uint64_t appended, synced;
    bool is_written;
} promises;

typedef struct fixture {
    ty_ctx ctx, faulty;
    fault_io fault;
    temp_folder folder;
    char path[2 * TEMP_FOLDER_BYTES];
    promises *promised;
} fixture;

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    ty_ctx_init(&f->faulty);
    fault_io_init(&f->fault);
    f->faulty.io = &f->fault.io;
    f->folder = temp_folder_make();
    temp_folder_path(&f->folder, "a", f->path);
    f->promised =
        mmap(NULL, sizeof *f->promised, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(f->promised, MAP_FAILED);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    temp_folder_remove(&f->folder);
    (void)munmap(f->promised, sizeof *f->promised);
    ty_ctx_clear(&f->faulty);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

typedef void (*scenario)(fixture *f);

/* Runs it; with FAULT_KILL in a child, which has to die by the signal or end well. */
static void run(fixture *f, scenario act, fault_kind kind, long long at, bool is_sticky) {
    int exit_status = 0;
    *f->promised = (promises){0};
    fault_io_arm(&f->fault, kind, at, is_sticky);
    if (kind != FAULT_KILL) {
        act(f);
        return;
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        act(f);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &exit_status, 0), child);
    assert_true(exit_status == 0 || (WIFSIGNALED(exit_status) && WTERMSIG(exit_status) == SIGKILL));
}

/* Every fault at every operation; prepare before, check after each. */
static void sweep(fixture *f, scenario prepare, scenario act, scenario check) {
    int points = 0;
    prepare(f);
    run(f, act, FAULT_NONE, 0, false);
    long long operations = fault_io_count(&f->fault);
    assert_true(operations > 3);
    for (fault_kind kind = FAULT_EIO; kind < FAULT_KINDS; kind++)
        for (int sticky = 0; sticky < (kind == FAULT_KILL ? 1 : 2); sticky++)
            for (long long at = 1; at <= operations; at++, points++) {
                prepare(f);
                run(f, act, kind, at, sticky != 0);
                f->ctx.message[0] = '\0';
                check(f);
            }
    print_message("%d fault points in %lld operations\n", points, operations);
}

/* --- journal ---------------------------------------------------------------------------------- */

static void payload_of(uint64_t n, char out[64]) {
    (void)snprintf(out, 64, "record %" PRIu64 " says %" PRIu64, n, n * n);
}

/* Appends to RECORDS, tries again what failed, syncs after each second record. */
static void write_journal(fixture *f) {
    ty_journal *journal = NULL;
    char payload[64];
    int tries = 0;
    while (ty_journal_open(&f->faulty, f->path, &journal) != TY_OK)
        if (++tries == TRIES)
            return;
    for (tries = 0; ty_journal_last_sequence(journal) < RECORDS && tries < TRIES;) {
        uint64_t n = ty_journal_last_sequence(journal) + 1;
        payload_of(n, payload);
        if (ty_journal_append(&f->faulty, journal, 1, payload, sizeof payload, NULL) != TY_OK) {
            tries++;
            continue;
        }
        f->promised->appended = n;
        if (n % 2 == 0 && ty_journal_sync(&f->faulty, journal) == TY_OK)
            f->promised->synced = n;
    }
    if (ty_journal_close(&f->faulty, journal) == TY_OK)
        f->promised->synced = f->promised->appended;
}

static uint64_t read_journal(fixture *f) {
    ty_journal_reader *reader = NULL;
    ty_journal_record record;
    bool has_record = true;
    char payload[64];
    uint64_t count = 0;
    if (ty_journal_reader_open(&f->ctx, f->path, &reader) != TY_OK)
        return 0;
    while (has_record) {
        if (ty_journal_reader_next(&f->ctx, reader, &record, &has_record) != TY_OK)
            fail_msg("%s at %lld: %s", fault_kind_name(f->fault.kind), f->fault.fail_at,
                     f->ctx.message);
        if (!has_record)
            break;
        payload_of(++count, payload);
        assert_int_equal(record.sequence, count);
        assert_int_equal(record.payload_bytes, sizeof payload);
        assert_string_equal(record.payload, payload);
    }
    ty_journal_reader_close(reader);
    return count;
}

static void check_journal(fixture *f) {
    ty_journal *journal = NULL;
    char payload[64];
    uint64_t count = read_journal(f);
    if (count < f->promised->synced || count < f->promised->appended || count > RECORDS)
        fail_msg("%s at %lld%s: %" PRIu64 " records, %" PRIu64 " appended, %" PRIu64 " synced",
                 fault_kind_name(f->fault.kind), f->fault.fail_at,
                 f->fault.is_sticky ? " for ever" : "", count, f->promised->appended,
                 f->promised->synced);
    if (ty_journal_open(&f->ctx, f->path, &journal) != TY_OK)
        fail_msg("%s at %lld: %s", fault_kind_name(f->fault.kind), f->fault.fail_at,
                 f->ctx.message);
    payload_of(count + 1, payload);
    assert_int_equal(ty_journal_append(&f->ctx, journal, 1, payload, sizeof payload, NULL), TY_OK);
    assert_int_equal(ty_journal_close(&f->ctx, journal), TY_OK);
    assert_int_equal(read_journal(f), count + 1);
}

static void remove_file(fixture *f) {
    assert_int_equal(ty_file_unlink(&f->ctx, f->path), TY_OK);
}

static void leave_torn_journal(fixture *f) {
    remove_file(f);
    fault_io_arm(&f->fault, FAULT_NONE, 0, false);
    write_journal(f);
    assert_int_equal(truncate(f->path, 8 + 3 * (24 + 64) + 30), 0);
}

static void no_fault_loses_a_record_of_a_new_journal(void **state) {
    sweep(*state, remove_file, write_journal, check_journal);
}

static void no_fault_loses_a_record_of_a_journal_with_a_torn_tail(void **state) {
    sweep(*state, leave_torn_journal, write_journal, check_journal);
}

static void a_record_that_cannot_be_cut_stops_the_journal_until_it_is_opened_again(void **state) {
    fixture *f = *state;
    ty_journal *journal = NULL;
    assert_int_equal(ty_journal_open(&f->faulty, f->path, &journal), TY_OK);
    assert_int_equal(ty_journal_append(&f->faulty, journal, 1, "12345678", 8, NULL), TY_OK);
    fault_io_arm(&f->fault, FAULT_TORN, 1, true); /* half a record, and ftruncate says EIO */
    assert_int_equal(ty_journal_append(&f->faulty, journal, 1, "abcdefgh", 8, NULL), TY_ERR_IO);
    fault_io_arm(&f->fault, FAULT_NONE, 0, false);
    assert_int_equal(ty_journal_append(&f->faulty, journal, 1, "abcdefgh", 8, NULL), TY_ERR_IO);
    assert_non_null(strstr(f->faulty.message, "open it again"));
    assert_int_equal(ty_journal_close(&f->faulty, journal), TY_OK);
    assert_int_equal(ty_journal_open(&f->ctx, f->path, &journal), TY_OK);
    assert_int_equal(ty_journal_last_sequence(journal), 1);
    assert_int_equal(ty_journal_append(&f->ctx, journal, 1, "abcdefgh", 8, NULL), TY_OK);
    assert_int_equal(ty_journal_close(&f->ctx, journal), TY_OK);
}

static void a_failed_sync_writes_the_records_once_more(void **state) {
    fixture *f = *state;
    ty_journal *journal = NULL;
    assert_int_equal(ty_journal_open(&f->faulty, f->path, &journal), TY_OK);
    assert_int_equal(ty_journal_append(&f->faulty, journal, 1, "12345678", 8, NULL), TY_OK);
    fault_io_arm(&f->fault, FAULT_EIO, 1, false);
    assert_int_equal(ty_journal_sync(&f->faulty, journal), TY_ERR_IO);
    fault_io_arm(&f->fault, FAULT_NONE, 0, false);
    assert_int_equal(ty_journal_sync(&f->faulty, journal), TY_OK);
    assert_true(fault_io_count(&f->fault) >
                1); /* not the bare sync, which would say yes to nothing */
    fault_io_arm(&f->fault, FAULT_NONE, 0, false);
    assert_int_equal(ty_journal_sync(&f->faulty, journal), TY_OK);
    assert_int_equal(fault_io_count(&f->fault), 0);
    assert_int_equal(ty_journal_close(&f->faulty, journal), TY_OK);
}

/* --- atomic write ----------------------------------------------------------------------------- */

#define OLD "the old text"
#define NEW "what is new, and longer"

static void write_old(fixture *f) {
    assert_int_equal(ty_file_write_atomic(&f->ctx, f->path, OLD, sizeof OLD), TY_OK);
}

static void write_new(fixture *f) {
    f->promised->is_written = ty_file_write_atomic(&f->faulty, f->path, NEW, sizeof NEW) == TY_OK;
}

static void check_written(fixture *f) {
    char *data = NULL;
    size_t bytes = 0;
    assert_int_equal(ty_file_read_all(&f->ctx, f->path, 1000, &data, &bytes), TY_OK);
    bool is_new = bytes == sizeof NEW && memcmp(data, NEW, bytes) == 0;
    bool is_old = bytes == sizeof OLD && memcmp(data, OLD, bytes) == 0;
    free(data);
    if (!(is_new || (is_old && !f->promised->is_written)))
        fail_msg("%s at %lld: neither the old nor the new file", fault_kind_name(f->fault.kind),
                 f->fault.fail_at);
}

static void no_fault_leaves_a_file_half_written(void **state) {
    sweep(*state, write_old, write_new, check_written);
}

static void a_short_transfer_or_one_interrupt_is_no_failure(void **state) {
    fixture *f = *state;
    write_old(f);
    run(f, write_new, FAULT_NONE, 0, false);
    long long operations = fault_io_count(&f->fault);
    for (long long at = 1; at <= operations; at++) {
        run(f, write_new, FAULT_SHORT, at, true);
        assert_true(f->promised->is_written);
        run(f, write_new, FAULT_EINTR, at, false);
        assert_true(f->promised->is_written);
    }
}

static void interrupts_for_ever_end_in_a_failure(void **state) {
    fixture *f = *state;
    write_old(f);
    run(f, write_new, FAULT_EINTR, 1, true);
    assert_false(f->promised->is_written);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(no_fault_loses_a_record_of_a_new_journal),
        WITH_FOLDER(no_fault_loses_a_record_of_a_journal_with_a_torn_tail),
        WITH_FOLDER(a_record_that_cannot_be_cut_stops_the_journal_until_it_is_opened_again),
        WITH_FOLDER(a_failed_sync_writes_the_records_once_more),
        WITH_FOLDER(no_fault_leaves_a_file_half_written),
        WITH_FOLDER(a_short_transfer_or_one_interrupt_is_no_failure),
        WITH_FOLDER(interrupts_for_ever_end_in_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
