/* Hashes answer what their specifications print, whole or in pieces. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hash.h"
#include "base/io.h"
#include "tests/support/temp_folder.h"

static void sha256_answers_the_vectors_of_fips_180(void **state) {
    (void)state;
    static const struct {
        const char *text, *hex;
    } rows[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t digest[TY_SHA256_BYTES];
        char hex[TY_SHA256_HEX];
        assert_int_equal(ty_sha256_of(&ctx, rows[i].text, strlen(rows[i].text), digest), TY_OK);
        ty_sha256_to_hex(digest, hex);
        assert_string_equal(hex, rows[i].hex);
    }
    ty_ctx_clear(&ctx);
}

static void xxh3_answers_the_vectors_of_its_specification(void **state) {
    (void)state;
    ty_hash128 empty = ty_hash_128("", 0);
    assert_true(ty_hash64("", 0) == UINT64_C(0x2d06800538d394c2));
    assert_true(empty.high == UINT64_C(0x99aa06d3014798d8));
    assert_true(empty.low == UINT64_C(0x6001c324468d497f));
}

static void a_hash_in_pieces_is_the_hash_of_the_whole(void **state) {
    (void)state;
    enum { BYTES = 100003 };
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    unsigned char *data = malloc(BYTES);
    assert_non_null(data);
    for (size_t i = 0; i < BYTES; i++)
        data[i] = (unsigned char)(i * 31 >> 3);
    ty_hash_stream *stream = NULL;
    assert_int_equal(ty_hash_stream_open(&ctx, &stream), TY_OK);
    for (size_t at = 0, piece = 1; at < BYTES; at += piece, piece = piece * 2 + 1)
        ty_hash_stream_update(stream, data + at, piece < BYTES - at ? piece : BYTES - at);
    ty_hash128 whole = ty_hash_128(data, BYTES);
    ty_hash128 pieces = ty_hash_stream_finish(stream);
    ty_hash_stream_close(stream);
    free(data);
    assert_true(whole.low == pieces.low && whole.high == pieces.high);
    ty_ctx_clear(&ctx);
}

static void sha256_of_a_file_is_that_of_its_bytes(void **state) {
    (void)state;
    enum { BYTES = 300001 }; /* more than one piece */
    ty_ctx ctx;
    ty_ctx_init(&ctx);
    temp_folder folder = temp_folder_make();
    char path[2 * TEMP_FOLDER_BYTES];
    temp_folder_path(&folder, "data", path);
    char *data = calloc(1, BYTES);
    assert_non_null(data);
    memcpy(data + BYTES - 4, "end.", 4);
    uint8_t of_file[TY_SHA256_BYTES], of_bytes[TY_SHA256_BYTES];
    assert_int_equal(ty_file_write_atomic(&ctx, path, data, BYTES), TY_OK);
    assert_int_equal(ty_sha256_of_file(&ctx, path, of_file), TY_OK);
    assert_int_equal(ty_sha256_of(&ctx, data, BYTES, of_bytes), TY_OK);
    assert_memory_equal(of_file, of_bytes, TY_SHA256_BYTES);
    assert_int_equal(ty_sha256_of_file(&ctx, folder.path, of_file), TY_ERR_IO);
    free(data);
    temp_folder_remove(&folder);
    ty_ctx_clear(&ctx);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_answers_the_vectors_of_fips_180),
        cmocka_unit_test(xxh3_answers_the_vectors_of_its_specification),
        cmocka_unit_test(a_hash_in_pieces_is_the_hash_of_the_whole),
        cmocka_unit_test(sha256_of_a_file_is_that_of_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
