/* A file driver for HDF5 (through its public registration) whose file is memory.
 *
 * HDF5 1.10 crashes the process when writes keep failing, even with every return code checked. So
 * the library never meets a disk: it lays its structure out in pages here, our own code writes
 * pages and tensors to the file, where failures are plain statuses. The one thing that can fail
 * inside the driver is memory; that is latched. */
#include "trainer/checkpoint_private.h"

#include <stdlib.h>
#include <string.h>

typedef struct image_file {
    H5FD_t base; /* the library's part comes first */
    ty_ckpt_image *image;
    haddr_t end;
} image_file;

/* What the access list carries; the library copies it byte by byte. */
typedef struct image_info {
    ty_ckpt_image *image;
} image_info;

void ty_ckpt_image_clear(ty_ckpt_image *image) {
    for (size_t i = 0; i < image->n_pages; i++)
        free(image->pages[i].bytes);
    free(image->pages);
    *image = (ty_ckpt_image){0};
}

/* The first page whose number is not below `number`. */
static size_t find_page(const ty_ckpt_image *image, uint64_t number) {
    size_t low = 0, high = image->n_pages;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (image->pages[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* NULL latches is_short. */
static unsigned char *page_to_write(ty_ckpt_image *image, uint64_t number) {
    size_t at = find_page(image, number);
    if (at < image->n_pages && image->pages[at].number == number)
        return image->pages[at].bytes;
    if (image->n_pages == image->capacity) {
        size_t capacity = image->capacity ? image->capacity * 2 : 64;
        ty_ckpt_page *pages = reallocarray(image->pages, capacity, sizeof *pages);
        if (!pages)
            return NULL;
        image->pages = pages;
        image->capacity = capacity;
    }
    unsigned char *bytes = calloc(1, TY_CKPT_PAGE_BYTES);
    if (!bytes)
        return NULL;
    memmove(image->pages + at + 1, image->pages + at, (image->n_pages - at) * sizeof *image->pages);
    image->pages[at] = (ty_ckpt_page){.number = number, .bytes = bytes};
    image->n_pages++;
    return bytes;
}

static size_t bytes_in_page(uint64_t address, size_t bytes) {
    size_t left = TY_CKPT_PAGE_BYTES - (size_t)(address % TY_CKPT_PAGE_BYTES);
    return bytes < left ? bytes : left;
}

void ty_ckpt_image_read(const ty_ckpt_image *image, uint64_t address, void *data, size_t bytes) {
    unsigned char *to = data;
    while (bytes > 0) {
        size_t now = bytes_in_page(address, bytes);
        size_t at = find_page(image, address / TY_CKPT_PAGE_BYTES);
        if (at < image->n_pages && image->pages[at].number == address / TY_CKPT_PAGE_BYTES)
            memcpy(to, image->pages[at].bytes + address % TY_CKPT_PAGE_BYTES, now);
        else
            memset(to, 0, now);
        to += now;
        address += now;
        bytes -= now;
    }
}

static void image_write(ty_ckpt_image *image, uint64_t address, const void *data, size_t bytes) {
    const unsigned char *from = data;
    while (bytes > 0) {
        size_t now = bytes_in_page(address, bytes);
        unsigned char *page = page_to_write(image, address / TY_CKPT_PAGE_BYTES);
        if (page)
            memcpy(page + address % TY_CKPT_PAGE_BYTES, from, now);
        else
            image->is_short = true;
        from += now;
        address += now;
        bytes -= now;
    }
}

/* --- the driver's calls ----------------------------------------------------------------------- */

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t max_address) {
    (void)name, (void)flags, (void)max_address;
    const image_info *info = H5Pget_driver_info(access);
    image_file *file = info ? calloc(1, sizeof *file) : NULL;
    if (!file)
        return NULL;
    file->image = info->image;
    return &file->base;
}

static image_file *file_of(H5FD_t *base) {
    return (image_file *)(void *)base;
}

static const image_file *const_file_of(const H5FD_t *base) {
    return (const image_file *)(const void *)base;
}

static herr_t driver_close(H5FD_t *base) {
    image_file *file = file_of(base);
    if (!file->image->data)
        file->image->bytes = file->end;
    free(file);
    return 0;
}

static int driver_compare(const H5FD_t *a, const H5FD_t *b) {
    uintptr_t left = (uintptr_t)const_file_of(a)->image;
    uintptr_t right = (uintptr_t)const_file_of(b)->image;
    return (left > right) - (left < right);
}

static herr_t driver_query(const H5FD_t *base, unsigned long *flags) {
    (void)base;
    if (flags)
        *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA |
                 H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t driver_get_end(const H5FD_t *base, H5FD_mem_t type) {
    (void)type;
    return const_file_of(base)->end;
}

static herr_t driver_set_end(H5FD_t *base, H5FD_mem_t type, haddr_t end) {
    (void)type;
    file_of(base)->end = end;
    return 0;
}

static haddr_t driver_get_size(const H5FD_t *base, H5FD_mem_t type) {
    (void)type;
    const image_file *file = const_file_of(base);
    return file->image->data ? file->image->bytes : file->end;
}

/* Beyond the end there are zeros, as in a file that was made longer. */
static herr_t driver_read(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address,
                          size_t bytes, void *data) {
    (void)type, (void)transfer;
    const ty_ckpt_image *image = file_of(base)->image;
    if (!image->data) {
        ty_ckpt_image_read(image, address, data, bytes);
        return 0;
    }
    size_t there = address < image->bytes ? (size_t)(image->bytes - address) : 0;
    size_t now = bytes < there ? bytes : there;
    if (now > 0)
        memcpy(data, image->data + address, now);
    memset((unsigned char *)data + now, 0, bytes - now);
    return 0;
}

static herr_t driver_write(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t address,
                           size_t bytes, const void *data) {
    (void)type, (void)transfer;
    ty_ckpt_image *image = file_of(base)->image;
    if (image->data)
        return -1; /* opened for reading; the library does not come here */
    image_write(image, address, data, bytes);
    return 0;
}

static const H5FD_class_t driver = {
#ifdef H5FD_CLASS_VERSION /* HDF5 1.14 and later ask for both */
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)513, /* from the range for unregistered drivers */
#endif
    .name = "tiltyard-image",
    .maxaddr = HADDR_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(image_info),
    .open = driver_open,
    .close = driver_close,
    .cmp = driver_compare,
    .query = driver_query,
    .get_eoa = driver_get_end,
    .set_eoa = driver_set_end,
    .get_eof = driver_get_size,
    .read = driver_read,
    .write = driver_write,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

hid_t ty_ckpt_image_access(ty_ckpt_image *image) {
    image_info info = {.image = image};
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t id = H5FDregister(&driver);
    bool is_set = access >= 0 && id >= 0 && H5Pset_driver(access, id, &info) >= 0 &&
                  H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0 &&
                  H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0 &&
                  H5Pset_alignment(access, 1, TY_CKPT_ALIGNMENT) >= 0;
    if (id >= 0)
        (void)H5FDunregister(id); /* the access list holds its own reference */
    if (is_set)
        return access;
    if (access >= 0)
        (void)H5Pclose(access);
    return H5I_INVALID_HID;
}

void ty_ckpt_quiet_begin(ty_ckpt_quiet *quiet) {
    *quiet = (ty_ckpt_quiet){0};
    (void)H5Eget_auto2(H5E_DEFAULT, &quiet->print, &quiet->data);
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    (void)H5PLset_loading_state(0); /* nothing in a file may load code; stays off */
}

void ty_ckpt_quiet_end(const ty_ckpt_quiet *quiet) {
    (void)H5Eset_auto2(H5E_DEFAULT, quiet->print, quiet->data);
}
