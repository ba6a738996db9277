/* What a journal's records are as MLflow's tags: one answer for every sink and for `runs`. */
#ifndef TY_TRACKING_TAGS_H
#define TY_TRACKING_TAGS_H

#include "tracking/journal/record.h"

/* Records that become a tag: TAGs, and those that MLflow has no other place for. *key is NULL where
 * there is none; texts are the record's or in arena. False: no memory. */
bool ty_track_tag_of(ty_arena *arena, const ty_track_record *record, const char **key,
                     const char **value);

/* An artifact of a record as MLflow names it: from the artifacts folder on. Borrowed from
 * artifact. */
const char *ty_track_artifact_name(const char *artifact);

/* The tags that a RUN record brings, as key and value; values that were not told are NULL. */
enum { TY_TRACK_OWN_TAGS = 4 };
void ty_track_own_tags(const ty_track_record *run, const char *out[TY_TRACK_OWN_TAGS][2]);

/* The same of its experiment, for a sink to add where an experiment has no such tag yet: other runs
 * and people may have said better. */
enum { TY_TRACK_EXPERIMENT_TAGS = 4 };
void ty_track_experiment_tags(const ty_track_record *run,
                              const char *out[TY_TRACK_EXPERIMENT_TAGS][2]);

#endif
