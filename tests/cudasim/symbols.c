/* Reads .symtab of the file that an address was loaded from; falls back to the dynamic symbols. */
#include "symbols.h"

#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct image {
    const uint8_t *bytes;
    size_t n_bytes;
} image;

static bool map_file(const char *path, image *file) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;
    if (fd < 0)
        return false;
    bool is_mapped = false;
    if (fstat(fd, &about) == 0 && about.st_size > (off_t)sizeof(Elf64_Ehdr)) {
        void *at = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        is_mapped = at != MAP_FAILED;
        *file = (image){is_mapped ? at : NULL, (size_t)about.st_size};
    }
    close(fd);
    return is_mapped;
}

/* The section headers where the file holds them whole, else NULL. */
static const Elf64_Shdr *sections(const image *file, size_t *n_sections) {
    const Elf64_Ehdr *head = (const Elf64_Ehdr *)file->bytes;
    *n_sections = head->e_shnum;
    bool is_elf =
        memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 && head->e_ident[EI_CLASS] == ELFCLASS64;
    if (!is_elf || head->e_shoff > file->n_bytes ||
        (file->n_bytes - head->e_shoff) / sizeof(Elf64_Shdr) < head->e_shnum)
        return NULL;
    return (const Elf64_Shdr *)(file->bytes + head->e_shoff);
}

static bool holds(const image *file, const Elf64_Shdr *section) {
    return section->sh_offset <= file->n_bytes &&
           section->sh_size <= file->n_bytes - section->sh_offset;
}

static bool find_in_table(const image *file, const Elf64_Shdr *table, const Elf64_Shdr *strings,
                          uint64_t offset, char *name, size_t room, uint64_t *distance) {
    const Elf64_Sym *symbol = (const Elf64_Sym *)(file->bytes + table->sh_offset);
    for (size_t i = 0; i < table->sh_size / sizeof *symbol; i++) {
        bool is_code =
            ELF64_ST_TYPE(symbol[i].st_info) == STT_FUNC && symbol[i].st_shndx != SHN_UNDEF;
        if (!is_code || offset < symbol[i].st_value ||
            offset - symbol[i].st_value >= symbol[i].st_size ||
            symbol[i].st_name >= strings->sh_size)
            continue;
        snprintf(name, room, "%s",
                 (const char *)file->bytes + strings->sh_offset + symbol[i].st_name);
        *distance = offset - symbol[i].st_value;
        return true;
    }
    return false;
}

static bool find_in_file(const image *file, uint64_t offset, char *name, size_t room,
                         uint64_t *distance) {
    size_t n_sections = 0;
    const Elf64_Shdr *all = sections(file, &n_sections);
    for (size_t i = 0; all && i < n_sections; i++) {
        bool is_table = all[i].sh_type == SHT_SYMTAB && all[i].sh_link < n_sections;
        if (is_table && holds(file, &all[i]) && holds(file, &all[all[i].sh_link]))
            return find_in_table(file, &all[i], &all[all[i].sh_link], offset, name, room, distance);
    }
    return false;
}

/* Programs that are not position independent name their functions by absolute address. */
static uint64_t file_offset(const image *file, const Dl_info *info, const void *pc) {
    const Elf64_Ehdr *head = (const Elf64_Ehdr *)file->bytes;
    uint64_t address = (uint64_t)(uintptr_t)pc;
    return head->e_type == ET_EXEC ? address : address - (uint64_t)(uintptr_t)info->dli_fbase;
}

uint64_t cs_symbol_of(const void *pc, char *name, size_t room) {
    Dl_info info = {0};
    uint64_t distance = 0;
    snprintf(name, room, "?");
    if (!dladdr(pc, &info) || !info.dli_fname)
        return (uint64_t)(uintptr_t)pc;
    const char *path = strchr(info.dli_fname, '/') ? info.dli_fname : "/proc/self/exe";
    image file;
    if (map_file(path, &file)) {
        bool is_found = find_in_file(&file, file_offset(&file, &info, pc), name, room, &distance);
        munmap((void *)(uintptr_t)file.bytes, file.n_bytes);
        if (is_found)
            return distance;
    }
    if (!info.dli_sname)
        return (uint64_t)(uintptr_t)pc - (uint64_t)(uintptr_t)info.dli_fbase;
    snprintf(name, room, "%s", info.dli_sname);
    return (uint64_t)(uintptr_t)pc - (uint64_t)(uintptr_t)info.dli_saddr;
}
