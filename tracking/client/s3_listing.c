/* Expat reads the XML; declarations of entities are refused, since no store needs them. */
#include "tracking/client/s3_listing.h"

#include <expat.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DEPTH = 16, MOST_TEXT = 8192 };

typedef struct xml_reading {
    XML_Parser parser;
    void (*take)(void *self, const char *key, bool is_folder, int64_t size);
    void *self;
    int depth;
    bool is_listing, is_wrong, is_cut;
    ty_text text; /* of the innermost element */
    ty_text key, token, code, message;
    int64_t size;
} xml_reading;

static void stop(xml_reading *r) {
    r->is_wrong = true;
    (void)XML_StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_start(void *self, const XML_Char *name, const XML_Char **attributes) {
    xml_reading *r = self;
    (void)attributes;
    if (++r->depth > MOST_DEPTH)
        stop(r);
    if (r->depth == 1)
        r->is_listing = strcmp(name, "ListBucketResult") == 0;
    if (strcmp(name, "Contents") == 0) {
        ty_text_clear(&r->key);
        r->size = 0;
    }
    ty_text_clear(&r->text);
}

static void XMLCALL on_text(void *self, const XML_Char *text, int length) {
    xml_reading *r = self;
    if (r->text.length + (size_t)length > MOST_TEXT)
        stop(r);
    else
        ty_text_add_n(&r->text, text, (size_t)length);
}

static void XMLCALL on_entity(void *self, const XML_Char *name, int is_parameter,
                              const XML_Char *value, int length, const XML_Char *base,
                              const XML_Char *system_id, const XML_Char *public_id,
                              const XML_Char *notation) {
    (void)name, (void)is_parameter, (void)value, (void)length, (void)base;
    (void)system_id, (void)public_id, (void)notation;
    stop(self);
}

static void keep(ty_text *out, const ty_text *text) {
    ty_text_clear(out);
    ty_text_add(out, ty_text_string(text));
}

/* The element's parent is one of the two that have what we look for: its depth tells. */
static void end_inner(xml_reading *r, const char *name) {
    if (strcmp(name, "Key") == 0)
        keep(&r->key, &r->text);
    else if (strcmp(name, "Size") == 0)
        r->size = strtoll(ty_text_string(&r->text), NULL, 10);
    else if (strcmp(name, "Prefix") == 0)
        r->take(r->self, ty_text_string(&r->text), true, 0);
}

static void XMLCALL on_end(void *self, const XML_Char *name) {
    xml_reading *r = self;
    if (r->depth == 3 && r->is_listing)
        end_inner(r, name);
    else if (r->depth == 2 && r->is_listing && strcmp(name, "Contents") == 0)
        r->take(r->self, ty_text_string(&r->key), false, r->size > 0 ? r->size : 0);
    else if (r->depth == 2 && strcmp(name, "NextContinuationToken") == 0)
        keep(&r->token, &r->text);
    else if (r->depth == 2 && strcmp(name, "Code") == 0)
        keep(&r->code, &r->text);
    else if (r->depth == 2 && strcmp(name, "Message") == 0)
        keep(&r->message, &r->text);
    ty_text_clear(&r->text);
    r->depth--;
}

static void read_all(xml_reading *r, const char *xml, size_t bytes) {
    r->parser = XML_ParserCreate(NULL);
    if (!r->parser) {
        r->is_wrong = true;
        return;
    }
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetEntityDeclHandler(r->parser, on_entity);
    if (bytes > INT_MAX || XML_Parse(r->parser, xml, (int)bytes, 1) != XML_STATUS_OK)
        r->is_wrong = true;
    XML_ParserFree(r->parser);
    r->is_cut = r->text.is_short || r->key.is_short || r->token.is_short;
    ty_text_clear(&r->text);
    ty_text_clear(&r->key);
}

bool ty_s3_read_listing(const char *xml, size_t bytes,
                        void (*take)(void *self, const char *key, bool is_folder, int64_t size),
                        void *self, ty_text *next_token) {
    xml_reading r = {.take = take, .self = self};
    read_all(&r, xml, bytes);
    if (r.token.length > 0)
        ty_text_add(next_token, ty_text_string(&r.token));
    ty_text_clear(&r.token);
    ty_text_clear(&r.code);
    ty_text_clear(&r.message);
    return r.is_listing && !r.is_wrong && !r.is_cut && !next_token->is_short;
}

static void take_nothing(void *self, const char *key, bool is_folder, int64_t size) {
    (void)self, (void)key, (void)is_folder, (void)size;
}

void ty_s3_read_error(const char *xml, size_t bytes, ty_text *code, ty_text *message) {
    xml_reading r = {.take = take_nothing};
    read_all(&r, xml, bytes);
    ty_text_add(code, ty_text_string(&r.code));
    ty_text_add(message, ty_text_string(&r.message));
    ty_text_clear(&r.token);
    ty_text_clear(&r.code);
    ty_text_clear(&r.message);
}
