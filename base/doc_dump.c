/* A document as text: what was written, wherever it was, in one file. */
#include "base/rows_value.h"

static void add_members(ty_text *out, const doc_node *object, int depth) {
    ty_text_add(out, "{");
    for (const doc_node *member = object->first; member; member = member->next) {
        ty_text_addf(out, "\n%*s", 2 * (depth + 1), "");
        ty_text_add_json(out, member->key);
        ty_text_add(out, ": ");
        if (json_is_object(member->json) && member->first)
            add_members(out, member, depth + 1);
        else
            ty_rows_add_json(out, member);
        ty_text_add(out, member->next ? "," : "");
    }
    ty_text_addf(out, "\n%*s}", 2 * depth, "");
}

void ty_doc_dump(const ty_doc *doc, ty_text *out) {
    add_members(out, doc->root, 0);
    ty_text_add(out, "\n");
}
