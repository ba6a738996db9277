/* The journal on the real file system: order, torn tails, damage, one writer, readers beside it. */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/journal.h"
#include "tests/support/temp_folder.h"

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
    temp_folder_path(&f->folder, "run.journal", f->path);
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

static ty_journal *open_journal(fixture *f) {
    ty_journal *journal = NULL;
    assert_int_equal(ty_journal_open(&f->ctx, f->path, &journal), TY_OK);
    return journal;
}

/* Record n has type n * 7 and n bytes of its own pattern. */
static void append_pattern(fixture *f, ty_journal *journal, uint64_t n) {
    unsigned char payload[5000];
    uint64_t sequence = 0;
    memset(payload, (int)(n * 37 & 255), sizeof payload);
    assert_int_equal(ty_journal_append(&f->ctx, journal, (uint32_t)n * 7, payload, n, &sequence),
                     TY_OK);
    assert_int_equal(sequence, n);
}

static void write_records(fixture *f, uint64_t count) {
    ty_journal *journal = open_journal(f);
    while (ty_journal_last_sequence(journal) < count)
        append_pattern(f, journal, ty_journal_last_sequence(journal) + 1);
    assert_int_equal(ty_journal_close(&f->ctx, journal), TY_OK);
}

static void expect_pattern(const ty_journal_record *record, uint64_t n) {
    assert_int_equal(record->sequence, n);
    assert_int_equal(record->type, n * 7);
    assert_int_equal(record->payload_bytes, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(((const unsigned char *)record->payload)[i], n * 37 & 255);
}

/* Reads to the end; *out_count is how many good records there were. */
static ty_status read_records(fixture *f, uint64_t *out_count) {
    ty_journal_reader *reader = NULL;
    ty_journal_record record;
    bool has_record = true;
    ty_status st = ty_journal_reader_open(&f->ctx, f->path, &reader);
    *out_count = 0;
    while (st == TY_OK && has_record) {
        st = ty_journal_reader_next(&f->ctx, reader, &record, &has_record);
        if (st == TY_OK && has_record)
            expect_pattern(&record, ++*out_count);
    }
    ty_journal_reader_close(reader);
    return st;
}

static off_t size_of(const char *path) {
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return info.st_size;
}

static void flip_bit(const char *path, off_t offset) {
    unsigned char byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    assert_int_equal(close(fd), 0);
}

static void records_come_back_in_order_across_openings(void **state) {
    fixture *f = *state;
    uint64_t count;
    write_records(f, 5);
    write_records(f, 300);
    assert_int_equal(read_records(f, &count), TY_OK);
    assert_int_equal(count, 300);
}

static void a_record_longer_than_the_buffer_comes_back(void **state) {
    fixture *f = *state;
    enum { BYTES = TY_JOURNAL_MAX_PAYLOAD };
    char *payload = malloc(BYTES + 1);
    assert_non_null(payload);
    memset(payload, 'x', BYTES + 1);
    ty_journal *journal = open_journal(f);
    assert_int_equal(ty_journal_append(&f->ctx, journal, 1, payload, BYTES + 1, NULL), TY_ERR_ARG);
    assert_int_equal(ty_journal_append(&f->ctx, journal, 1, payload, BYTES, NULL), TY_OK);
    assert_int_equal(ty_journal_append(&f->ctx, journal, 2, NULL, 0, NULL), TY_OK);
    ty_journal_reader *reader = NULL;
    ty_journal_record record;
    bool has_record = false;
    assert_int_equal(ty_journal_reader_open(&f->ctx, f->path, &reader), TY_OK);
    assert_int_equal(ty_journal_reader_next(&f->ctx, reader, &record, &has_record), TY_OK);
    assert_true(has_record);
    assert_int_equal(record.payload_bytes, BYTES);
    assert_memory_equal(record.payload, payload, BYTES);
    assert_int_equal(ty_journal_reader_next(&f->ctx, reader, &record, &has_record), TY_OK);
    assert_true(has_record && record.payload_bytes == 0);
    ty_journal_reader_close(reader);
    assert_int_equal(ty_journal_close(&f->ctx, journal), TY_OK);
    free(payload);
}

static void a_journal_cut_anywhere_keeps_every_whole_record(void **state) {
    fixture *f = *state;
    uint64_t count;
    off_t ends[12] = {8};
    for (uint64_t n = 1; n < 12; n++) {
        write_records(f, n);
        ends[n] = size_of(f->path);
    }
    for (off_t length = ends[11]; length >= 0; length--) {
        uint64_t want = 0;
        while (want < 11 && ends[want + 1] <= length)
            want++;
        assert_int_equal(truncate(f->path, length), 0);
        assert_int_equal(read_records(f, &count), TY_OK);
        assert_int_equal(count, want);
        write_records(f, want + 1); /* opening cuts the tail, and appending goes on behind it */
        assert_int_equal(read_records(f, &count), TY_OK);
        assert_int_equal(count, want + 1);
        assert_int_equal(truncate(f->path, length), 0);
    }
}

static void a_flipped_bit_is_damage_or_a_torn_tail_but_never_data(void **state) {
    fixture *f = *state;
    uint64_t count;
    write_records(f, 8);
    off_t before_last = size_of(f->path);
    write_records(f, 9);
    off_t size = size_of(f->path);
    for (off_t at = 0; at < size; at++) {
        flip_bit(f->path, at);
        ty_status st = read_records(f, &count);
        ty_status want = at < before_last ? TY_ERR_INTEGRITY : TY_OK;
        if (st != want)
            fail_msg("flip at %jd: %s, want %s", (intmax_t)at, ty_status_name(st),
                     ty_status_name(want));
        assert_true(count <= 8);
        flip_bit(f->path, at);
    }
    assert_int_equal(read_records(f, &count), TY_OK);
    assert_int_equal(count, 9);
}

static void damage_in_the_middle_is_told_with_its_offset_and_nothing_is_cut(void **state) {
    fixture *f = *state;
    ty_journal *journal = NULL;
    write_records(f, 9);
    off_t size = size_of(f->path);
    flip_bit(f->path, 8 + 24 + 1 + 24); /* in the second record's payload */
    assert_int_equal(ty_journal_open(&f->ctx, f->path, &journal), TY_ERR_INTEGRITY);
    assert_non_null(strstr(f->ctx.message, "offset 33"));
    assert_non_null(strstr(f->ctx.message, f->path));
    assert_int_equal(size_of(f->path), size);
}

static void a_missing_record_in_the_middle_is_damage(void **state) {
    fixture *f = *state;
    uint64_t count;
    char *data;
    size_t bytes;
    write_records(f, 4);
    assert_int_equal(ty_file_read_all(&f->ctx, f->path, 10000, &data, &bytes), TY_OK);
    memmove(data + 8 + 25, data + 8 + 25 + 26, bytes - 8 - 25 - 26); /* without record 2 */
    assert_int_equal(ty_file_write_atomic(&f->ctx, f->path, data, bytes - 26), TY_OK);
    free(data);
    assert_int_equal(read_records(f, &count), TY_ERR_INTEGRITY);
    assert_int_equal(count, 1);
    assert_non_null(strstr(f->ctx.message, "record 3, want 2"));
}

static void a_tail_of_zeros_is_torn(void **state) {
    fixture *f = *state;
    uint64_t count;
    write_records(f, 3);
    assert_int_equal(truncate(f->path, size_of(f->path) + 100000), 0);
    assert_int_equal(read_records(f, &count), TY_OK);
    assert_int_equal(count, 3);
    write_records(f, 4);
    assert_int_equal(read_records(f, &count), TY_OK);
    assert_int_equal(count, 4);
}

static void a_file_of_something_else_is_refused_and_left_alone(void **state) {
    fixture *f = *state;
    ty_journal *journal = NULL;
    ty_journal_reader *reader = NULL;
    assert_int_equal(ty_file_write_atomic(&f->ctx, f->path, "{\"a\":1}", 7), TY_OK);
    assert_int_equal(ty_journal_open(&f->ctx, f->path, &journal), TY_ERR_INTEGRITY);
    assert_int_equal(ty_journal_reader_open(&f->ctx, f->path, &reader), TY_ERR_INTEGRITY);
    assert_int_equal(size_of(f->path), 7);
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(ty_journal_reader_open(&f->ctx, f->path, &reader), TY_ERR_NOT_FOUND);
}

static void a_second_writer_is_told_to_wait(void **state) {
    fixture *f = *state;
    ty_journal *second = NULL;
    ty_journal *journal = open_journal(f);
    assert_int_equal(ty_journal_open(&f->ctx, f->path, &second), TY_ERR_BUSY);
    assert_int_equal(ty_journal_close(&f->ctx, journal), TY_OK);
    assert_int_equal(ty_journal_open(&f->ctx, f->path, &second), TY_OK);
    assert_int_equal(ty_journal_close(&f->ctx, second), TY_OK);
}

/* What was written while somebody else took the lease may be in no copy of his: no later call says that it lasts. */
static void a_lease_that_was_lost_is_told_by_each_later_sync(void **state) {
    fixture *f = *state;
    char path[2 * TEMP_FOLDER_BYTES];
    ty_lease *lease = NULL;
    ty_journal *journal = NULL;
    temp_folder_path(&f->folder, "run.lease", path);
    assert_int_equal(ty_lease_acquire(&f->ctx, path, 30000, &lease), TY_OK);
    assert_int_equal(ty_journal_open_held(&f->ctx, f->path, lease, &journal), TY_OK);
    append_pattern(f, journal, 1);
    assert_int_equal(ty_journal_sync(&f->ctx, journal), TY_OK);
    append_pattern(f, journal, 2);
    assert_int_equal(unlink(path), 0);
    for (int n = 0; n < 3; n++)
        assert_int_equal(ty_journal_sync(&f->ctx, journal), TY_ERR_BUSY);
    assert_int_equal(ty_journal_append(&f->ctx, journal, 1, "", 0, NULL), TY_ERR_BUSY);
    assert_int_equal(ty_journal_close(&f->ctx, journal), TY_ERR_BUSY);
    assert_non_null(strstr(f->ctx.message, "run.lease"));
    ty_lease_release(&f->ctx, lease);
}

static void a_reader_follows_what_is_appended(void **state) {
    fixture *f = *state;
    ty_journal_reader *reader = NULL;
    ty_journal_record record;
    bool has_record;
    ty_journal *journal = open_journal(f);
    assert_int_equal(ty_journal_reader_open(&f->ctx, f->path, &reader), TY_OK);
    for (uint64_t n = 1; n <= 50; n++) {
        assert_int_equal(ty_journal_reader_next(&f->ctx, reader, &record, &has_record), TY_OK);
        assert_false(has_record);
        append_pattern(f, journal, n);
        assert_int_equal(ty_journal_reader_next(&f->ctx, reader, &record, &has_record), TY_OK);
        assert_true(has_record);
        expect_pattern(&record, n);
    }
    ty_journal_reader_close(reader);
    assert_int_equal(ty_journal_close(&f->ctx, journal), TY_OK);
}

static void a_reader_waits_out_a_record_that_is_half_there(void **state) {
    fixture *f = *state;
    ty_journal_reader *reader = NULL;
    ty_journal_record record;
    bool has_record;
    char *whole;
    size_t bytes;
    write_records(f, 2);
    size_t first = 8 + 24 + 1;
    assert_int_equal(ty_file_read_all(&f->ctx, f->path, 10000, &whole, &bytes), TY_OK);
    assert_int_equal(truncate(f->path, (off_t)first), 0);
    assert_int_equal(ty_journal_reader_open(&f->ctx, f->path, &reader), TY_OK);
    assert_int_equal(ty_journal_reader_next(&f->ctx, reader, &record, &has_record), TY_OK);
    assert_true(has_record);
    int fd = open(f->path, O_WRONLY);
    assert_true(fd >= 0);
    for (size_t at = first; at < bytes; at++) {
        assert_int_equal(ty_journal_reader_next(&f->ctx, reader, &record, &has_record), TY_OK);
        assert_false(has_record);
        assert_int_equal(pwrite(fd, whole + at, 1, (off_t)at), 1);
    }
    assert_int_equal(ty_journal_reader_next(&f->ctx, reader, &record, &has_record), TY_OK);
    assert_true(has_record);
    expect_pattern(&record, 2);
    ty_journal_reader_close(reader);
    assert_int_equal(close(fd), 0);
    free(whole);
}

enum { LIVE_RECORDS = 3000 };

static void write_live(fixture *f) {
    ty_journal *journal = NULL;
    if (ty_journal_open(&f->ctx, f->path, &journal) != TY_OK)
        _exit(2);
    unsigned char payload[5000];
    for (uint64_t n = 1; n <= LIVE_RECORDS; n++) {
        memset(payload, (int)(n * 37 & 255), sizeof payload);
        if (ty_journal_append(&f->ctx, journal, (uint32_t)n * 7, payload, n, NULL) != TY_OK)
            _exit(3);
    }
    _exit(ty_journal_close(&f->ctx, journal) == TY_OK ? 0 : 4);
}

static void a_reader_beside_a_living_writer_sees_only_whole_records(void **state) {
    fixture *f = *state;
    ty_journal_reader *reader = NULL;
    ty_journal_record record;
    bool has_record;
    int exit_status = -1;
    assert_int_equal(ty_journal_close(&f->ctx, open_journal(f)), TY_OK);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        write_live(f);
    assert_int_equal(ty_journal_reader_open(&f->ctx, f->path, &reader), TY_OK);
    for (uint64_t n = 1; n <= LIVE_RECORDS;) {
        ty_status st = ty_journal_reader_next(&f->ctx, reader, &record, &has_record);
        if (st != TY_OK)
            fail_msg("record %" PRIu64 ": %s", n, f->ctx.message);
        if (has_record)
            expect_pattern(&record, n++);
    }
    assert_int_equal(waitpid(child, &exit_status, 0), child);
    assert_int_equal(exit_status, 0);
    ty_journal_reader_close(reader);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(records_come_back_in_order_across_openings),
        WITH_FOLDER(a_record_longer_than_the_buffer_comes_back),
        WITH_FOLDER(a_journal_cut_anywhere_keeps_every_whole_record),
        WITH_FOLDER(a_flipped_bit_is_damage_or_a_torn_tail_but_never_data),
        WITH_FOLDER(damage_in_the_middle_is_told_with_its_offset_and_nothing_is_cut),
        WITH_FOLDER(a_missing_record_in_the_middle_is_damage),
        WITH_FOLDER(a_tail_of_zeros_is_torn),
        WITH_FOLDER(a_file_of_something_else_is_refused_and_left_alone),
        WITH_FOLDER(a_second_writer_is_told_to_wait),
        WITH_FOLDER(a_lease_that_was_lost_is_told_by_each_later_sync),
        WITH_FOLDER(a_reader_follows_what_is_appended),
        WITH_FOLDER(a_reader_waits_out_a_record_that_is_half_there),
        WITH_FOLDER(a_reader_beside_a_living_writer_sees_only_whole_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
