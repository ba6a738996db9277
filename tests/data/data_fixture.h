/* What tests of data/ share: a folder, files in it, a config with the rows' defaults. Include after
 * cmocka.h's own needs. */
#ifndef TY_TESTS_DATA_FIXTURE_H
#define TY_TESTS_DATA_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>

#include "data/data.h"
#include "tests/support/temp_folder.h"

enum { DATA_PATH_BYTES = 2 * TEMP_FOLDER_BYTES };

typedef struct data_fixture {
    ty_ctx ctx;
    temp_folder folder;
    char log[8192]; /* every line so far */
} data_fixture;

static void keep_log(void *self, ty_log_level level, const char *topic, const char *line) {
    char *log = self;
    const size_t used = strlen(log);
    (void)level;
    (void)snprintf(log + used, sizeof((data_fixture *)NULL)->log - used, "%s: %s\n", topic, line);
}

static inline int data_set_up(void **state) {
    data_fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    f->ctx.log = (ty_log_sink){.write = keep_log, .self = f->log, .max_level = TY_LOG_DEBUG};
    f->folder = temp_folder_make();
    *state = f;
    return 0;
}

static inline int data_tear_down(void **state) {
    data_fixture *f = *state;
    temp_folder_remove(&f->folder);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

static inline ty_data_config data_config(const char *source) {
    return (ty_data_config){
        .source = source, .split_seed = 1, .normalize = 1, .shuffle_window = TY_AUTO};
}

/* Writes a file into the fixture's folder; one whose name ends in .gz is compressed. */
static inline void write_bytes(data_fixture *f, const char *name, const void *data, size_t bytes) {
    char path[DATA_PATH_BYTES];
    const size_t length = strlen(name);
    temp_folder_path(&f->folder, name, path);
    if (length > 3 && strcmp(name + length - 3, ".gz") == 0) {
        gzFile file = gzopen(path, "wb");
        assert_non_null(file);
        assert_int_equal(gzwrite(file, data, (unsigned)bytes), (int)bytes);
        assert_int_equal(gzclose(file), Z_OK);
        return;
    }
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

static inline void write_text(data_fixture *f, const char *name, const char *text) {
    write_bytes(f, name, text, strlen(text));
}

static inline ty_dataset *open_set(data_fixture *f, const ty_data_config *config) {
    ty_dataset *set = NULL;
    const ty_status st = ty_dataset_open(&f->ctx, config, NULL, &set);
    if (st != TY_OK)
        fail_msg("ty_dataset_open: %s: %s", ty_status_name(st), f->ctx.message);
    return set;
}

/* Opens a set that must be refused with this status and a message that has all the words (NULL ends
 * them). */
static inline void assert_refused(data_fixture *f, const ty_data_config *config, ty_status want,
                                  const char *const words[]) {
    ty_dataset *set = NULL;
    const ty_status st = ty_dataset_open(&f->ctx, config, NULL, &set);
    ty_dataset_close(set);
    if (st != want)
        fail_msg("status %s, want %s; message: %s", ty_status_name(st), ty_status_name(want),
                 st == TY_OK ? "" : f->ctx.message);
    for (int i = 0; words[i]; i++)
        if (!strstr(f->ctx.message, words[i]))
            fail_msg("\"%s\" is not in the message: %s", words[i], f->ctx.message);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* One IDX file of bytes: magic, dims, data. */
static inline size_t make_idx(uint8_t *out, int type, int rank, const uint32_t *dims,
                              const uint8_t *data, size_t bytes) {
    memset(out, 0, 4);
    out[2] = (uint8_t)type;
    out[3] = (uint8_t)rank;
    for (int d = 0; d < rank; d++)
        for (int b = 0; b < 4; b++)
            out[4 + 4 * d + b] = (uint8_t)(dims[d] >> (24 - 8 * b));
    const size_t header = 4 + 4 * (size_t)rank;
    memcpy(out + header, data, bytes);
    return header + bytes;
}

enum { IDX_SIDE = 4, IDX_PIXELS = IDX_SIDE * IDX_SIDE, IDX_CLASSES = 3, IDX_MOST = 1000 };

/* A part of an IDX set: image i is filled with i mod 251, its label is i mod 3. */
static inline void write_idx_part(data_fixture *f, const char *images, const char *labels,
                                  uint32_t n) {
    static uint8_t pixels[IDX_MOST * IDX_PIXELS], file[sizeof pixels + 64], classes[IDX_MOST];
    for (uint32_t i = 0; i < n; i++) {
        memset(pixels + (size_t)i * IDX_PIXELS, (int)(i % 251), IDX_PIXELS);
        classes[i] = (uint8_t)(i % IDX_CLASSES);
    }
    size_t bytes = make_idx(file, 0x08, 3, (uint32_t[]){n, IDX_SIDE, IDX_SIDE}, pixels,
                            (size_t)n * IDX_PIXELS);
    write_bytes(f, images, file, bytes);
    bytes = make_idx(file, 0x08, 1, &n, classes, n);
    write_bytes(f, labels, file, bytes);
}

#endif
