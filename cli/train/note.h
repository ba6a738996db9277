/* The description of a run in MLflow's UI, in Markdown: what is trained on what and how at the start;
 * with the result in front at the end. */
#ifndef TY_CLI_TRAIN_NOTE_H
#define TY_CLI_TRAIN_NOTE_H

#include "cli/train/report.h"

/* The most that MLflow keeps of a tag is 8000 characters; a note stays below. */
enum { NOTE_BYTES = 7500 };

/* Appends the note; r->result is NULL at the start, r->run may be. Layers that there is no room for
 * are counted instead. */
ty_status note_write(ty_ctx *ctx, const report *r, ty_text *out) TY_MUST_USE;

/* The same for the experiment, which many runs share: the data. */
void note_write_experiment(const ty_dataset *data, ty_text *out);

#endif
