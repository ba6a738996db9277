/* The table of readers and the choice among them. */
#include <errno.h>
#include <string.h>

#include "data/input.h"
#include "data/reader.h"

#define READER_NAME(name) #name,
const char *const ty_reader_formats[] = {"auto", TY_READER_ROWS(READER_NAME) NULL};
#undef READER_NAME

#define READER_ADDRESS(name) &ty_reader_##name,
static const ty_reader *const readers[] = {TY_READER_ROWS(READER_ADDRESS)};
#undef READER_ADDRESS
enum { N_READERS = sizeof readers / sizeof *readers };

enum { HEAD_BYTES = 4096 };

static ty_status read_head(ty_ctx *ctx, const char *path, char head[HEAD_BYTES], size_t *got) {
    ty_input *input = NULL;
    TY_TRY(ty_input_open(ctx, path, &input));
    const ty_status st = ty_input_read(ctx, input, head, HEAD_BYTES, got);
    ty_input_close(ctx, input);
    return st;
}

ty_status ty_reader_choose(ty_ctx *ctx, const ty_data_config *config, const ty_data_place *place,
                           const ty_reader **out) {
    if (config->format > 0 && config->format <= N_READERS) {
        *out = readers[config->format - 1];
        if (place->path || *out == &ty_reader_synthetic)
            return TY_OK;
        return ty_fail(ctx, TY_ERR_CONFIG, "data.format is \"%s\", but \"%s\" is generated",
                       (*out)->format, place->source);
    }
    if (!place->path) {
        *out = &ty_reader_synthetic;
        return TY_OK;
    }
    struct stat info;
    if (ctx->io->stat(ctx->io->self, place->path, &info) != 0)
        return ty_fail_errno(ctx, errno, "looking at %s", place->path);
    const bool is_folder = S_ISDIR(info.st_mode);
    char head[HEAD_BYTES];
    size_t head_bytes = 0;
    if (!is_folder)
        TY_TRY(read_head(ctx, place->path, head, &head_bytes));
    for (int i = 0; i < N_READERS; i++) {
        if (readers[i]->accepts(place->path, is_folder, head, head_bytes)) {
            *out = readers[i];
            return TY_OK;
        }
    }
    if (!is_folder && head_bytes == 0)
        return ty_fail(ctx, TY_ERR_DATA, "%s is empty: 0 samples", place->path);
    return ty_fail(
        ctx, TY_ERR_DATA,
        "%s is of no known format; want a folder of IDX files, a CSV or TSV file, or HDF5",
        place->path);
}
