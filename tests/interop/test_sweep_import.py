"""Optuna's journals in our hands: what Optuna itself wrote is known to a sweep of ours as Optuna knows it, and so is
what we wrote for Optuna.

Usage: test_sweep_import.py TILTYARD [unittest arguments].
"""

import json
import math
import os
import struct
import subprocess
import sys
import tempfile
import unittest

from peers import Peers

with Peers():
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)
TILTYARD = None
SPACE = {"flat": {"min": -1.5, "max": 2.0}, "rate": {"distribution": "log_uniform_values", "min": 1e-5, "max": 0.1},
         "lattice": {"min": 0.5, "max": 2.0, "step": 0.25}, "layers": {"min": 1, "max": 8},
         "even": {"min": 0, "max": 128, "step": 2}, "width": {"min": 4, "max": 300, "log": True},
         "kind": {"values": ["a", True, 64, None, 0.5]}, "momentum": {"min": 0.0, "max": 1.0, "default": 0.5}}


def objective(trial):
    x = trial.suggest_float("flat", -1.5, 2)
    rate = trial.suggest_float("rate", 1e-5, 0.1, log=True)
    trial.suggest_float("lattice", 0.5, 2, step=0.25)
    trial.suggest_int("layers", 1, 8)
    trial.suggest_int("even", 0, 128, step=2)
    trial.suggest_int("width", 4, 300, log=True)
    kind = trial.suggest_categorical("kind", ["a", True, 64, None, 0.5])
    if kind == "a":
        trial.suggest_float("momentum", 0, 1)
    for step in range(3):
        trial.report(math.inf if trial.number == 5 else x * x + step, step)
    if trial.number % 5 == 1:
        raise optuna.TrialPruned()
    if trial.number % 5 == 2:
        raise ValueError("it fails")
    return x * x + math.log10(rate) ** 2


class SweepImport(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def path(self, name):
        return os.path.join(self.folder, name)

    def run_it(self, *words, code=0):
        words = [TILTYARD, *map(str, words)]
        done = subprocess.run(words, cwd=self.folder, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout, done.stderr

    def sweep(self, name, **more):
        with open(self.path(f"{name}.json"), "w") as file:
            json.dump({"name": name, "command": ["true"], "method": "random", "parameters": SPACE, "run_cap": 20,
                       "metric": {"name": "loss"}, **more}, file)
        return f"{name}.json"

    def imports(self, name):
        """Of the journal's first record, behind 8 bytes of header and 24 of frame."""
        with open(self.path(f"sweeps/{name}/sweep.journal"), "rb") as file:
            data = file.read()
        length, kind = struct.unpack("<II", data[8:16])
        self.assertEqual(kind, 1)
        return json.loads(data[32:32 + length])["imports"]

    def optuna_study(self, direction="minimize"):
        storage = JournalStorage(JournalFileBackend(self.path("theirs.journal")))
        study = optuna.create_study(study_name="theirs", storage=storage, direction=direction,
                                    sampler=optuna.samplers.RandomSampler(seed=3))
        study.optimize(objective, n_trials=25, catch=ValueError)
        study.add_trial(optuna.trial.create_trial(
            params={"flat": 1.0, "layers": 3, "kind": True},
            distributions={"flat": FloatDistribution(-1.5, 2), "layers": IntDistribution(1, 8),
                           "kind": CategoricalDistribution(["a", True, 64, None, 0.5])}, value=2.5))
        study.enqueue_trial({"flat": 0.25})
        study.ask()  # stays RUNNING
        study.enqueue_trial({"flat": 0.5})  # stays WAITING
        return study

    def test_what_optuna_wrote_is_what_optuna_knows(self):
        study = self.optuna_study()
        _, err = self.run_it("sweep", "ask", self.sweep("ours", warm_start=["theirs.journal"]))
        theirs = [t for t in study.get_trials() if t.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        self.assertEqual({t.state for t in study.get_trials()}, set(TrialState))
        ours = self.imports("ours")
        self.assertIn(f"{len(theirs)} trials of theirs.journal are known from the start", err)
        self.assertEqual(len(ours), len(theirs))
        for mine, their in zip(ours, theirs):
            self.assertEqual(mine["number"], their.number)
            self.assertEqual(mine["params"], their.params)
            self.assertEqual({k: type(v) for k, v in mine["params"].items()},
                             {k: type(v) for k, v in their.params.items()})
            self.assertEqual(mine["state"], their.state.name.lower())
            value = their.value if their.value is not None else their.intermediate_values[2]
            self.assertEqual(mine["value"], "inf" if value == math.inf else value)
            self.assertEqual(mine["last_step"], max(their.intermediate_values, default=0))
        # The one without all parameters is no point of the space; momentum has a default.
        _, err = self.run_it("sweep", "show", "ours")
        self.assertIn(f"{len(ours)} trials from elsewhere, of which {len(ours) - 1} are points of the space", err)

    def test_a_torn_line_is_said_and_the_others_count(self):
        self.optuna_study()
        with open(self.path("theirs.journal"), "a") as file:
            file.write('{"op_code":4,"worker_id":"x","stud')
        _, err = self.run_it("sweep", "ask", self.sweep("ours", warm_start=["theirs.journal#theirs"]))
        self.assertIn("theirs.journal#theirs: 1 lines could not be read", err)
        self.assertGreater(len(self.imports("ours")), 15)

    def test_the_opposite_is_refused(self):
        self.optuna_study("maximize")
        _, err = self.run_it("sweep", "ask", self.sweep("ours", warm_start=["theirs.journal"]), code=2)
        self.assertIn("theirs.journal was to be maximized, and this sweep is to be minimized", err)

    def test_what_we_wrote_for_optuna_comes_back(self):
        file = self.sweep("first", window=1)
        for number in range(12):
            asked = json.loads(self.run_it("sweep", "ask", file)[0])
            self.assertEqual(asked["trial"], number)
            self.run_it("sweep", "tell", "first", number, number * 0.5, "--step", 1)
            state = ("complete", "pruned", "failed")[number % 3]
            self.run_it("sweep", "tell", "first", number, number * 0.5, "--state", state)
        self.run_it("sweep", "ask", self.sweep("second", warm_start=["first"]))
        self.run_it("sweep", "ask", self.sweep("third", warm_start=["sweeps/first/optuna.journal"]))
        ours, back = self.imports("second"), self.imports("third")
        self.assertEqual(len(ours), 8)
        for trial in ours + back:
            del trial["source"]
        self.assertEqual(ours, back)
        study = optuna.load_study(study_name="first", storage=JournalStorage(
            JournalFileBackend(self.path("sweeps/first/optuna.journal"))))
        loaded = {t.number: t.params for t in study.get_trials()}
        for trial in back:
            self.assertEqual(trial["params"], loaded[trial["number"]])


if __name__ == "__main__":
    TILTYARD = os.path.abspath(sys.argv.pop(1))
    unittest.main()
