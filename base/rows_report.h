/* Private to base: the findings of a document, collected and said at once. */
#ifndef TY_BASE_ROWS_REPORT_H
#define TY_BASE_ROWS_REPORT_H

#include "base/doc_tree.h"

/* Forgets all findings; whether one more will be shown. */
void ty_report_clear(ty_doc *doc);
bool ty_report_has_room(const ty_doc *doc);
void ty_report_count(const ty_doc *doc); /* one more that there is no room for */

/* Takes message, which is empty afterwards; copies hint (NULL: none). node NULL: the nearest thing
 * is the document. */
void ty_report_add(const ty_doc *doc, const doc_node *node, bool at_key, ty_text *message,
                   const char *hint);

/* TY_OK without findings; else TY_ERR_CONFIG and all of them, in the order of the text, in ctx's
 * message. */
ty_status ty_report_status(ty_ctx *ctx, const ty_doc *doc) TY_MUST_USE;

/* A value as a message shows it: short, quoted where it is text. */
void ty_report_add_value(ty_text *out, const doc_node *node);
void ty_report_add_text(ty_text *out, const char *text);

#endif
