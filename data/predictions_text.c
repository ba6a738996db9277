/* Predictions as CSV (RFC 4180) and JSON lines. Slots become texts on their threads; a flush writes
 * them one after the other. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "data/float_text.h"
#include "data/predictions_private.h"

typedef struct text_slot {
    ty_text text;
    float *probabilities; /* [n_outputs] */
} text_slot;

/* --- pieces ----------------------------------------------------------------------------------- */

static void add_cell(ty_text *out, const char *text) {
    const size_t length = strlen(text);
    const bool is_plain = length > 0 && strpbrk(text, ",;\t\"\r\n") == NULL && text[0] != ' ' &&
                          text[length - 1] != ' ';
    if (is_plain || length == 0) {
        ty_text_add_n(out, text, length);
        return;
    }
    ty_text_add(out, "\"");
    for (const char *at = text; *at;) {
        const size_t n = strcspn(at, "\"");
        ty_text_add_n(out, at, n);
        at += n;
        if (*at) {
            ty_text_add(out, "\"\"");
            at++;
        }
    }
    ty_text_add(out, "\"");
}

static void add_json_float(ty_text *out, float value) {
    if (isfinite(value))
        ty_float_add(out, value);
    else
        ty_text_add_number(out, (double)value);
}

static void add_int(ty_text *out, int64_t value) {
    ty_text_addf(out, "%lld", (long long)value);
}

/* --- CSV -------------------------------------------------------------------------------------- */

static void add_named_cells(ty_text *out, const char *prefix, const ty_data_info *info) {
    ty_text name = {0};
    for (int64_t k = 0; k < info->n_outputs; k++) {
        name.length = 0;
        ty_text_addf(&name, "%s%s", prefix, info->class_names[k]);
        ty_text_add(out, ",");
        add_cell(out, ty_text_string(&name));
        out->is_short |= name.is_short;
    }
    ty_text_clear(&name);
}

static void add_header(const ty_predictions *to, ty_text *out) {
    const ty_data_info *info = to->info;
    const bool has_many = !info->is_classification && info->n_outputs > 1;
    ty_text_add(out, "index");
    for (int k = 0; k < to->options.n_keep; k++) {
        ty_text_add(out, ",");
        add_cell(out, to->options.keep[k]);
    }
    for (int64_t k = 0; has_many && k < info->n_outputs; k++)
        ty_text_addf(out, ",prediction_%lld", (long long)k + 1);
    if (!has_many)
        ty_text_add(out, ",prediction");
    if (to->options.has_probabilities)
        add_named_cells(out, "probability_", info);
    if (to->options.has_logits)
        add_named_cells(out, "logit_", info);
    ty_text_add(out, "\n");
}

static void add_float_cells(ty_text *out, const float *values, int64_t n) {
    for (int64_t k = 0; k < n; k++) {
        ty_text_add_n(out, ",", 1);
        ty_float_add(out, values[k]);
    }
}

static void add_csv_row(const ty_predictions *to, text_slot *slot, int64_t index,
                        const float *outputs) {
    const int64_t n = to->info->n_outputs;
    ty_text *out = &slot->text;
    add_int(out, index);
    for (int k = 0; k < to->options.n_keep; k++) {
        ty_text_add_n(out, ",", 1);
        add_cell(out, ty_samples_kept(to->options.samples, index, k));
    }
    if (to->info->is_classification) {
        ty_text_add_n(out, ",", 1);
        add_cell(out, to->info->class_names[ty_predictions_class(outputs, n)]);
    } else {
        add_float_cells(out, outputs, n);
    }
    if (to->options.has_probabilities)
        add_float_cells(out, slot->probabilities, n);
    if (to->options.has_logits)
        add_float_cells(out, outputs, n);
    ty_text_add_n(out, "\n", 1);
}

/* --- JSON lines ------------------------------------------------------------------------------- */

static void add_json_floats(ty_text *out, const char *key, const ty_data_info *info,
                            const float *values) {
    ty_text_addf(out, ", \"%s\": {", key);
    for (int64_t k = 0; k < info->n_outputs; k++) {
        ty_text_add(out, k ? ", " : "");
        ty_text_add_json(out, info->class_names[k]);
        ty_text_add(out, ": ");
        add_json_float(out, values[k]);
    }
    ty_text_add(out, "}");
}

