/* A model card: what a model is, in markdown, from its run's journal alone. */
#ifndef TY_REGISTRY_CARD_H
#define TY_REGISTRY_CARD_H

#include "base/base.h"
#include "tracking/tracking.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { TY_CARD_MAX_BYTES = 5000 }; /* what MLflow's registry keeps of a description */

/* Appends the card of a package of the run: how good it is, what it is, its config in short, how to
 * load it, its lineage and how to make it again. name: the registered model's; NULL where it has none,
 * and then nothing is said of its id, which is another one at a server. */
void ty_card_write(const ty_run_record *run, const ty_run_package *package, const char *name,
                   ty_text *out);

#ifdef __cplusplus
}
#endif
#endif
