/* Every call of the HDF5 library in data/. All of it runs in child processes that end with _exit,
 * which closes whatever is open: identifiers are closed where it is easy and never on the way out
 * of a failure. */
#include "data/hdf5_file.h"

#include <hdf5.h>
#include <string.h>

/* --- one array -------------------------------------------------------------------------------- */

static ty_status open_file(ty_ctx *ctx, const char *path, hid_t *out) {
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (H5open() < 0 || H5PLset_loading_state(0) < 0)
        return ty_fail(ctx, TY_ERR_INTERNAL, "the HDF5 library does not start");
    *out = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    if (*out < 0)
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s: HDF5 cannot open the file: it is damaged or not complete", path);
    return TY_OK;
}

/* Whether name leads somewhere by hard links alone; soft and external links are as good as
 * absent. */
static bool is_inside(hid_t file, const char *name) {
    char part[TY_H5_NAME_BYTES];
    const size_t length = strlen(name);
    if (length >= sizeof part)
        return false;
    for (size_t end = 1; end <= length; end++) {
        H5L_info_t info;
        if (name[end] != '/' && name[end] != '\0')
            continue;
        memcpy(part, name, end);
        part[end] = '\0';
        if (H5Lexists(file, part, H5P_DEFAULT) <= 0 ||
            H5Lget_info(file, part, &info, H5P_DEFAULT) < 0 || info.type != H5L_TYPE_HARD)
            return false;
    }
    return true;
}

typedef struct known_type {
    hid_t id;
    ty_h5_element element;
    size_t bytes;
    bool is_big_endian;
} known_type;

static ty_status survey_type(ty_ctx *ctx, const char *path, hid_t type, ty_h5_array *out) {
    const known_type known[] = {
        {H5T_STD_U8LE, TY_H5_U8, 1, false},    {H5T_STD_U8BE, TY_H5_U8, 1, false},
        {H5T_STD_I8LE, TY_H5_I8, 1, false},    {H5T_STD_I8BE, TY_H5_I8, 1, false},
        {H5T_STD_U16LE, TY_H5_U16, 2, false},  {H5T_STD_U16BE, TY_H5_U16, 2, true},
        {H5T_STD_I16LE, TY_H5_I16, 2, false},  {H5T_STD_I16BE, TY_H5_I16, 2, true},
        {H5T_STD_U32LE, TY_H5_U32, 4, false},  {H5T_STD_U32BE, TY_H5_U32, 4, true},
        {H5T_STD_I32LE, TY_H5_I32, 4, false},  {H5T_STD_I32BE, TY_H5_I32, 4, true},
        {H5T_STD_U64LE, TY_H5_U64, 8, false},  {H5T_STD_U64BE, TY_H5_U64, 8, true},
        {H5T_STD_I64LE, TY_H5_I64, 8, false},  {H5T_STD_I64BE, TY_H5_I64, 8, true},
        {H5T_IEEE_F32LE, TY_H5_F32, 4, false}, {H5T_IEEE_F32BE, TY_H5_F32, 4, true},
        {H5T_IEEE_F64LE, TY_H5_F64, 8, false}, {H5T_IEEE_F64BE, TY_H5_F64, 8, true}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (H5Tequal(type, known[i].id) <= 0)
            continue;
        out->element = known[i].element;
        out->element_bytes = known[i].bytes;
        out->is_big_endian = known[i].is_big_endian;
        return TY_OK;
    }
    const H5T_class_t class = H5Tget_class(type);
    if (class != H5T_INTEGER && class != H5T_FLOAT)
        return ty_fail(ctx, TY_ERR_DATA, "%s: %s holds neither integers nor floats", path,
                       out->name);
    out->element = class == H5T_INTEGER ? TY_H5_OTHER_INTEGER : TY_H5_OTHER_FLOAT;
    out->element_bytes = 0;
    return TY_OK;
}

static ty_status survey_shape(ty_ctx *ctx, const char *path, hid_t space, ty_h5_array *out) {
    hsize_t dims[TY_H5_MAX_RANK];
    out->rank = H5Sget_simple_extent_ndims(space);
    if (out->rank < 1 || out->rank > TY_H5_MAX_RANK)
        return ty_fail(ctx, TY_ERR_DATA, "%s: %s has rank %d, want 1 to %d", path, out->name,
                       out->rank, TY_H5_MAX_RANK);
    if (H5Sget_simple_extent_dims(space, dims, NULL) < 0)
        return ty_fail(ctx, TY_ERR_DATA, "%s: the shape of %s cannot be read", path, out->name);
    out->count = 1;
    for (int d = 0; d < out->rank; d++) {
        if (dims[d] == 0)
            return ty_fail(ctx, TY_ERR_DATA, "%s: dimension %d of %s is 0: 0 samples", path, d,
                           out->name);
        if (dims[d] > INT64_MAX || !ty_mul_i64(out->count, (int64_t)dims[d], &out->count))
            return ty_fail(ctx, TY_ERR_DATA, "%s: the dimensions of %s overflow", path, out->name);
        out->dims[d] = (int64_t)dims[d];
    }
    return TY_OK;
}

