/* METRICS records, which are nearly all of a journal, read without making a tree of JSON of them. */
#ifndef TY_TRACKING_JOURNAL_POINTS_SCAN_H
#define TY_TRACKING_JOURNAL_POINTS_SCAN_H

#include "tracking/journal/record.h"

/* Reads a payload that is spelled exactly as tracking/journal/writer.c spells it: no spaces, no escapes, no
 * byte above 0x7e in a key, numbers that fit. out->points and its keys then live in arena, and are
 * what reading the JSON would give. False: it is spelled otherwise, or memory is out; that it is
 * wrong is not said. */
bool ty_points_scan(const char *payload, size_t bytes, ty_arena *arena, ty_track_record *out);

#endif
