/* The table of losses: the last node of a graph. One file with its keys and its build function, and
 * one line here. */
#ifndef TY_TRAINER_LOSSES_LOSSES_H
#define TY_TRAINER_LOSSES_LOSSES_H

#include "trainer/graph.h"

/* X(type, rows or NULL, help) */
#define TY_LOSS_ROWS(X)                                                                            \
    X(auto, NULL, "cross_entropy for classes, mse for numbers")                                    \
    X(cross_entropy, &ty_cross_entropy_rows, "softmax and negative log likelihood of the class")   \
    X(mse, NULL, "mean squared error over the targets")

enum { TY_LOSS_CONFIG_BYTES = 16 };

/* Appends the loss behind value x (predictions) of a graph that has its target and weight
 * inputs. */
typedef ty_status ty_loss_build(ty_ctx *ctx, ty_graph *graph, const void *config, int x, int *rows);

#define TY_LOSS_DECLARE(type, rows, help) ty_loss_build ty_loss_##type;
TY_LOSS_ROWS(TY_LOSS_DECLARE)
#undef TY_LOSS_DECLARE

extern const ty_rows ty_cross_entropy_rows;

/* For config.c; ends with a row of type NULL. */
extern const ty_variant_row ty_loss_variants[];

/* The last layer's width does not fit the data: TY_ERR_CONFIG naming the layer. what: "classes" or
 * "targets". */
ty_status ty_loss_misfit(ty_ctx *ctx, const ty_graph *graph, int x, const char *what) TY_MUST_USE;

/* Errors: TY_ERR_CONFIG where the loss and the data's task do not go together. */
ty_status ty_loss_append(ty_ctx *ctx, ty_graph *graph, const ty_variant *loss, int x,
                         int *rows) TY_MUST_USE;

#endif
