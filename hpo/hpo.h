/* The door of hpo: sweeps, which choose configurations, run trials and stop the bad ones. */
#ifndef TY_HPO_HPO_H
#define TY_HPO_HPO_H

#include "hpo/exact.h"
#include "hpo/expression.h"
#include "hpo/history.h"
#include "hpo/importance.h"
#include "hpo/optuna.h"
#include "hpo/pruner.h"
#include "hpo/sampler.h"
#include "hpo/space.h"
#include "hpo/study.h"
#include "hpo/sweep_file.h"

#endif
