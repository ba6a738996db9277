/* What a training fitted on its data, read back from the JSON that ty_dataset_state writes: by those
 * who encode samples as it did (samples.h, trainer/onnx.h). */
#ifndef TY_DATA_FITTED_H
#define TY_DATA_FITTED_H

#include "data/dataset.h"
#include "data/dictionary.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ty_fitted_column {
    const char *name;
    bool is_categorical;
    double mean, std;         /* numeric; std >= 0 */
    ty_dictionary categories; /* numbered as their features are */
} ty_fitted_column;

typedef struct ty_fitted {
    const char *format;
    bool x_is_u8;
    int x_rank;
    int64_t x_dims[3], x_count;
    bool is_classification;
    int64_t n_outputs;
    const char *const *class_names; /* NULL for regression */
    int64_t n_channels;
    float *mean, *inverse_std; /* [n_channels] */
    /* A table's: columns NULL where the training's data was none. */
    const char *target;
    bool has_header, is_standardised;
    ty_fitted_column *columns; /* the features, in the order training had them */
    int64_t n_columns;
} ty_fitted;

/* Everything of out lives in arena. The text may come from anywhere: what does not fit together is
 * refused.
 * Errors: TY_ERR_INTEGRITY; TY_ERR_NOMEM. */
ty_status ty_fitted_read(ty_ctx *ctx, const char *state, ty_arena *arena,
                         ty_fitted *out) TY_MUST_USE;

/* What a model needs to know of such samples; the rest of *out is zero. Borrows from fitted. */
void ty_fitted_describe(const ty_fitted *fitted, ty_data_info *out);

#ifdef __cplusplus
}
#endif
#endif
