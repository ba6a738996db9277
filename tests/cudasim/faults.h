/* Counting API calls, and making the n-th of them fail (CUDASIM_FAIL):
 *
 *   cudaMalloc:3:2   the third cudaMalloc returns error 2
 *   cudaMalloc:3     the third cudaMalloc returns what cudaMalloc usually fails with
 *   any:17           the 17th call of whatever can fail */
#ifndef TY_CUDASIM_FAULTS_H
#define TY_CUDASIM_FAULTS_H

#include <stdbool.h>
#include <stddef.h>

/* Reads CUDASIM_FAIL; ends the process (CS_UNKNOWN) when it is none of the forms above. */
void cs_faults_start(void);

/* Counts a call; returns 0, or the error that it must return. */
int cs_faults_count(const char *function, int natural_error);

/* With CUDASIM_TRACE: the number of calls of every function, as notes. */
void cs_faults_summary(void);

/* Whether the failure asked for has happened. */
bool cs_faults_happened(void);

#endif
