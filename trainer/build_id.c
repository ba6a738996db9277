/* The note NT_GNU_BUILD_ID of the main program, which the dynamic linker has mapped. */
#include "trainer/build_id.h"

#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

typedef struct id_text {
    char *out;
    size_t bytes;
} id_text;

static size_t aligned4(size_t n) {
    return (n + 3) & ~(size_t)3;
}

static void write_hex(id_text *text, const unsigned char *id, size_t n) {
    size_t used = 0;
    for (size_t i = 0; i < n && used + 3 <= text->bytes; i++, used += 2)
        (void)snprintf(text->out + used, text->bytes - used, "%02x", id[i]);
}

/* Notes are {name size, description size, type}, name, description, each padded to 4. */
static bool find_id(id_text *text, const unsigned char *notes, size_t bytes) {
    ElfW(Nhdr) head;
    for (size_t at = 0; at + sizeof head <= bytes;) {
        memcpy(&head, notes + at, sizeof head);
        const size_t name = at + sizeof head, id = name + aligned4(head.n_namesz);
        if (id + head.n_descsz > bytes)
            return false;
        if (head.n_type == NT_GNU_BUILD_ID && head.n_namesz == 4 &&
            memcmp(notes + name, "GNU", 4) == 0) {
            write_hex(text, notes + id, head.n_descsz);
            return true;
        }
        at = id + aligned4(head.n_descsz);
    }
    return false;
}

static int look(struct dl_phdr_info *info, size_t bytes, void *arg) {
    (void)bytes;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        const void *notes = (const void *)(info->dlpi_addr + part->p_vaddr);
        if (part->p_type == PT_NOTE && find_id(arg, notes, part->p_memsz))
            break;
    }
    return 1; /* the main program comes first; nothing else is asked */
}

void ty_build_id(char *out, size_t bytes) {
    id_text text = {.out = out, .bytes = bytes};
    (void)snprintf(out, bytes, "none");
    (void)dl_iterate_phdr(look, &text);
}