static ty_status check_filters(ty_ctx *ctx, const char *path, hid_t plist,
                               const ty_h5_array *array) {
    for (int i = 0; i < H5Pget_nfilters(plist); i++) {
        unsigned flags, values[16], config;
        size_t n_values = 16;
        char name[64] = "";
        const H5Z_filter_t filter = H5Pget_filter2(plist, (unsigned)i, &flags, &n_values, values,
                                                   sizeof name, name, &config);
        if (filter < 0 || H5Zfilter_avail(filter) <= 0)
            return ty_fail(ctx, TY_ERR_DATA,
                           "%s: %s is compressed with filter %d (%s), which is not built in; store "
                           "it with gzip or "
                           "plain: h5repack -f NONE",
                           path, array->name, (int)filter, name);
    }
    return TY_OK;
}

static ty_status check_chunk(ty_ctx *ctx, const char *path, hid_t plist, const ty_h5_array *array) {
    hsize_t dims[TY_H5_MAX_RANK];
    const int64_t most = (int64_t)1 << 28;
    int64_t count = 1;
    const int rank = H5Pget_chunk(plist, TY_H5_MAX_RANK, dims);
    for (int d = 0; d < rank && d < TY_H5_MAX_RANK; d++)
        if (dims[d] > (hsize_t)most || !ty_mul_i64(count, (int64_t)dims[d], &count) || count > most)
            return ty_fail(ctx, TY_ERR_DATA, "%s: a chunk of %s has more than %lld elements", path,
                           array->name, (long long)most);
    return TY_OK;
}

/* Where the bytes are. Other files are never followed. */
static ty_status survey_layout(ty_ctx *ctx, const char *path, hid_t set, ty_h5_array *out) {
    const hid_t plist = H5Dget_create_plist(set);
    const H5D_layout_t layout = plist < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(plist);
    out->offset = -1;
    if (layout == H5D_VIRTUAL || (layout == H5D_CONTIGUOUS && H5Pget_external_count(plist) != 0))
        return ty_fail(ctx, TY_ERR_DATA,
                       "%s: %s keeps its data in other files, which are not followed", path,
                       out->name);
    if (layout == H5D_CHUNKED) {
        TY_TRY(check_chunk(ctx, path, plist, out));
        return check_filters(ctx, path, plist, out);
    }
    if (layout == H5D_CONTIGUOUS) {
        const haddr_t offset = H5Dget_offset(set);
        if (offset == HADDR_UNDEF || offset > INT64_MAX)
            return ty_fail(ctx, TY_ERR_DATA, "%s: %s was never written", path, out->name);
        out->offset = (int64_t)offset;
        return TY_OK;
    }
    return layout == H5D_COMPACT
               ? TY_OK
               : ty_fail(ctx, TY_ERR_DATA, "%s: the layout of %s cannot be read", path, out->name);
}

static ty_status survey_array(ty_ctx *ctx, const char *path, hid_t file, const char *name,
                              ty_h5_array *out) {
    (void)snprintf(out->name, sizeof out->name, "%s", name);
    const hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    if (set < 0)
        return ty_fail(ctx, TY_ERR_DATA, "%s: %s is no data set, or damaged", path, name);
    const hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    if (type < 0 || space < 0)
        return ty_fail(ctx, TY_ERR_DATA, "%s: the type or shape of %s cannot be read", path, name);
    TY_TRY(survey_type(ctx, path, type, out));
    TY_TRY(survey_shape(ctx, path, space, out));
    TY_TRY(survey_layout(ctx, path, set, out));
    (void)H5Sclose(space);
    (void)H5Tclose(type);
    (void)H5Dclose(set);
    return TY_OK;
}

/* --- the parts of a file ---------------------------------------------------------------------- */

static const char *const usual_features[] = {"x", "features", "data", "images", "X", NULL};
static const char *const usual_targets[] = {"y", "target", "label", "labels", "Y", NULL};

/* Finds `name`, or the first of the usual ones, in a group ("" is the root). False where there is
 * none. */
static bool find_in(hid_t file, const char *group, const char *name, const char *const usual[],
                    char out[TY_H5_NAME_BYTES]) {
    const char *const given[] = {name, NULL};
    for (const char *const *at = name ? given : usual; *at; at++) {
        const int length =
            snprintf(out, TY_H5_NAME_BYTES, "%s/%s", group, **at == '/' ? *at + 1 : *at);
        if (length > 0 && length < TY_H5_NAME_BYTES && is_inside(file, out))
            return true;
    }
    return false;
}

typedef struct survey_job {
    const char *path;
    const ty_h5_names *names;
    ty_h5_survey *survey;
} survey_job;

