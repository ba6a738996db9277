/* What the HDF5 library is asked, always in a child process (isolate.h): where arrays lie, and the
 * content of those that do not lie in one piece. Private to data/. */
#ifndef TY_DATA_HDF5_FILE_H
#define TY_DATA_HDF5_FILE_H

#include "data/isolate.h"
#include "data/reader.h"

enum { TY_H5_MAX_RANK = 4, TY_H5_NAME_BYTES = 256 };

/* How an element is stored. */
typedef enum ty_h5_element {
    TY_H5_OTHER_INTEGER, /* of some other width: only the library converts it */
    TY_H5_OTHER_FLOAT,
    TY_H5_U8,
    TY_H5_I8,
    TY_H5_U16,
    TY_H5_I16,
    TY_H5_U32,
    TY_H5_I32,
    TY_H5_U64,
    TY_H5_I64,
    TY_H5_F32,
    TY_H5_F64
} ty_h5_element;

typedef struct ty_h5_array {
    char name[TY_H5_NAME_BYTES]; /* "/train/x"; empty: not found */
    int rank;
    int64_t dims[TY_H5_MAX_RANK];
    int64_t count; /* product of dims */
    ty_h5_element element;
    size_t element_bytes;
    bool is_big_endian;
    int64_t offset; /* in the file; -1: not in one piece */
} ty_h5_array;

/* Names to look for: the config's, or the usual ones. */
typedef struct ty_h5_names {
    const char *features, *target; /* NULL: the usual ones */
    bool is_test_file;             /* all that is found is the test part */
    bool leaves_targets;           /* they are not looked for */
} ty_h5_names;

typedef struct ty_h5_survey {
    ty_isolated_answer answer;
    ty_h5_array x[TY_SPLIT_COUNT], y[TY_SPLIT_COUNT];
} ty_h5_survey;

/* Finds the arrays of each part: in groups train, val and test, or in the root. Only hard links are
 * followed, inside this file; no plug-ins are loaded. *survey is shared memory (ty_isolated_alloc).
 * Errors: TY_ERR_DATA naming file and array; TY_ERR_CONFIG a name in the config that is not
 * there. */
ty_status ty_h5_survey_file(ty_ctx *ctx, const char *path, const ty_h5_names *names,
                            ty_h5_survey *survey) TY_MUST_USE;

/* What an array is read as. */
typedef enum ty_h5_as { TY_H5_AS_U8, TY_H5_AS_F32, TY_H5_AS_F64 } ty_h5_as;

/* Reads all of an array into shared memory of count elements. */
ty_status ty_h5_read_array(ty_ctx *ctx, const char *path, const ty_h5_array *array, ty_h5_as as,
                           void *shared) TY_MUST_USE;

#endif
