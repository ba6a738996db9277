"""Our sweeps in Optuna's hands: the journal that is written along, and what mattered, against Optuna's own importance.

Usage: test_sweep_optuna.py OPTUNA_PROBE [unittest arguments].

What is loaded is compared with what the study itself says in the same moment, also while trials are under way.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
import unittest
import warnings

from peers import Peers

with Peers():
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.importance import PedAnovaImportanceEvaluator
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.WARNING)
PROBE = None
STUDY = 'a "probe"'
RUNNING, COMPLETE, PRUNED, PAUSED, FAILED = range(5)  # ty_trial_state
LIVE = {RUNNING: TrialState.RUNNING, COMPLETE: TrialState.COMPLETE, PRUNED: TrialState.PRUNED,
        PAUSED: TrialState.RUNNING, FAILED: TrialState.FAIL}
EXPORTED = {**LIVE, PAUSED: TrialState.PRUNED}
DISTRIBUTIONS = {
    "flat": FloatDistribution(-1.5, 2.0),
    "lattice": FloatDistribution(0.5, 2.0, step=0.25),
    "rate": FloatDistribution(1e-5, 0.1, log=True),
    "layers": IntDistribution(1, 8),
    "even": IntDistribution(0, 128, step=2),
    "width": IntDistribution(4, 300, log=True),
    "normal": FloatDistribution(3 - 9 * 0.5, 3 + 9 * 0.5),
    "beta": FloatDistribution(0.0, 1.0),
    "kind": CategoricalDistribution(["a", True, 64, None, "[3,4]", 0.5]),
    "momentum": FloatDistribution(0.0, 1.0),
    "only": FloatDistribution(7.0, 7.0),
}


def load(path):
    storage = JournalStorage(JournalFileBackend(path))
    return optuna.load_study(study_name=STUDY, storage=storage)


class Probe:
    """A sweep that stops at each stage to be looked at."""

    def __init__(self, test, seed=1, trials=60, goal="min"):
        folder = tempfile.TemporaryDirectory()
        test.addCleanup(folder.cleanup)
        self.journal = os.path.join(folder.name, "optuna.journal")
        self.exported = os.path.join(folder.name, "export.journal")
        self.process = subprocess.Popen([PROBE, folder.name, str(seed), str(trials), goal], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        test.addCleanup(self.close)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()

    def stages(self):
        for line in self.process.stdout:
            yield json.loads(line)
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        assert self.process.wait() == 0, "the probe failed"


class SweepOptuna(unittest.TestCase):
    maxDiff = None

    def assert_same_trial(self, ours, theirs, states):
        self.assertEqual(theirs.number, ours["number"])
        self.assertEqual(theirs.state, states[ours["state"]])
        params = {k: json.dumps(v, separators=(",", ":")) if isinstance(v, list) else v
                  for k, v in ours["params"].items()}
        self.assertEqual(theirs.params, params)
        for name, distribution in theirs.distributions.items():
            if name in DISTRIBUTIONS:
                self.assertEqual(distribution, DISTRIBUTIONS[name], name)
            self.assertTrue(distribution._contains(distribution.to_internal_repr(theirs.params[name])), name)
        reports = {int(k): math.nan if v is None else v for k, v in ours["reports"].items()}
        self.assertEqual(repr(theirs.intermediate_values), repr(reports))
        self.assert_same_end(ours, theirs)

    def assert_same_end(self, ours, theirs):
        self.assertAlmostEqual(theirs.datetime_start.timestamp(), ours["asked"], delta=1e-5)
        if not theirs.state.is_finished():
            self.assertIsNone(theirs.datetime_complete)
            self.assertIsNone(theirs.values)
            return
        self.assertAlmostEqual(theirs.datetime_complete.timestamp(), ours["told"], delta=1e-5)
        self.assertEqual(theirs.user_attrs.get("reason", ""), ours["reason"])
        self.assertEqual(list(theirs.constraints.values()), [ours["violation"]])
        if theirs.state == TrialState.FAIL:
            self.assertIsNone(theirs.values)
        elif ours["value"] is not None:
            self.assertEqual(theirs.value, ours["value"])
        elif ours["reports"]:
            self.assertEqual(theirs.value, list(ours["reports"].values())[-1])
        theirs._validate()

    def assert_same_study(self, ours, study, states):
        trials = study.get_trials()
        self.assertEqual(len(trials), len(ours["trials"]))
        for mine, theirs in zip(ours["trials"], trials):
            self.assert_same_trial(mine, theirs, states)

    def test_it_is_loaded_while_it_is_written_and_is_what_the_study_is(self):
        probe = Probe(self)
        states = set()
        for stage in probe.stages():
            study = load(probe.journal)
            self.assertEqual(study.direction, optuna.study.StudyDirection.MINIMIZE)
            self.assertEqual(study.metric_names, ["val/loss"])
            self.assert_same_study(stage, study, LIVE)
            states |= {t["state"] for t in stage["trials"]}
        self.assertEqual(states, {RUNNING, COMPLETE, PRUNED, PAUSED, FAILED})

    def test_a_reader_that_stays_open_follows(self):
        probe = Probe(self)
        study = None
        for stage in probe.stages():
            study = study or load(probe.journal)
            self.assert_same_study(stage, study, LIVE)

    def test_the_export_has_every_trial_with_its_end(self):
        probe = Probe(self, seed=2, goal="max")
        for stage in probe.stages():
            last = stage
        study = load(probe.exported)
        self.assertEqual(study.direction, optuna.study.StudyDirection.MAXIMIZE)
        self.assert_same_study(last, study, EXPORTED)
        feasible = [t for t in last["trials"] if t["state"] == COMPLETE and t["violation"] <= 0]
        self.assertEqual(study.best_trial.number, max(feasible, key=lambda t: t["value"])["number"])

    def test_optuna_goes_on_where_the_export_ends(self):
        probe = Probe(self, trials=20)
        for stage in probe.stages():
            last = stage
        study = load(probe.exported)
        study.optimize(lambda t: t.suggest_float("flat", -1.5, 2), n_trials=2)
        self.assertEqual(len(study.trials), len(last["trials"]) + 2)

    def test_importance_is_optunas(self):
        for seed, trials, goal in ((1, 40, "min"), (2, 100, "max"), (3, 300, "min"), (4, 11, "max")):
            probe = Probe(self, seed, trials, goal)
            for stage in probe.stages():
                complete = [t for t in stage["trials"] if t["state"] == COMPLETE]
                if not complete:
                    continue
                study = load(probe.journal)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    theirs = PedAnovaImportanceEvaluator().evaluate(study)
                for name, weight in theirs.items():
                    self.assertAlmostEqual(stage["importance"][name], weight, delta=1e-6 * max(1, weight),
                                           msg=f"{name} of seed {seed}, {len(complete)} trials")
            self.assertGreater(max(stage["importance"].values()), 0)

    def test_optunas_pictures_are_drawn_while_it_is_written(self):
        import matplotlib
        matplotlib.use("Agg")
        import optuna.visualization.matplotlib as pictures
        probe = Probe(self)
        for i, stage in enumerate(probe.stages()):
            if i != 6:
                continue
            study = load(probe.journal)
            complete = [t for t in stage["trials"] if t["state"] == COMPLETE and t["violation"] <= 0]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                history = pictures.plot_optimization_history(study)
                drawn = {float(y) for c in history.collections for _, y in c.get_offsets()}
                self.assertLessEqual({t["value"] for t in complete}, drawn)
                curves = pictures.plot_intermediate_values(study)
                self.assertEqual(len(curves.lines), sum(1 for t in stage["trials"]
                                                        if t["reports"] and t["state"] != FAILED))
                for draw in (pictures.plot_slice, pictures.plot_parallel_coordinate, pictures.plot_param_importances,
                             pictures.plot_timeline):
                    self.assertIsNotNone(draw(study))
            matplotlib.pyplot.close("all")

    def test_a_dashboards_notes_stay_beside_our_lines(self):
        probe = Probe(self)
        for i, stage in enumerate(probe.stages()):
            if i == 2:
                load(probe.journal).set_user_attr("note", "by hand")
            last = stage
        study = load(probe.journal)
        self.assertEqual(study.user_attrs, {"note": "by hand"})
        self.assert_same_study(last, study, LIVE)


if __name__ == "__main__":
    PROBE = sys.argv.pop(1)
    unittest.main()
