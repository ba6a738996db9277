/* Files and folders on the real file system. What happens when a call fails is in
 * test_io_faults.c. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
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

static const char *in_folder(fixture *f, const char *name) {
    return temp_folder_path(&f->folder, name, f->path);
}

static void what_is_written_atomically_is_read_back(void **state) {
    fixture *f = *state;
    char *data = NULL;
    size_t bytes = 0;
    const char *path = in_folder(f, "a.json");
    assert_int_equal(ty_file_write_atomic(&f->ctx, path, "first", 5), TY_OK);
    assert_int_equal(ty_file_write_atomic(&f->ctx, path, "second\0.", 8), TY_OK);
    assert_int_equal(ty_file_read_all(&f->ctx, path, 8, &data, &bytes), TY_OK);
    assert_int_equal(bytes, 8);
    assert_memory_equal(data, "second\0.\0", 9);
    free(data);
}

static void writing_atomically_leaves_no_other_file(void **state) {
    fixture *f = *state;
    char **names;
    size_t count;
    assert_int_equal(ty_file_write_atomic(&f->ctx, in_folder(f, "a"), "x", 1), TY_OK);
    assert_int_equal(ty_dir_list(&f->ctx, f->folder.path, &f->ctx.scratch, &names, &count), TY_OK);
    assert_int_equal(count, 1);
    assert_string_equal(names[0], "a");
}

static void a_temporary_never_follows_a_link(void **state) {
    fixture *f = *state;
    char link[3 * TEMP_FOLDER_BYTES], *temp;
    int fd;
    const char *path = in_folder(f, "a");
    (void)snprintf(link, sizeof link, "%s/.tmp-a-%ld-0", f->folder.path, (long)getpid());
    assert_int_equal(symlink("elsewhere", link), 0);
    assert_int_equal(ty_file_open_temp(&f->ctx, path, &f->ctx.scratch, &temp, &fd), TY_OK);
    assert_string_not_equal(temp, link);
    assert_int_equal(close(fd), 0);
}

static void a_file_longer_than_allowed_is_not_read(void **state) {
    fixture *f = *state;
    char *data = NULL;
    size_t bytes = 0;
    const char *path = in_folder(f, "a");
    assert_int_equal(ty_file_write_atomic(&f->ctx, path, "123456", 6), TY_OK);
    assert_int_equal(ty_file_read_all(&f->ctx, path, 5, &data, &bytes), TY_ERR_DATA);
    assert_non_null(strstr(f->ctx.message, path));
    assert_null(data);
}

static void reading_all_wants_a_regular_file(void **state) {
    fixture *f = *state;
    char *data = NULL;
    size_t bytes = 0;
    assert_int_equal(ty_file_read_all(&f->ctx, in_folder(f, "none"), 5, &data, &bytes),
                     TY_ERR_NOT_FOUND);
    assert_int_equal(ty_file_read_all(&f->ctx, f->folder.path, 5, &data, &bytes), TY_ERR_IO);
    const char *pipe = in_folder(f, "pipe");
    assert_int_equal(mkfifo(pipe, 0600), 0);
    assert_int_equal(ty_file_read_all(&f->ctx, pipe, 5, &data, &bytes), TY_ERR_IO);
}

static void files_of_proc_are_read_although_they_say_they_are_empty(void **state) {
    fixture *f = *state;
    char *data = NULL;
    size_t bytes = 0;
    assert_int_equal(ty_file_read_all(&f->ctx, "/proc/self/maps", 1 << 20, &data, &bytes), TY_OK);
    assert_true(bytes > 100);
    free(data);
    assert_int_equal(ty_file_read_all(&f->ctx, "/proc/self/maps", 100, &data, &bytes), TY_ERR_DATA);
}

static void reading_past_the_end_names_file_and_offset(void **state) {
    fixture *f = *state;
    char data[8];
    int fd;
    const char *path = in_folder(f, "a");
    assert_int_equal(ty_file_write_atomic(&f->ctx, path, "123456", 6), TY_OK);
    assert_int_equal(ty_file_open(&f->ctx, path, O_RDONLY, 0, &fd), TY_OK);
    assert_int_equal(ty_file_pread(&f->ctx, path, fd, data, 4, 2), TY_OK);
    assert_memory_equal(data, "3456", 4);
    assert_int_equal(ty_file_pread(&f->ctx, path, fd, data, 8, 2), TY_ERR_INTEGRITY);
    assert_non_null(strstr(f->ctx.message, "offset 6"));
    assert_non_null(strstr(f->ctx.message, path));
    assert_int_equal(ty_file_close(&f->ctx, path, fd), TY_OK);
}

static void folders_are_made_with_their_parents_and_may_exist(void **state) {
    fixture *f = *state;
    struct stat info;
    for (int time = 0; time < 2; time++)
        assert_int_equal(ty_dir_make(&f->ctx, in_folder(f, "a//b/c/")), TY_OK);
    assert_int_equal(stat(in_folder(f, "a/b/c"), &info), 0);
    assert_true(S_ISDIR(info.st_mode));
}

static void a_file_in_the_way_of_a_folder_is_said(void **state) {
    fixture *f = *state;
    assert_int_equal(ty_file_write_atomic(&f->ctx, in_folder(f, "a"), "x", 1), TY_OK);
    assert_int_equal(ty_dir_make(&f->ctx, in_folder(f, "a/b")), TY_ERR_IO);
    assert_non_null(strstr(f->ctx.message, "in the way"));
}

static void names_are_listed_in_order_of_bytes(void **state) {
    fixture *f = *state;
    static const char *const made[] = {"b", "a10", "a9", "B", ".hidden"};
    static const char *const want[] = {".hidden", "B", "a10", "a9", "b"};
    char **names;
    size_t count;
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(ty_file_write_atomic(&f->ctx, in_folder(f, made[i]), "", 0), TY_OK);
    assert_int_equal(ty_dir_list(&f->ctx, f->folder.path, &f->ctx.scratch, &names, &count), TY_OK);
    assert_int_equal(count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(names[i], want[i]);
    assert_int_equal(ty_dir_list(&f->ctx, in_folder(f, "none"), &f->ctx.scratch, &names, &count),
                     TY_ERR_NOT_FOUND);
}

static void removing_a_missing_file_is_fine(void **state) {
    fixture *f = *state;
    const char *path = in_folder(f, "a");
    assert_int_equal(ty_file_write_atomic(&f->ctx, path, "x", 1), TY_OK);
    assert_true(ty_file_exists(&f->ctx, path));
    assert_int_equal(ty_file_unlink(&f->ctx, path), TY_OK);
    assert_int_equal(ty_file_unlink(&f->ctx, path), TY_OK);
    assert_false(ty_file_exists(&f->ctx, path));
}

static void what_killed_processes_left_of_a_file_is_swept_and_nothing_else(void **state) {
    fixture *f = *state;
    static const char *const made[] = {".tmp-a-1-0", ".tmp-a-22-7", ".tmp-ab-1-0", "a",
                                       "tmp-a-1-0"};
    char **names = NULL;
    size_t n = 0;
    for (size_t i = 0; i < sizeof made / sizeof *made; i++)
        assert_int_equal(ty_file_write_atomic(&f->ctx, in_folder(f, made[i]), "x", 1), TY_OK);
    assert_int_equal(ty_file_sweep_temps(&f->ctx, in_folder(f, "a")), TY_OK);
    assert_int_equal(ty_dir_list(&f->ctx, f->folder.path, &f->ctx.scratch, &names, &n), TY_OK);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(names[i], made[2 + i]);
    assert_int_equal(ty_file_sweep_temps(&f->ctx, in_folder(f, "none/a")), TY_ERR_NOT_FOUND);
}

static void disks_have_room_and_a_kind(void **state) {
    fixture *f = *state;
    uint64_t free_bytes = 0;
    assert_int_equal(ty_disk_free(&f->ctx, f->folder.path, &free_bytes), TY_OK);
    assert_true(free_bytes > 0);
    assert_int_equal(ty_disk_free(&f->ctx, in_folder(f, "none"), &free_bytes), TY_ERR_NOT_FOUND);
    assert_false(ty_disk_is_network(&f->ctx, "/proc/self/status"));
}

static void paths_are_cut_joined_and_made_absolute(void **state) {
    fixture *f = *state;
    ty_arena *arena = &f->ctx.scratch;
    assert_string_equal(ty_path_folder(arena, "a"), ".");
    assert_string_equal(ty_path_folder(arena, "/a"), "/");
    assert_string_equal(ty_path_folder(arena, "a/b/c"), "a/b");
    assert_string_equal(ty_path_folder(arena, "a//b"), "a");
    assert_string_equal(ty_path_join(arena, "a", "b"), "a/b");
    assert_string_equal(ty_path_join(arena, "a/", "b"), "a/b");
    assert_string_equal(ty_path_join(arena, "a", "/b"), "/b");
    assert_string_equal(ty_path_absolute(arena, "/a/./b//../c/"), "/a/c");
    assert_string_equal(ty_path_absolute(arena, "/../.."), "/");
    assert_string_equal(ty_path_absolute(arena, "/"), "/");
    char *here = getcwd(NULL, 0);
    assert_string_equal(ty_path_absolute(arena, "."), here);
    assert_string_equal(ty_path_absolute(arena, "x/.."), here);
    free(here);
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(what_is_written_atomically_is_read_back),
        WITH_FOLDER(writing_atomically_leaves_no_other_file),
        WITH_FOLDER(a_temporary_never_follows_a_link),
        WITH_FOLDER(a_file_longer_than_allowed_is_not_read),
        WITH_FOLDER(reading_all_wants_a_regular_file),
        WITH_FOLDER(files_of_proc_are_read_although_they_say_they_are_empty),
        WITH_FOLDER(reading_past_the_end_names_file_and_offset),
        WITH_FOLDER(folders_are_made_with_their_parents_and_may_exist),
        WITH_FOLDER(a_file_in_the_way_of_a_folder_is_said),
        WITH_FOLDER(names_are_listed_in_order_of_bytes),
        WITH_FOLDER(removing_a_missing_file_is_fine),
        WITH_FOLDER(what_killed_processes_left_of_a_file_is_swept_and_nothing_else),
        WITH_FOLDER(disks_have_room_and_a_kind),
        WITH_FOLDER(paths_are_cut_joined_and_made_absolute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
