/* MLflow's SQLite schema: what we create, and what we need of one that MLflow has upgraded
 * since. */
#ifndef TY_TRACKING_STORE_SCHEMA_H
#define TY_TRACKING_STORE_SCHEMA_H

#include <sqlite3.h>

#include "base/base.h"

/* Creates every table in a database that has none, inside the caller's transaction. The revision is
 * MLflow 3.0's: newer ones upgrade it when they open it, while an MLflow that meets a revision
 * newer than itself refuses the file.
 * Errors: TY_ERR_IO, SQLite's words. */
ty_status ty_schema_create(ty_ctx *ctx, sqlite3 *db) TY_MUST_USE;

/* Whether our statements fit: every column they name exists, and no other column demands a value.
 * Errors: TY_ERR_INTEGRITY naming the table and the column. */
ty_status ty_schema_check(ty_ctx *ctx, sqlite3 *db) TY_MUST_USE;

/* The same for the registry's tables. */
ty_status ty_schema_check_registry(ty_ctx *ctx, sqlite3 *db) TY_MUST_USE;

/* Adds our own table where it is missing. */
ty_status ty_schema_join(ty_ctx *ctx, sqlite3 *db) TY_MUST_USE;

/* *out: the table has the column. */
ty_status ty_schema_has_column(ty_ctx *ctx, sqlite3 *db, const char *table, const char *column,
                               bool *out) TY_MUST_USE;

#endif
