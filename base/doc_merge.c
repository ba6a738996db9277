/* "extends": reads the files that a document is built on and merges it over them (RFC 7396). */
#include "base/doc_tree.h"

#include <stdio.h>
#include <string.h>

/* The files that are being read, innermost first: what must not be read again below. */
struct doc_chain {
    const doc_chain *outer;
    dev_t device;
    ino_t inode;
    const char *name;
};

/* --- reading ---------------------------------------------------------------------------------- */

static ty_status read_text(ty_ctx *ctx, ty_doc *doc, const char *path, doc_source *source) {
    char *data = NULL;
    ty_status st = ty_file_read_all(ctx, path, TY_DOC_MAX_BYTES, &data, &source->bytes);
    if (st == TY_ERR_DATA)
        return ty_fail(ctx, TY_ERR_CONFIG, "error: %s: longer than %d bytes", path,
                       TY_DOC_MAX_BYTES);
    TY_TRY(st);
    source->name = source->path = ty_arena_string(&doc->arena, path);
    source->text = ty_arena_string_n(&doc->arena, data, source->bytes);
    free(data);
    return source->name && source->text ? TY_OK : ty_fail_nomem(ctx, "a document");
}

static ty_status check_circle(ty_ctx *ctx, const doc_chain *here) {
    for (const doc_chain *outer = here->outer; outer; outer = outer->outer)
        if (outer->device == here->device && outer->inode == here->inode)
            return ty_fail(ctx, TY_ERR_CONFIG,
                           "extends goes round in a circle: %s, in the end, extends itself",
                           outer->name);
    return TY_OK;
}

ty_status ty_doc_read_file(ty_ctx *ctx, ty_doc *doc, const char *path, const doc_chain *chain,
                           doc_node **out) {
    doc_source *source = ty_arena_alloc(&doc->arena, sizeof *source);
    if (!source)
        return ty_fail_nomem(ctx, "a document");
    if (++doc->n_files > DOC_MAX_FILES)
        return ty_fail(ctx, TY_ERR_CONFIG, "more than %d files extend each other", DOC_MAX_FILES);
    doc_chain here = {.outer = chain, .name = path};
    struct stat status;
    if (ctx->io->stat(ctx->io->self, path, &status) == 0) {
        here.device = status.st_dev;
        here.inode = status.st_ino;
        TY_TRY(check_circle(ctx, &here));
    }
    TY_TRY(read_text(ctx, doc, path, source));
    TY_TRY(ty_doc_parse_named(ctx, doc, source, out));
    TY_TRY(ty_doc_expand(ctx, doc, *out));
    return ty_doc_extend(ctx, doc, source, &here, out);
}

/* --- merging ---------------------------------------------------------------------------------- */

/* A patch that meets nothing to patch: its nulls have nothing to delete and go. */
static void drop_nulls(doc_node *object) {
    for (doc_node *member = object->first, *next; member; member = next) {
        next = member->next;
        if (json_is_null(member->json))
            ty_doc_drop(object, member);
        else if (json_is_object(member->json))
            drop_nulls(member);
    }
}

/* Moves patch's members into target. False when memory is out. */
static bool merge(ty_doc *doc, doc_node *target, doc_node *patch) {
    for (doc_node *member = patch->first, *next; member; member = next) {
        next = member->next;
        doc_node *old = ty_doc_member(target, member->key);
        bool is_object = json_is_object(member->json);
        if (json_is_null(member->json)) {
            if (old)
                ty_doc_drop(target, old);
        } else if (is_object && old && json_is_object(old->json)) {
            if (!merge(doc, old, member))
                return false;
        } else {
            if (is_object)
                drop_nulls(member);
            if (!ty_doc_put(doc, target, member))
                return false;
        }
    }
    /* An object that several files write is said to be where the last of them wrote it. */
    target->source = patch->source;
    target->value = patch->value;
    target->name = patch->name;
    return true;
}

/* --- extends ---------------------------------------------------------------------------------- */

/* A failure below is one of the entry's file; says who asked for it. */
static ty_status fail_below(ty_ctx *ctx, ty_status st, const doc_node *entry, const char *path) {
    if (st != TY_ERR_CONFIG && st != TY_ERR_NOT_FOUND && st != TY_ERR_IO)
        return st;
    char below[TY_MESSAGE_BYTES];
    memcpy(below, ctx->message, sizeof below);
    if (strncmp(below, "error: ", 7) != 0)
        return ty_doc_fail(ctx, entry, false, "cannot extend \"%s\"\n%s", path, below);
    return ty_fail(ctx, TY_ERR_CONFIG, "%.*s\n      | extended by %s:%d:%d", TY_MESSAGE_BYTES - 512,
                   below, entry->source->name, entry->value.line, entry->value.column);
}

static ty_status read_base(ty_ctx *ctx, ty_doc *doc, const doc_source *source,
                           const doc_chain *chain, const doc_node *entry, doc_node **out) {
    const char *name = json_string_value(entry->json);
    if (!name || !*name)
        return ty_doc_fail(ctx, entry, false, "extends wants a path or a list of paths");
    const char *folder = source->path ? ty_path_folder(&doc->arena, source->path) : ".";
    const char *path = name;
    if (folder && strcmp(folder, ".") != 0)
        path = ty_path_join(&doc->arena, folder, name);
    if (!folder || !path)
        return ty_fail_nomem(ctx, "a document");
    ty_status st = ty_doc_read_file(ctx, doc, path, chain, out);
    if (st != TY_OK)
        return fail_below(ctx, st, entry, path);
    if (!json_is_object((*out)->json))
        return ty_doc_fail(ctx, entry, false, "\"%s\" holds a list; only an object can be extended",
                           path);
    return TY_OK;
}

/* Reads entry's file and merges it over *base, or takes it for *base. */
static ty_status add_base(ty_ctx *ctx, ty_doc *doc, const doc_source *source,
                          const doc_chain *chain, const doc_node *entry, doc_node **base) {
    doc_node *read = NULL;
    TY_TRY(read_base(ctx, doc, source, chain, entry, &read));
    if (*base && !merge(doc, *base, read))
        return ty_fail_nomem(ctx, "a document");
    *base = *base ? *base : read;
    return TY_OK;
}

ty_status ty_doc_extend(ty_ctx *ctx, ty_doc *doc, const doc_source *source, const doc_chain *chain,
                        doc_node **root) {
    doc_node *extends = json_is_object((*root)->json) ? ty_doc_member(*root, "extends") : NULL;
    if (!extends)
        return TY_OK;
    doc_node *base = NULL;
    if (!json_is_array(extends->json))
        TY_TRY(add_base(ctx, doc, source, chain, extends, &base));
    for (const doc_node *entry = extends->first; entry; entry = entry->next)
        TY_TRY(add_base(ctx, doc, source, chain, entry, &base));
    ty_doc_drop(*root, extends);
    if (!base)
        return TY_OK;
    if (!merge(doc, base, *root))
        return ty_fail_nomem(ctx, "a document");
    *root = base;
    return TY_OK;
}