/* Notes the arrays of a part if the group has features; *is_found says so. */
static ty_status survey_part(ty_ctx *ctx, const survey_job *job, hid_t file, const char *group,
                             int part, bool *is_found) {
    char x[TY_H5_NAME_BYTES], y[TY_H5_NAME_BYTES];
    *is_found = find_in(file, group, job->names->features, usual_features, x);
    if (!*is_found)
        return TY_OK;
    if (job->names->leaves_targets)
        return survey_array(ctx, job->path, file, x, &job->survey->x[part]);
    if (!find_in(file, group, job->names->target, usual_targets, y))
        return ty_fail(ctx, job->names->target ? TY_ERR_CONFIG : TY_ERR_DATA,
                       "%s: beside %s there is no data set %s; data.target names it", job->path, x,
                       job->names->target ? job->names->target : "y, target, label or labels");
    TY_TRY(survey_array(ctx, job->path, file, x, &job->survey->x[part]));
    return survey_array(ctx, job->path, file, y, &job->survey->y[part]);
}

static ty_status survey_parts(ty_ctx *ctx, const survey_job *job, hid_t file) {
    static const char *const groups[TY_SPLIT_COUNT][4] = {
        {"/train", NULL}, {"/val", "/valid", "/validation", NULL}, {"/test", NULL}};
    bool has_train = false, is_found = false;
    TY_TRY(survey_part(ctx, job, file, "/train", TY_SPLIT_TRAIN, &has_train));
    if (!has_train)
        return survey_part(ctx, job, file, "", TY_SPLIT_TRAIN, &is_found);
    for (int part = TY_SPLIT_VAL; part < TY_SPLIT_COUNT; part++) {
        is_found = false;
        for (int g = 0; groups[part][g] && !is_found; g++)
            TY_TRY(survey_part(ctx, job, file, groups[part][g], part, &is_found));
    }
    return TY_OK;
}

static ty_status survey_test_file(ty_ctx *ctx, const survey_job *job, hid_t file) {
    static const char *const groups[] = {"/test", "", "/train"};
    bool is_found = false;
    for (size_t g = 0; g < 3 && !is_found; g++)
        TY_TRY(survey_part(ctx, job, file, groups[g], TY_SPLIT_TEST, &is_found));
    return TY_OK;
}

static ty_status survey_in_child(ty_ctx *ctx, void *self) {
    const survey_job *job = self;
    const char *name = job->names->features;
    hid_t file = -1;
    TY_TRY(open_file(ctx, job->path, &file));
    TY_TRY(job->names->is_test_file ? survey_test_file(ctx, job, file)
                                    : survey_parts(ctx, job, file));
    const int part = job->names->is_test_file ? TY_SPLIT_TEST : TY_SPLIT_TRAIN;
    if (!job->survey->x[part].name[0])
        return ty_fail(
            ctx, name ? TY_ERR_CONFIG : TY_ERR_DATA,
            "%s: there is no data set %s, in the root or in a group train; data.features names it",
            job->path, name ? name : "x, features, data or images");
    return TY_OK;
}

ty_status ty_h5_survey_file(ty_ctx *ctx, const char *path, const ty_h5_names *names,
                            ty_h5_survey *survey) {
    survey_job self = {.path = path, .names = names, .survey = survey};
    const ty_isolated job = {.work = survey_in_child,
                             .self = &self,
                             .answer = &survey->answer,
                             .subject = path,
                             .cpu_seconds = 10,
                             .extra_bytes = (size_t)1 << 30};
    return ty_isolated_run(ctx, &job);
}

/* --- content ---------------------------------------------------------------------------------- */

typedef struct read_job {
    const char *path;
    const ty_h5_array *array;
    ty_h5_as as;
    void *out;
} read_job;

static ty_status read_in_child(ty_ctx *ctx, void *self) {
    const read_job *job = self;
    const hid_t types[] = {H5T_NATIVE_UINT8, H5T_NATIVE_FLOAT, H5T_NATIVE_DOUBLE};
    hid_t file = -1;
    ty_h5_array now = {0};
    TY_TRY(open_file(ctx, job->path, &file));
    TY_TRY(survey_array(ctx, job->path, file, job->array->name, &now));
    if (now.count != job->array->count)
        return ty_fail(ctx, TY_ERR_DATA, "%s changed while it was read", job->path);
    const hid_t set = H5Dopen2(file, job->array->name, H5P_DEFAULT);
    if (set < 0 || H5Dread(set, types[job->as], H5S_ALL, H5S_ALL, H5P_DEFAULT, job->out) < 0)
        return ty_fail(ctx, TY_ERR_DATA, "%s: HDF5 cannot read %s: the file is damaged", job->path,
                       job->array->name);
    return TY_OK;
}

ty_status ty_h5_read_array(ty_ctx *ctx, const char *path, const ty_h5_array *array, ty_h5_as as,
                           void *shared) {
    read_job self = {.path = path, .array = array, .as = as, .out = shared};
    ty_isolated_answer *answer = ty_isolated_alloc(sizeof *answer);
    if (!answer)
        return ty_fail_nomem(ctx, "reading an HDF5 file");
    const double slow = 2e6; /* elements a second */
    const ty_isolated job = {.work = read_in_child,
                             .self = &self,
                             .answer = answer,
                             .subject = path,
                             .cpu_seconds = 30 + (double)array->count / slow,
                             .extra_bytes = (size_t)3 << 30};
    const ty_status st = ty_isolated_run(ctx, &job);
    ty_isolated_free(answer, sizeof *answer);
    return st;
}
