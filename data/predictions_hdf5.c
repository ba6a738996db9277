/* Predictions as HDF5. The number of rows is known: the library makes the structure and says where
 * each array lies, and blocks are written there without it, from any thread. Times are left out, so
 * that equal predictions are equal bytes. */
#include <hdf5.h>
#include <string.h>

#include "data/predictions_private.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "arrays are written as they lie");

typedef struct hdf5_file {
    int64_t index_at, prediction_at, probabilities_at, logits_at; /* bytes in the file; 0: none */
} hdf5_file;

/* --- structure -------------------------------------------------------------------------------- */

typedef struct structure {
    hid_t file, creation; /* creation: of data sets */
    bool is_refused;
} structure;

/* An array of the file; its place in bytes. */
static int64_t add_array(structure *s, const char *name, hid_t type, int rank,
                         const hsize_t dims[]) {
    const hid_t space = H5Screate_simple(rank, dims, NULL);
    const hid_t set =
        space < 0 ? -1
                  : H5Dcreate2(s->file, name, type, space, H5P_DEFAULT, s->creation, H5P_DEFAULT);
    const haddr_t at = set < 0 ? HADDR_UNDEF : H5Dget_offset(set);
    s->is_refused |= at == HADDR_UNDEF || at > INT64_MAX;
    if (set >= 0)
        s->is_refused |= H5Dclose(set) < 0;
    if (space >= 0)
        (void)H5Sclose(space);
    return (int64_t)at;
}

/* Texts of one length, padded with NUL: what numpy's S and h5py's asstr() read. */
static void add_classes(structure *s, const ty_data_info *info, ty_arena *arena) {
    size_t longest = 1;
    for (int64_t k = 0; k < info->n_outputs; k++)
        if (strlen(info->class_names[k]) > longest)
            longest = strlen(info->class_names[k]);
    char *texts = ty_arena_array(arena, (size_t)info->n_outputs, longest);
    const hsize_t n = (hsize_t)info->n_outputs;
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &n, NULL);
    s->is_refused |= !texts || type < 0 || space < 0 || H5Tset_size(type, longest) < 0 ||
                     H5Tset_cset(type, H5T_CSET_UTF8) < 0 ||
                     H5Tset_strpad(type, H5T_STR_NULLPAD) < 0;
    for (int64_t k = 0; texts && k < info->n_outputs; k++)
        memcpy(texts + (size_t)k * longest, info->class_names[k], strlen(info->class_names[k]));
    const hid_t set = s->is_refused ? -1
                                    : H5Dcreate2(s->file, "classes", type, space, H5P_DEFAULT,
                                                 s->creation, H5P_DEFAULT);
    s->is_refused |= set < 0 || H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts) < 0 ||
                     H5Dclose(set) < 0;
    if (space >= 0)
        (void)H5Sclose(space);
    if (type >= 0)
        (void)H5Tclose(type);
}

static void add_arrays(structure *s, ty_predictions *to, hdf5_file *out) {
    const ty_data_info *info = to->info;
    const hsize_t dims[2] = {(hsize_t)info->count[to->options.split], (hsize_t)info->n_outputs};
    out->index_at = add_array(s, "index", H5T_STD_I64LE, 1, dims);
    if (info->is_classification) {
        add_classes(s, info, &to->arena);
        out->prediction_at = add_array(s, "prediction", H5T_STD_I32LE, 1, dims);
    } else {
        out->prediction_at =
            add_array(s, "prediction", H5T_IEEE_F32LE, info->n_outputs > 1 ? 2 : 1, dims);
    }
    if (to->options.has_probabilities)
        out->probabilities_at = add_array(s, "probabilities", H5T_IEEE_F32LE, 2, dims);
    if (to->options.has_logits)
        out->logits_at = add_array(s, "logits", H5T_IEEE_F32LE, 2, dims);
}

static bool open_structure(structure *s, const char *path) {
    const hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    s->creation = H5Pcreate(H5P_DATASET_CREATE);
    const bool is_set = creation >= 0 && H5Pset_obj_track_times(creation, 0) >= 0 &&
                        H5Pset_obj_track_times(s->creation, 0) >= 0 &&
                        H5Pset_layout(s->creation, H5D_CONTIGUOUS) >= 0 &&
                        H5Pset_alloc_time(s->creation, H5D_ALLOC_TIME_EARLY) >= 0 &&
                        H5Pset_fill_time(s->creation, H5D_FILL_TIME_NEVER) >= 0;
    s->file = is_set ? H5Fcreate(path, H5F_ACC_TRUNC, creation, H5P_DEFAULT) : -1;
    if (creation >= 0)
        (void)H5Pclose(creation);
    return s->file >= 0;
}

