/* What other tools call the trainer's keys: a sweep file that was written for one of them searches ours. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hpo/sweep_file/sweep_private.h"
#include "trainer/trainer.h"

/* Whether a dotted name begins with one of the trainer's own keys. */
static bool is_ours(const char *name) {
    const size_t length = strcspn(name, ".: ");
    for (int64_t i = 0; i < ty_train_rows.n; i++)
        if (strlen(ty_train_rows.v[i].key) == length &&
            strncmp(ty_train_rows.v[i].key, name, length) == 0)
            return true;
    return false;
}

/* Ours is a path, and behind it nothing, ": " and an amount as an example, or " (" and what it is. Any
 * other sentence ("nothing: ...", "a and b") is no one key. */
static const char *translation(const char *name) {
    const ty_foreign_name *row = ty_train_foreign;
    while (row->theirs && strcmp(row->theirs, name) != 0)
        row++;
    if (!row->theirs || !is_ours(row->ours))
        return NULL;
    const char *behind = row->ours + strcspn(row->ours, ": ");
    return *behind == '\0' || *behind == ':' || strncmp(behind, " (", 2) == 0 ? row->ours : NULL;
}

static const char *lookup(const sweep_reader *r, const char *name) {
    return r->file->config && !is_ours(name) ? translation(name) : NULL;
}

const char *sweep_our_name(const sweep_reader *r, const char *name) {
    const char *ours = lookup(r, name);
    char *copy = ours ? ty_arena_string_n(&r->file->arena, ours, strcspn(ours, ": ")) : NULL;
    return copy ? copy : name;
}

/* --- amounts ------------------------------------------------------------------------------------ */

/* "epochs" of "train.duration: \"10 epochs\"", with its length. */
static const char *unit_of(const char *ours, size_t *length) {
    const char *number = strchr(ours, '"');
    const char *unit = number ? number + 1 + strspn(number + 1, "0123456789 ") : "";
    *length = strcspn(unit, "\"");
    return unit;
}

/* 10 as "10 epochs"; what is no number stays. */
static json_t *with_unit(const json_t *value, const char *unit, int length) {
    char number[64];
    if (!json_is_number(value))
        return json_deep_copy(value);
    if (json_is_integer(value))
        (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    else
        (void)snprintf(number, sizeof number, "%.17g", json_real_value(value));
    return json_sprintf("%s %.*s", number, length, unit);
}

/* The same parameter with amounts for its values; NULL when memory is out. */
static json_t *with_units(const json_t *spec, const char *unit, int length) {
    json_t *copy = json_deep_copy(spec), *value = json_object_get(copy, "value"), *item;
    json_t *values = json_object_get(copy, "values");
    size_t i;
    int bad = !copy;
    if (value)
        bad |= json_object_set_new(copy, "value", with_unit(value, unit, length));
    json_array_foreach(values, i, item)
        bad |= json_array_set_new(values, i, with_unit(item, unit, length));
    if (!bad)
        return copy;
    json_decref(copy);
    return NULL;
}

/* Amounts have no range: their values are written one by one. */
static void write_amounts(sweep_reader *r, sweep_entry *entry, const char *ours) {
    size_t length;
    const char *unit = unit_of(ours, &length);
    if (length == 0)
        return;
    if (!json_object_get(entry->json, "value") && !json_object_get(entry->json, "values")) {
        SWEEP_REJECT(r, entry->path,
                     "%s is an amount, which has no range\nwrite \"values\": [\"5 %.*s\", \"10 "
                     "%.*s\"]",
                     entry->name, (int)length, unit, (int)length, unit);
        return;
    }
    json_t *written = with_units(entry->json, unit, (int)length);
    if (!r->file->made)
        r->file->made = json_array();
    if (!written || json_array_append_new(r->file->made, written) != 0)
        sweep_found(r, ty_fail_nomem(r->ctx, "the parameters of a sweep"));
    else
        entry->json = written;
}

void sweep_translate(sweep_reader *r, sweep_entry *entry) {
    const char *ours = lookup(r, entry->name), *theirs = entry->name;
    if (!ours)
        return;
    entry->name = sweep_our_name(r, theirs);
    if (strchr(ours, ':'))
        write_amounts(r, entry, ours);
    ty_log(r->ctx, TY_LOG_WARN, "sweep", "%s is called %s here, and searched as that", theirs,
           entry->name);
}
