/* Where in a text libyaml's marks are: it counts characters from behind a byte-order mark, and the
 * rest of a document bytes, lines and columns. */
#include "base/doc_yaml.h"

#include <string.h>

static const char byte_order_mark[] = "\xef\xbb\xbf";

void ty_doc_counter_init(doc_counter *counter, const doc_source *source) {
    const bool is_marked = strncmp(source->text, byte_order_mark, sizeof byte_order_mark - 1) == 0;
    const size_t mark = is_marked ? sizeof byte_order_mark - 1 : 0;
    *counter = (doc_counter){.text = source->text + mark, .mark = mark, .line = 1, .column = 1};
}

static void step(doc_counter *counter) {
    const bool is_newline = counter->text[counter->bytes] == '\n';
    counter->bytes += ty_text_utf8_length(counter->text + counter->bytes);
    counter->characters++;
    counter->column = is_newline ? 1 : counter->column + 1;
    counter->line += is_newline;
}

static void go(doc_counter *counter, size_t character) {
    while (counter->characters < character && counter->text[counter->bytes] != '\0')
        step(counter);
}

doc_span ty_doc_counter_span(doc_counter *counter, size_t begin, size_t end) {
    if (begin < counter->characters)
        *counter =
            (doc_counter){.text = counter->text, .mark = counter->mark, .line = 1, .column = 1};
    go(counter, begin);
    doc_counter behind = *counter;
    go(&behind, end);
    return (doc_span){.begin = (uint32_t)(counter->mark + counter->bytes),
                      .end = (uint32_t)(counter->mark + behind.bytes),
                      .line = counter->line,
                      .column = counter->column};
}