static ty_status hdf5_open(ty_ctx *ctx, ty_predictions *to) {
    hdf5_file *own = ty_arena_alloc(&to->arena, sizeof *own);
    structure s = {.file = -1, .creation = -1};
    if (!own)
        return ty_fail_nomem(ctx, "predictions");
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (open_structure(&s, to->temp))
        add_arrays(&s, to, own);
    else
        s.is_refused = true;
    if (s.file >= 0)
        s.is_refused |= H5Fclose(s.file) < 0; /* sets the file's length */
    if (s.creation >= 0)
        (void)H5Pclose(s.creation);
    if (s.is_refused)
        return ty_fail(ctx, TY_ERR_IO, "HDF5 cannot create %s: is the disk full?", to->temp);
    to->self = own;
    return TY_OK;
}

/* --- rows ------------------------------------------------------------------------------------- */

/* Rows of one array, row_bytes each. */
static ty_status put(ty_ctx *ctx, const ty_predictions *to, int64_t at, int64_t first, int64_t n,
                     size_t row_bytes, const void *data) {
    return ty_file_pwrite(ctx, to->temp, to->fd, data, (size_t)n * row_bytes,
                          at + first * (int64_t)row_bytes);
}

typedef struct rows {
    int64_t *index;
    int32_t *prediction;
    float *probabilities;
} rows;

static ty_status fill_rows(ty_ctx *ctx, const ty_predictions *to, int64_t first, int64_t n,
                           const float *outputs, rows *out) {
    const int64_t width = to->info->n_outputs;
    out->index = ty_arena_array(&ctx->scratch, (size_t)n, sizeof *out->index);
    out->prediction = ty_arena_array(&ctx->scratch, (size_t)n, sizeof *out->prediction);
    out->probabilities = ty_arena_array(&ctx->scratch, (size_t)(n * width), sizeof(float));
    if (!out->index || !out->prediction || !out->probabilities)
        return ty_fail_nomem(ctx, "predictions");
    for (int64_t i = 0; i < n; i++) {
        out->index[i] = first + i;
        out->prediction[i] = (int32_t)ty_predictions_class(outputs + i * width, width);
        if (to->options.has_probabilities)
            ty_predictions_softmax(outputs + i * width, width, out->probabilities + i * width);
    }
    return TY_OK;
}

static ty_status put_rows(ty_ctx *ctx, const ty_predictions *to, int64_t first, int64_t n,
                          const float *outputs) {
    const hdf5_file *own = to->self;
    const size_t width_bytes = (size_t)to->info->n_outputs * sizeof(float);
    rows r;
    TY_TRY(fill_rows(ctx, to, first, n, outputs, &r));
    TY_TRY(put(ctx, to, own->index_at, first, n, sizeof *r.index, r.index));
    TY_TRY(to->info->is_classification
               ? put(ctx, to, own->prediction_at, first, n, sizeof *r.prediction, r.prediction)
               : put(ctx, to, own->prediction_at, first, n, width_bytes, outputs));
    if (to->options.has_probabilities)
        TY_TRY(put(ctx, to, own->probabilities_at, first, n, width_bytes, r.probabilities));
    if (to->options.has_logits)
        TY_TRY(put(ctx, to, own->logits_at, first, n, width_bytes, outputs));
    return TY_OK;
}

static ty_status hdf5_block(ty_ctx *ctx, ty_predictions *to, int slot, int64_t first, int64_t n,
                            const float *outputs) {
    (void)slot;
    const ty_arena_mark mark = ty_arena_mark_here(&ctx->scratch);
    const ty_status st = put_rows(ctx, to, first, n, outputs);
    ty_arena_reset(&ctx->scratch, mark);
    return st;
}

static void hdf5_close(ty_predictions *to) {
    (void)to;
}

const ty_predictions_writer ty_predictions_hdf5 = {
    .open = hdf5_open, .block = hdf5_block, .close = hdf5_close};
