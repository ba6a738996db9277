/* The door of hpo: sweeps, which choose configurations, run trials and stop the bad ones. */
#ifndef TY_HPO_HPO_H
#define TY_HPO_HPO_H

#include "hpo/exact/exact.h"
#include "hpo/space/expression.h"
#include "hpo/space/history.h"
#include "hpo/study/importance.h"
#include "hpo/study/imports.h"
#include "hpo/optuna/optuna.h"
#include "hpo/space/points.h"
#include "hpo/pruners/pruner.h"
#include "hpo/samplers/sampler.h"
#include "hpo/space/space.h"
#include "hpo/space/space_json.h"
#include "hpo/study/quota.h"
#include "hpo/study/study.h"
#include "hpo/sweep_file/sweep_file.h"

#endif
