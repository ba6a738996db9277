/* Unlabelled rows of CSV. Private to data/. */
#ifndef TY_DATA_SAMPLES_CSV_H
#define TY_DATA_SAMPLES_CSV_H

#include "data/fitted.h"
#include "data/reader.h"
#include "data/samples.h"

/* fetch and close of what ty_samples_csv_open leaves in content->self. */
extern const ty_reader ty_samples_csv;

/* Reads options->path whole, encoded as fitted says; fitted is borrowed as long as content lives. */
ty_status ty_samples_csv_open(ty_ctx *ctx, const ty_fitted *fitted,
                              const ty_samples_options *options, ty_content *content) TY_MUST_USE;

/* ty_samples_kept. */
const char *ty_samples_csv_kept(const ty_content *content, int64_t row, int column);

#endif
