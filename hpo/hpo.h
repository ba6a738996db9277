/* The door of hpo: sweeps, which choose configurations, run trials and stop the bad ones. */
#ifndef TY_HPO_HPO_H
#define TY_HPO_HPO_H

#include "hpo/exact.h"

#endif
