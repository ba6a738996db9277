/* What runs ls and runs show share: a run's info, gathered record by record. */
#ifndef TY_TRACKING_RUN_INFO_H
#define TY_TRACKING_RUN_INFO_H

#include "tracking/record.h"
#include "tracking/tracking.h"

/* Brings info up to date with the next record; its strings are borrowed from the record. */
void ty_run_info_add(ty_run_info *info, const ty_track_record *record);

/* Whether somebody holds the run's lease. */
bool ty_run_is_live(ty_ctx *ctx, const char *run_folder);

#endif
