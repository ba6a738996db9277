/* What a server would refuse, cut or silently change, said before anything is sent. */
#include "tracking/client/mlflow_private.h"

#include <string.h>

#include "tracking/artifact.h"
#include "tracking/limits.h"

static bool is_longer(const char *text, int most_characters) {
    return text[ty_limit_bytes(text, most_characters)] != '\0';
}

static bool is_utf8(const char *text) {
    while (*text != '\0') {
        const size_t length = ty_text_utf8_length(text);
        if (length == 0)
            return false;
        text += length;
    }
    return true;
}

static bool is_key_text(const char *key) {
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.: /";
    for (; *key != '\0'; key++)
        if ((unsigned char)*key < 0x80 && !strchr(plain, *key))
            return false;
    return true;
}

/* Whether MLflow's path normalisation leaves it as it is: no "", ".", ".." between slashes. */
static bool is_plain_path(const char *path) {
    while (true) {
        const size_t length = strcspn(path, "/");
        if (length == 0 || (length == 1 && path[0] == '.') ||
            (length == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        if (path[length] == '\0')
            return true;
        path += length + 1;
    }
}

const char *ty_mlflow_key_slip(const char *key) {
    if (!key || key[0] == '\0')
        return "a key is empty";
    if (!is_utf8(key))
        return "a key is no UTF-8";
    if (is_longer(key, TY_LIMIT_KEY))
        return "a key is longer than 250 characters";
    if (!is_key_text(key))
        return "a key may have letters, digits and _ - . : / and spaces, nothing else";
    return is_plain_path(key) ? NULL
                              : "a key may not begin or end with /, nor have //, /./ or /../ in it";
}

const char *ty_mlflow_param_slip(const char *value) {
    if (!value)
        return "a param has no value";
    return is_longer(value, TY_LIMIT_PARAM) ? "a param's value is longer than 6000 characters"
                                            : NULL;
}

const char *ty_mlflow_tag_slip(const char *value) {
    if (!value)
        return "a tag has no value";
    return is_longer(value, TY_LIMIT_TAG) ? "a tag's value is longer than 8000 characters" : NULL;
}

static bool has_control(const char *text) {
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return true;
    return false;
}

const char *ty_mlflow_model_name_slip(const char *name) {
    if (!name || name[0] == '\0')
        return "a model's name is empty";
    if (!is_utf8(name) || has_control(name))
        return "a model's name is no printed UTF-8";
    return strpbrk(name, "/:.%\"'") ? "a model's name may have none of / : . % \" '" : NULL;
}

/* The server takes / and :, but then models:/NAME@ALIAS can no longer be read back. */
const char *ty_mlflow_registered_name_slip(const char *name) {
    if (!name || name[0] == '\0')
        return "a registered model's name is empty";
    if (!is_utf8(name) || has_control(name))
        return "a registered model's name is no printed UTF-8";
    if (is_longer(name, 256))
        return "a registered model's name is longer than 256 characters";
    return strpbrk(name, "/:@'\"`") ? "a registered model's name may have none of / : @ ' \" `"
                                    : NULL;
}

const char *ty_mlflow_alias_slip(const char *alias) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
    if (!alias || alias[0] == '\0')
        return "an alias is empty";
    if (alias[strspn(alias, plain)] != '\0')
        return "an alias may have letters, digits, _ and -, nothing else";
    if (strlen(alias) > 255)
        return "an alias is longer than 255 characters";
    if (strcasecmp(alias, "latest") == 0)
        return "\"latest\" is no alias: it means the newest version";
    const bool is_version = (alias[0] == 'v' || alias[0] == 'V') && alias[1] != '\0' &&
                            alias[1 + strspn(alias + 1, "0123456789")] == '\0';
    return is_version ? "an alias may not look like a version (v1)" : NULL;
}

const char *mlflow_tags_slip(ty_mlflow_pairs tags) {
    for (int64_t i = 0; i < tags.n; i++) {
        const char *slip = ty_mlflow_key_slip(tags.v[i].key);
        slip = slip ? slip : ty_mlflow_tag_slip(tags.v[i].value);
        if (slip)
            return slip;
    }
    return NULL;
}

/* Goes into filters, where a quote could not be escaped. */
const char *mlflow_uid_slip(const char *uid) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.";
    const bool is_plain = uid && uid[0] != '\0' && uid[strspn(uid, plain)] == '\0';
    return is_plain && strlen(uid) <= 200 ? NULL : "a uid is 1 to 200 letters, digits, _ - and .";
}

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* MLflow decodes a name until nothing is left to decode, and stores it under another one. */
static bool looks_encoded(const char *path) {
    for (const char *at = path; (at = strchr(at, '%')) != NULL; at++)
        if (is_hex(at[1]) && is_hex(at[2]))
            return true;
    return false;
}

static bool has_long_part(const char *path) {
    while (true) {
        const size_t length = strcspn(path, "/");
        if (length > 255 || path[length] == '\0')
            return length > 255;
        path += length + 1;
    }
}

const char *mlflow_path_slip(const char *path) {
    if (!path || !ty_artifact_name_is_safe(path))
        return "is no relative path without . and .. and control characters";
    if (!is_utf8(path))
        return "is no UTF-8";
    return has_long_part(path) ? "has a part longer than 255 bytes" : NULL;
}

const char *mlflow_proxy_slip(const char *path) {
    if (strchr(path, '#'))
        return "has a #, which MLflow servers refuse";
    if (looks_encoded(path))
        return "has a % with two hex digits behind it, which MLflow servers take for a character";
    return NULL;
}
