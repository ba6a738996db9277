/* Facts about where a run happened: git commit, host, user, libraries. For tags, environment.json
 * and `tiltyard info`. */
#ifndef TY_CLI_FACTS_H
#define TY_CLI_FACTS_H

#include "cli/cli.h"

typedef struct facts {
    char host[256], user[64], cpu[128], kernel[160];
    char git_commit[65];  /* "" outside a repository */
    char git_branch[256]; /* "" where no branch is checked out */
    char git_url[512];    /* of origin, without user and password; "" where there is none */
    bool git_is_dirty;
    long cores;
    int64_t memory_bytes;
    char libraries[256]; /* "oneDNN 2.6.3, HDF5 1.10.8, ..." */
} facts;

/* Reads what it can; what it cannot stays empty. Starts git, where there is one, for at most a
 * second. */
void facts_read(cli *app, facts *out);

/* Bytes this process may come to hold. */
int64_t facts_memory(ty_ctx *ctx);

/* As one JSON object, pretty; more: further members with a comma before each, or "". */
void facts_json(const facts *f, const char *more, ty_text *out);

/* A repository's URL without what may be a secret: user, password, query. out is empty where it cannot
 * be told where a password ends. */
void facts_clean_url(const char *url, char *out, size_t room);

/* argv as it was typed, quoted where a shell needs it; users and passwords within URLs as ***. */
void facts_command_line(const cli *app, ty_text *out);

#endif
