/* What a reader is: it turns one format into parts (train, val, test) of samples. Private to data/.
 *
 * A reader fills a ty_content on open and answers for the features of any row afterwards. Targets
 * are small and always held in memory, so class counts and checks need no second look at the files.
 * One more reader is one file and one row of TY_READER_ROWS. */
#ifndef TY_DATA_READER_H
#define TY_DATA_READER_H

#include "data/dataset.h"
#include "data/split.h"

/* In the order of the config's "format", behind "auto". */
#define TY_READER_ROWS(X)                                                                          \
    X(idx)                                                                                         \
    X(csv)                                                                                         \
    X(hdf5)                                                                                        \
    X(synthetic)

/* A file whose bytes the fingerprint covers. */
typedef struct ty_data_file {
    const char *name; /* relative: the same wherever the set lies */
    const char *path;
} ty_data_file;

enum { TY_DATA_FILES = 16 };

/* Where the source was found. Strings live in the data set's arena. */
typedef struct ty_data_place {
    const char *name;               /* for people: "fashion-mnist", "penguins.csv" */
    const char *source;             /* a named set's name, otherwise the absolute path */
    const char *path;               /* absolute; NULL for generated data */
    const char *test_path;          /* absolute; NULL without test_source */
    const char *const *class_names; /* of a named set; NULL where not known */
    int64_t n_class_names;
} ty_data_place;

/* Everything a reader has found. Parts are the files' own; the splits are cut from them later
 * (split.h). */
typedef struct ty_content {
    ty_arena *arena; /* of the data set; lives as long as the content */
    int64_t count[TY_SPLIT_COUNT];
    bool x_is_u8;
    int x_rank;
    int64_t x_dims[3];
    int64_t x_count;
    /* Features are normalised by the reader (CSV): mean 0 and inverse_std 1 hold. */
    bool is_encoded;
    bool is_classification;
    int64_t n_outputs;
    const char *const *class_names;  /* n_outputs of them, sorted by value; NULL for regression */
    int32_t *labels[TY_SPLIT_COUNT]; /* classification; malloc, freed with the content */
    float *targets[TY_SPLIT_COUNT];  /* regression: [count, n_outputs]; malloc, freed with the
                                        content */
    ty_data_file files[TY_DATA_FILES];
    int n_files;
    void *self; /* the reader's own */
} ty_content;

typedef struct ty_reader {
    const char *format;

    /* Whether "auto" takes this reader. path is absolute; head holds the first bytes,
     * decompressed. */
    bool (*accepts)(const char *path, bool is_folder, const char *head, size_t head_bytes);

    /* Fills content (zeroed but for arena). What it leaves there is released by close, also after a
     * failure. */
    ty_status (*open)(ty_ctx *ctx, const ty_data_config *config, const ty_data_place *place,
                      ty_content *content);

    /* Fills content (zeroed but for arena) with the samples of one file without targets, as part
     * TEST; for fetch and close as above. features: of the config. NULL: not with this reader. */
    ty_status (*open_samples)(ty_ctx *ctx, const char *features, const char *path,
                              ty_content *content);

    /* Fits what depends on the training split, e.g. categories; may be NULL. */
    ty_status (*fit)(ty_ctx *ctx, const ty_data_config *config, ty_content *content,
                     const ty_split_map *train);

    /* The features of one row: x_count elements. Called from any thread, each with its own ctx. */
    ty_status (*fetch)(ty_ctx *ctx, const ty_content *content, int part, int64_t row, void *x);

    /* Adds members ("key":value, with a comma before each) to the fitted state; may be NULL. */
    void (*add_state)(const ty_content *content, ty_text *json);

    /* Adds tables for people, e.g. of columns; may be NULL. */
    void (*describe)(const ty_content *content, ty_text *out);

    void (*close)(ty_content *content);
} ty_reader;

#define TY_READER_DECLARE(name) extern const ty_reader ty_reader_##name;
TY_READER_ROWS(TY_READER_DECLARE)
#undef TY_READER_DECLARE

/* "auto" and the formats, NULL-terminated: the config's choices. */
extern const char *const ty_reader_formats[];

/* The reader of config->format or, for "auto", the one that accepts the place.
 * Errors: TY_ERR_DATA when none does; TY_ERR_IO, TY_ERR_NOT_FOUND. */
ty_status ty_reader_choose(ty_ctx *ctx, const ty_data_config *config, const ty_data_place *place,
                           const ty_reader **out) TY_MUST_USE;

/* Notes a file of the content. Errors: TY_ERR_NOMEM. */
ty_status ty_content_add_file(ty_ctx *ctx, ty_content *content, const char *name,
                              const char *path) TY_MUST_USE;

/* malloc of count * size bytes that is refused, with advice, where the machine has not that much
 * left.
 * Errors: TY_ERR_NOMEM, TY_ERR_DATA on overflow. */
ty_status ty_content_alloc(ty_ctx *ctx, const char *what, int64_t count, size_t size,
                           void **out) TY_MUST_USE;

/* Bytes that this process can still take, by /proc/meminfo and the control group; INT64_MAX where
 * unknown. */
int64_t ty_memory_available(ty_ctx *ctx);

/* Targets as files have them, before it is decided what they mean. */
typedef struct ty_raw_targets {
    int64_t width;        /* numbers per sample */
    bool is_integer;      /* by the file's type */
    const double *values; /* [content->count[part], width]; NULL where the part is empty */
} ty_raw_targets;

/* Makes classes or numbers of raw[TY_SPLIT_COUNT]: classes when config's task says so or, for
 * "auto", when a single integer is stored for each sample. Classes are the sorted distinct values
 * of the train part, numbered from 0.
 * Errors: TY_ERR_DATA, with *bad_part (-1: none) and *bad_row for the reader to say where the value
 * lies. */
ty_status ty_content_set_targets(ty_ctx *ctx, const ty_data_config *config,
                                 const ty_data_place *place, const ty_raw_targets raw[],
                                 ty_content *content, int *bad_part, int64_t *bad_row) TY_MUST_USE;

/* Frees labels and targets. */
void ty_content_clear_targets(ty_content *content);

/* The choices of config's "task" and "normalize". */
enum { TY_TASK_AUTO, TY_TASK_CLASSIFICATION, TY_TASK_REGRESSION };
enum { TY_NORMALIZE_NONE, TY_NORMALIZE_STANDARD, TY_NORMALIZE_UNIT };

#endif
