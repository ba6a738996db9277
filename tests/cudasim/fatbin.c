/* Reading fat binaries. The layout is undocumented but stable; what is read of it, little-endian:
 *
 *   file    0 magic 0xBA55ED50 u32, 4 version u16, 6 header bytes u16, 8 bytes behind the header u64
 *   entry   0 kind u16 (1 PTX, 2 machine code), 4 header bytes u32, 8 payload bytes u64, 28 capability u32,
 *           56 bytes when expanded u64 (0: the payload is not compressed) */
#include "fatbin.h"

#include <elf.h>
#include <stdio.h>
#include <string.h>

#define MAGIC 0xBA55ED50u
#define KIND_PTX 1
#define KIND_CODE 2

typedef struct entry {
    const uint8_t *payload;
    size_t n;
    unsigned kind;
    int capability;
    bool is_compressed;
} entry;

static uint64_t read_at(const uint8_t *at, size_t n) {
    uint64_t value = 0;
    memcpy(&value, at, n);
    return value;
}

/* The entry at *offset, which moves behind it; false at the end. */
static bool next_entry(const uint8_t *bytes, size_t *offset, entry *e) {
    size_t end = read_at(bytes + 6, 2) + read_at(bytes + 8, 8);
    if (*offset + 64 > end)
        return false;
    const uint8_t *at = bytes + *offset;
    size_t header = read_at(at + 4, 4), payload = read_at(at + 8, 8);
    if (header < 64 || payload > end || *offset + header + payload > end)
        return false;
    *e = (entry){.payload = at + header,
                 .n = payload,
                 .kind = (unsigned)read_at(at, 2),
                 .capability = (int)read_at(at + 28, 4),
                 .is_compressed = read_at(at + 56, 8) != 0};
    *offset += header + payload;
    return true;
}

/* The entry of a kind with the highest capability from lowest to wanted. */
static bool find_best(const uint8_t *bytes, unsigned kind, int lowest, int wanted, entry *best) {
    size_t offset = read_at(bytes + 6, 2);
    bool is_found = false;
    entry e;
    while (next_entry(bytes, &offset, &e)) {
        bool fits = e.kind == kind && e.capability >= lowest && e.capability <= wanted;
        if (!fits || (is_found && e.capability <= best->capability))
            continue;
        *best = e;
        is_found = true;
    }
    return is_found;
}

static bool find_oldest_ptx(const uint8_t *bytes, entry *best) {
    size_t offset = read_at(bytes + 6, 2);
    bool is_found = false;
    entry e;
    while (next_entry(bytes, &offset, &e)) {
        if (e.kind != KIND_PTX || (is_found && e.capability >= best->capability))
            continue;
        *best = e;
        is_found = true;
    }
    return is_found;
}

static bool is_fatbin(const uint8_t *bytes) {
    return read_at(bytes, 4) == MAGIC;
}

const char *cs_fatbin_ptx(const uint8_t *bytes, int wanted, size_t *n, int *chosen, char *error,
                          size_t room) {
    entry best;
    if (!is_fatbin(bytes)) {
        snprintf(error, room, "magic %#llx is no fat binary's",
                 (unsigned long long)read_at(bytes, 4));
        return NULL;
    }
    /* A GPU that has machine code in here may be older than every PTX beside it: the oldest stands for it. */
    bool is_found = find_best(bytes, KIND_PTX, 0, wanted, &best) ||
                    (find_best(bytes, KIND_CODE, wanted / 10 * 10, wanted, &best) &&
                     find_oldest_ptx(bytes, &best));
    if (!is_found) {
        snprintf(error, room,
                 "no PTX for compute capability %d or lower; build with "
                 "-gencode arch=compute_%d,code=compute_%d",
                 wanted, wanted, wanted);
        return NULL;
    }
    if (best.is_compressed) {
        snprintf(error, room, "compressed PTX (compute_%d); build with -compress-mode=none",
                 best.capability);
        return NULL;
    }
    *chosen = best.capability;
    *n = strnlen((const char *)best.payload, best.n);
    return (const char *)best.payload;
}

