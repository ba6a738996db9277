/* What MLflow allows in keys and values, so that what we write is what its own client could have
 * written. */
#ifndef TY_TRACKING_LIMITS_H
#define TY_TRACKING_LIMITS_H

#include "base/base.h"

enum {
    TY_LIMIT_KEY = 250,
    TY_LIMIT_PARAM = 6000,
    TY_LIMIT_TAG = 8000,
    TY_LIMIT_EXPERIMENT_TAG = 5000,
    TY_LIMIT_NAME = 250,
    TY_LIMIT_EXPERIMENT = 500,
    TY_LIMIT_DATASET = 500,
    TY_LIMIT_DIGEST = 36,
    TY_LIMIT_CONTEXT = 500,
    TY_LIMIT_KEY_BYTES = TY_LIMIT_KEY * 4 + 1,
    TY_LIMIT_MODEL = 250,
    TY_LIMIT_MODEL_BYTES = TY_LIMIT_MODEL * 4 + 1
};

/* Bytes of the first max_characters characters of UTF-8 text. */
int ty_limit_bytes(const char *text, int max_characters);

/* A metric's, param's or tag's key as MLflow takes it: at most 250 letters, digits and _ - . : /
 * and spaces, and no path that another one could be written as; what else there is becomes _. */
void ty_limit_key(const char *key, char out[TY_LIMIT_KEY_BYTES]);

/* A logged model's name: not empty, none of / : . % " '. */
void ty_limit_model(const char *name, char out[TY_LIMIT_MODEL_BYTES]);

#endif
