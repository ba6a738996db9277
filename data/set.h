/* The open data set, for the files of data/ that look inside. Private to data/. */
#ifndef TY_DATA_SET_H
#define TY_DATA_SET_H

#include "data/fitted.h"
#include "data/reader.h"

struct ty_dataset {
    ty_arena arena; /* everything below that is not the content's */
    ty_data_info info;
    ty_data_place place;
    const ty_reader *reader;
    ty_content content;
    ty_split_map map[TY_SPLIT_COUNT];
    int64_t *class_count[TY_SPLIT_COUNT]; /* [n_outputs]; NULL for regression */
    double flip;
    int64_t crop_padding, shuffle_window;
    int normalize;
    const char *state;
    ty_fitted *fitted; /* of a restored set; NULL elsewhere */
    bool wants_finite; /* samples that nobody has looked through yet */
};

/* Fills info, schema_json and state from what is known; the last step of opening.
 * Errors: TY_ERR_NOMEM. */
ty_status ty_dataset_summarise(ty_ctx *ctx, ty_dataset *set) TY_MUST_USE;

#endif