const uint8_t *cs_fatbin_cubin(const uint8_t *bytes, int wanted, size_t *n) {
    entry best;
    if (!is_fatbin(bytes) || !find_best(bytes, KIND_CODE, wanted / 10 * 10, wanted, &best) ||
        best.is_compressed)
        return NULL;
    *n = best.n;
    return best.payload;
}

/* --- registers in a cubin --------------------------------------------------------------------- */

#define NV_INFO_SIZED 4        /* format byte: a 16-bit size and that many bytes follow */
#define NV_INFO_REGISTERS 0x2F /* attribute byte: symbol index u32, registers u32 */

typedef struct cubin {
    const uint8_t *bytes;
    size_t n;
    const Elf64_Shdr *sections;
    size_t n_sections;
} cubin;

static bool open_cubin(cubin *c, const uint8_t *bytes, size_t n) {
    const Elf64_Ehdr *head = (const Elf64_Ehdr *)(const void *)bytes;
    if (n < sizeof *head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_shoff > n ||
        (n - head->e_shoff) / sizeof(Elf64_Shdr) < head->e_shnum)
        return false;
    *c =
        (cubin){bytes, n, (const Elf64_Shdr *)(const void *)(bytes + head->e_shoff), head->e_shnum};
    return true;
}

static bool is_inside(const cubin *c, const Elf64_Shdr *s) {
    return s->sh_offset <= c->n && s->sh_size <= c->n - s->sh_offset;
}

/* The index of the function symbol of that name; 0: none. */
static uint32_t symbol_index(const cubin *c, const char *name) {
    for (size_t i = 0; i < c->n_sections; i++) {
        const Elf64_Shdr *table = &c->sections[i];
        if (table->sh_type != SHT_SYMTAB || table->sh_link >= c->n_sections || !is_inside(c, table))
            continue;
        const Elf64_Shdr *strings = &c->sections[table->sh_link];
        const Elf64_Sym *symbols = (const Elf64_Sym *)(const void *)(c->bytes + table->sh_offset);
        for (uint32_t k = 0; k < table->sh_size / sizeof *symbols; k++)
            if (ELF64_ST_TYPE(symbols[k].st_info) == STT_FUNC &&
                symbols[k].st_name < strings->sh_size &&
                strcmp((const char *)c->bytes + strings->sh_offset + symbols[k].st_name, name) == 0)
                return k;
    }
    return 0;
}

static int registers_in(const uint8_t *info, size_t n, uint32_t symbol) {
    for (size_t at = 0; at + 4 <= n;) {
        size_t size = info[at] == NV_INFO_SIZED ? read_at(info + at + 2, 2) : 0;
        bool is_it = info[at] == NV_INFO_SIZED && info[at + 1] == NV_INFO_REGISTERS && size >= 8 &&
                     at + 12 <= n && read_at(info + at + 4, 4) == symbol;
        if (is_it)
            return (int)read_at(info + at + 8, 4);
        at += 4 + size;
    }
    return 0;
}

int cs_cubin_registers(const uint8_t *bytes, size_t n, const char *kernel) {
    cubin c;
    uint32_t symbol = open_cubin(&c, bytes, n) ? symbol_index(&c, kernel) : 0;
    for (size_t i = 0; symbol && i < c.n_sections; i++) {
        /* .nv.info is the one of its type that belongs to no kernel. */
        const Elf64_Shdr *s = &c.sections[i];
        int found = s->sh_type == SHT_LOPROC && s->sh_info == 0 && is_inside(&c, s)
                        ? registers_in(c.bytes + s->sh_offset, s->sh_size, symbol)
                        : 0;
        if (found)
            return found;
    }
    return 0;
}
