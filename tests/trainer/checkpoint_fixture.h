/* What the checkpoint tests share: a folder, a context and a content with every dtype in it. */
#ifndef TY_TESTS_TRAINER_CHECKPOINT_FIXTURE_H
#define TY_TESTS_TRAINER_CHECKPOINT_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/base.h"
#include "tests/support/temp_folder.h"
#include "trainer/checkpoint.h"

enum { SAMPLE_TENSORS = 6, SAMPLE_LARGE = 50000 };

/* A content whose numbers all follow from its step. */
typedef struct sample {
    ty_ckpt_tensor tensors[SAMPLE_TENSORS];
    ty_checkpoint content;
    float weight[6 * 7], *large; /* large: more than one gather buffer takes */
    double moments[3];
    int32_t labels[5];
    int64_t counts[2];
    uint8_t bytes[9];
    char state[128];
} sample;

static inline void sample_fill(sample *s, int64_t step) {
    for (int i = 0; i < 6 * 7; i++)
        s->weight[i] = (float)i + (float)step * 0.5f;
    for (int i = 0; i < SAMPLE_LARGE; i++)
        s->large[i] = (float)(i * 7 + step);
    for (int i = 0; i < 3; i++)
        s->moments[i] = 1.0 / (double)(i + 1 + step);
    for (int i = 0; i < 5; i++)
        s->labels[i] = i - (int32_t)step;
    for (int i = 0; i < 2; i++)
        s->counts[i] = (step << 33) + i;
    for (int i = 0; i < 9; i++)
        s->bytes[i] = (uint8_t)(step + i);
    (void)snprintf(s->state, sizeof s->state, "{\"consumed\":%jd,\"note\":\"\u00e4\"}",
                   (intmax_t)step * 32);
    s->content.step = step;
}

static inline void sample_init(sample *s, int64_t step) {
    *s = (sample){0};
    s->large = malloc(SAMPLE_LARGE * sizeof *s->large);
    assert_non_null(s->large);
    const ty_ckpt_tensor tensors[SAMPLE_TENSORS] = {
        {"model/layers.0.linear.weight", TY_DTYPE_F32, {2, {6, 7}}, s->weight},
        {"model/layers.1.conv2d.weight", TY_DTYPE_F32, {3, {10, 50, 100}}, s->large},
        {"optimizer/m/layers.0.linear.weight", TY_DTYPE_F64, {1, {3}}, s->moments},
        {"data/labels", TY_DTYPE_I32, {1, {5}}, s->labels},
        {"counts", TY_DTYPE_I64, {2, {1, 2}}, s->counts},
        {"data/bytes", TY_DTYPE_U8, {1, {9}}, s->bytes},
    };
    memcpy(s->tensors, tensors, sizeof tensors);
    s->content = (ty_checkpoint){.state = s->state,
                                 .config = "{\"seed\": 1}",
                                 .data_state = "",
                                 .tensors = s->tensors,
                                 .n_tensors = SAMPLE_TENSORS};
    sample_fill(s, step);
}

static inline void sample_clear(sample *s) {
    free(s->large);
}

/* NULL where content is the sample's, otherwise what differs. */
static inline const char *sample_difference(const sample *s, const ty_checkpoint_file *file) {
    const ty_checkpoint *content = ty_checkpoint_content(file);
    if (content->step != s->content.step || content->n_tensors != SAMPLE_TENSORS)
        return "step or number of tensors";
    if (strcmp(content->state, s->state) != 0 || strcmp(content->config, s->content.config) != 0 ||
        strcmp(content->data_state, "") != 0)
        return "a text";
    for (int i = 0; i < SAMPLE_TENSORS; i++) {
        const ty_ckpt_tensor *want = &s->tensors[i];
        const ty_ckpt_tensor *got = ty_checkpoint_tensor(ty_checkpoint_content(file), want->name);
        size_t bytes = (size_t)ty_shape_count(want->shape) * ty_dtype_bytes(want->dtype);
        if (!got || got->dtype != want->dtype ||
            memcmp(&got->shape, &want->shape, sizeof got->shape) != 0 ||
            memcmp(got->data, want->data, bytes) != 0)
            return want->name;
    }
    return NULL;
}

typedef struct fixture {
    ty_ctx ctx;
    temp_folder folder;
    char path[2 * TEMP_FOLDER_BYTES];
    sample sample;
} fixture;

static inline int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    ty_ctx_init(&f->ctx);
    f->folder = temp_folder_make();
    temp_folder_path(&f->folder, "step_000000000007.h5", f->path);
    sample_init(&f->sample, 7);
    *state = f;
    return 0;
}

static inline int tear_down(void **state) {
    fixture *f = *state;
    temp_folder_remove(&f->folder);
    sample_clear(&f->sample);
    ty_ctx_clear(&f->ctx);
    free(f);
    return 0;
}

#define WITH_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
