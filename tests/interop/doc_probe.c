/* What test_yaml.py needs of documents: each file it names, as one line of JSON or its error. */
#include <stdio.h>
#include <stdlib.h>

#include "base/base.h"

static void print_line(const char *text) {
    for (; *text; text++)
        putchar(*text == '\n' ? '|' : *text);
    putchar('\n');
}

static void show(const char *path) {
    ty_ctx ctx;
    ty_doc *doc = NULL;
    ty_ctx_init(&ctx);
    if (ty_doc_read(&ctx, path, &doc) == TY_OK) {
        char *text = json_dumps(ty_doc_at(doc, ""), 0);
        print_line(text ? text : "out of memory");
        free(text);
    } else {
        print_line(ctx.message);
    }
    ty_doc_close(doc);
    ty_ctx_clear(&ctx);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        show(argv[i]);
    return 0;
}
