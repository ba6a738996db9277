/* The "data" section of a config: one row a key. */
#include "data/reader.h"

static const char *const tasks[] = {"auto", "classification", "regression", NULL};
static const char *const normalizations[] = {"none", "standard", "unit", NULL};

#define LARGEST_INTEGER 9007199254740992.0 /* 2^53: what JSON numbers carry exactly */

/* The paths are DISPLAY and so is the format: what lies there is in the run's hash as the data's
 * fingerprint. */
static const ty_row rows[] = {
    {.key = "source",
     .type = TY_ROW_TEXT,
     .offset = offsetof(ty_data_config, source),
     .help = "A named set (\"fashion-mnist\", \"synthetic\", \"synthetic:512x1x8x8x4\" for "
             "samples, channels, height, "
             "width, classes) or a path: a folder of IDX files, a CSV or TSV file, an HDF5 file; "
             "IDX and CSV may be "
             ".gz. Named sets are looked for under $TILTYARD_DATA_PATH, then in datasets/ under "
             "$XDG_DATA_DIRS.",
     .effect = TY_EFFECT_DISPLAY},
    {.key = "test_source",
     .type = TY_ROW_TEXT,
     .offset = offsetof(ty_data_config, test_source),
     .fallback = "null",
     .help = "A path of the same format whose samples are the test part; null: the source's own "
             "test part, or "
             "test_fraction.",
     .effect = TY_EFFECT_DISPLAY},
    {.key = "format",
     .type = TY_ROW_CHOICE,
     .offset = offsetof(ty_data_config, format),
     .fallback = "\"auto\"",
     .help = "How the source is read; auto looks at its first bytes.",
     .effect = TY_EFFECT_DISPLAY,
     .choices = ty_reader_formats},
    {.key = "val_fraction",
     .type = TY_ROW_REAL,
     .offset = offsetof(ty_data_config, val_fraction),
     .fallback = "0.1",
     .unit = "ratio",
     .help = "Share of the training samples that is held out for validation, drawn by split_seed; "
             "not used where the "
             "source has a validation part of its own. 0: no validation.",
     .max = 1,
     .max_is_open = true,
     .effect = TY_EFFECT_RESULT},
    {.key = "test_fraction",
     .type = TY_ROW_REAL,
     .offset = offsetof(ty_data_config, test_fraction),
     .fallback = "0",
     .unit = "ratio",
     .help =
         "Share of the training samples that is held out as test part, for sources that have none.",
     .max = 1,
     .max_is_open = true,
     .effect = TY_EFFECT_RESULT},
    {.key = "split_seed",
     .type = TY_ROW_INT,
     .offset = offsetof(ty_data_config, split_seed),
     .fallback = "1",
     .help = "Draws validation and test samples. Apart from seed, so that runs with other seeds "
             "are measured on the "
             "same samples.",
     .max = LARGEST_INTEGER,
     .effect = TY_EFFECT_RESULT},
    {.key = "target",
     .type = TY_ROW_TEXT,
     .offset = offsetof(ty_data_config, target),
     .fallback = "null",
     .help = "What is to be predicted. CSV: a column's name (its number from 1 where there is no "
             "header); null: the "
             "last column. HDF5: a data set's name; null: y, target, label or labels.",
     .effect = TY_EFFECT_RESULT},
    {.key = "features",
     .type = TY_ROW_TEXT,
     .offset = offsetof(ty_data_config, features),
     .fallback = "null",
     .help = "What it is predicted from. CSV: column names with commas between them, \"age,fare\", "
             "or those to leave "
             "out, \"-id,-name\"; null: every column but the target. HDF5: a data set's name; "
             "null: x, features, "
             "data or images.",
     .effect = TY_EFFECT_RESULT},
    {.key = "task",
     .type = TY_ROW_CHOICE,
     .offset = offsetof(ty_data_config, task),
     .fallback = "\"auto\"",
     .help = "auto: a target that is text, or (CSV) whole numbers of at most 32 different values, "
             "or (IDX, HDF5) one "
             "stored integer per sample is a class; everything else is a quantity.",
     .effect = TY_EFFECT_RESULT,
     .choices = tasks},
    {.key = "normalize",
     .type = TY_ROW_CHOICE,
     .offset = offsetof(ty_data_config, normalize),
     .fallback = "\"standard\"",
     .help = "standard: mean 0 and variance 1 for each channel, feature or numeric column, fitted "
             "on the training "
             "split; unit: bytes divided by 255; none: as stored.",
     .effect = TY_EFFECT_RESULT,
     .choices = normalizations},
    {.key = "flip",
     .type = TY_ROW_REAL,
     .offset = offsetof(ty_data_config, flip),
     .fallback = "0",
     .unit = "ratio",
     .help = "Probability that a training image is mirrored left to right, drawn for each sample "
             "and epoch.",
     .max = 1,
     .effect = TY_EFFECT_RESULT},
    {.key = "crop_padding",
     .type = TY_ROW_INT,
     .offset = offsetof(ty_data_config, crop_padding),
     .fallback = "0",
     .unit = "pixels",
     .help = "A training image is padded with this many pixels of 0 on each side and cropped to "
             "its size at a random "
             "place, drawn for each sample and epoch. 0: off.",
     .max = 1024,
     .effect = TY_EFFECT_RESULT},
    {.key = "shuffle_window",
     .type = TY_ROW_INT,
     .offset = offsetof(ty_data_config, shuffle_window),
     .fallback = "\"auto\"",
     .unit = "samples",
     .help = "Larger training splits are shuffled by blocks, then within windows of this many "
             "samples, so that reading "
             "stays local. auto: everything up to 8 GiB of features, otherwise 4 GiB of them.",
     .min = 1,
     .max = LARGEST_INTEGER,
     .allows_auto = true,
     .effect = TY_EFFECT_RESULT},
    {.key = "max_samples",
     .type = TY_ROW_INT,
     .offset = offsetof(ty_data_config, max_samples),
     .fallback = "0",
     .unit = "samples",
     .help = "At most this many samples of each split, drawn by split_seed; for trying things out. "
             "0: all.",
     .max = LARGEST_INTEGER,
     .effect = TY_EFFECT_RESULT},
};

const ty_rows ty_data_rows = TY_ROWS(rows);