static void add_json_numbers(ty_text *out, const float *values, int64_t n) {
    ty_text_add(out, n > 1 ? "[" : "");
    for (int64_t k = 0; k < n; k++) {
        ty_text_add(out, k ? ", " : "");
        add_json_float(out, values[k]);
    }
    ty_text_add(out, n > 1 ? "]" : "");
}

static void add_json_row(const ty_predictions *to, text_slot *slot, int64_t index,
                         const float *outputs) {
    const ty_data_info *info = to->info;
    ty_text *out = &slot->text;
    ty_text_addf(out, "{\"index\": %lld", (long long)index);
    for (int k = 0; k < to->options.n_keep; k++) {
        ty_text_add(out, ", ");
        ty_text_add_json(out, to->options.keep[k]);
        ty_text_add(out, ": ");
        ty_text_add_json(out, ty_samples_kept(to->options.samples, index, k));
    }
    ty_text_add(out, ", \"prediction\": ");
    if (info->is_classification)
        ty_text_add_json(out, info->class_names[ty_predictions_class(outputs, info->n_outputs)]);
    else
        add_json_numbers(out, outputs, info->n_outputs);
    if (to->options.has_probabilities)
        add_json_floats(out, "probabilities", info, slot->probabilities);
    if (to->options.has_logits)
        add_json_floats(out, "logits", info, outputs);
    ty_text_add(out, "}\n");
}

/* --- the writer ------------------------------------------------------------------------------- */

/* As ty_file_write, but a pipe that nobody reads is told apart. */
static ty_status write_all(ty_ctx *ctx, ty_predictions *to, const char *data, size_t bytes) {
    while (bytes > 0) {
        const ssize_t done = ctx->io->write(ctx->io->self, to->fd, data, bytes);
        if (done < 0 && errno == EINTR)
            continue;
        to->is_unread = done < 0 && errno == EPIPE;
        if (done < 0)
            return ty_fail_errno(ctx, errno, "writing to %s", to->name);
        data += done;
        bytes -= (size_t)done;
    }
    return TY_OK;
}

static ty_status write_text(ty_ctx *ctx, ty_predictions *to, ty_text *text) {
    if (text->is_short)
        return ty_fail_nomem(ctx, "predictions");
    const ty_status st = write_all(ctx, to, ty_text_string(text), text->length);
    text->length = 0;
    return st;
}

static ty_status text_open(ty_ctx *ctx, ty_predictions *to) {
    const size_t n = (size_t)to->options.slots;
    text_slot *slots = ty_arena_array(&to->arena, n, sizeof *slots);
    if (!slots)
        return ty_fail_nomem(ctx, "predictions");
    for (size_t i = 0; i < n; i++) {
        slots[i].probabilities =
            ty_arena_array(&to->arena, (size_t)to->info->n_outputs, sizeof(float));
        if (!slots[i].probabilities)
            return ty_fail_nomem(ctx, "predictions");
    }
    to->self = slots;
    if (to->options.format == TY_PREDICTIONS_CSV)
        add_header(to, &slots[0].text);
    return write_text(ctx, to, &slots[0].text);
}

static ty_status text_block(ty_ctx *ctx, ty_predictions *to, int slot, int64_t first, int64_t n,
                            const float *outputs) {
    text_slot *own = &((text_slot *)to->self)[slot];
    for (int64_t i = 0; i < n; i++, outputs += to->info->n_outputs) {
        if (to->options.has_probabilities)
            ty_predictions_softmax(outputs, to->info->n_outputs, own->probabilities);
        if (to->options.format == TY_PREDICTIONS_CSV)
            add_csv_row(to, own, first + i, outputs);
        else
            add_json_row(to, own, first + i, outputs);
    }
    return own->text.is_short ? ty_fail_nomem(ctx, "predictions") : TY_OK;
}

static ty_status text_flush(ty_ctx *ctx, ty_predictions *to, int n_slots) {
    for (int i = 0; i < n_slots; i++)
        TY_TRY(write_text(ctx, to, &((text_slot *)to->self)[i].text));
    return TY_OK;
}

static void text_close(ty_predictions *to) {
    for (int i = 0; i < to->options.slots; i++)
        ty_text_clear(&((text_slot *)to->self)[i].text);
}

const ty_predictions_writer ty_predictions_text = {
    .open = text_open, .block = text_block, .flush = text_flush, .close = text_close};
