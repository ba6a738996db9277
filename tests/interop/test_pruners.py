"""Our pruners' decisions against Optuna's, on random sweeps.

Usage: test_pruners.py PRUNER_PROBE [unittest arguments].

Optuna runs a sweep of random curves, one trial after the other or several at a time, and stops the trials that it
prunes. What happened is told to our pruner, which has to decide the same at every report. Which rules differ by design
is in docs/SEARCH.md; the sweeps keep out of these.
"""

import json
import math
import os
import random
import subprocess
import sys
import unittest

from peers import Peers

with Peers():
    import optuna
    import scipy.stats  # noqa: F401  WilcoxonPruner loads it when it is first asked
    from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.ERROR)
PROBE = None
SEED = int(os.environ.get("TILTYARD_TEST_SEED", 1))
N = 300


def as_json(value):
    """JSON has no NaN and no infinity."""
    return value if math.isfinite(value) else str(value)


class Curves:
    """What the trials of a sweep report: whole numbers, so that many are equal, or any; some are none."""

    def __init__(self, rng, longest, strides, is_finite=False):
        self.rng = rng
        self.first = rng.randrange(2)
        self.longest = longest
        self.stride = rng.choice(strides)
        self.is_whole = rng.random() < 0.5
        self.oddity = 0 if is_finite else rng.choice([0, 0, 0.05, 0.3])

    def value(self):
        if self.rng.random() < self.oddity:
            return self.rng.choice([math.nan, math.nan, math.inf, -math.inf])
        return float(self.rng.randrange(6)) if self.is_whole else self.rng.gauss(0, 1)

    def steps(self):
        length = self.longest if self.rng.random() < 0.7 else self.rng.randint(1, self.longest)
        return list(range(self.first, length, self.stride)) or [self.first]


class Sweep:
    """One of Optuna, and its story as pruner_probe reads it."""

    def __init__(self, rng, curves, pruner, trials):
        self.rng, self.curves, self.left = rng, curves, trials
        self.maximize = rng.random() < 0.5
        self.name = f"sweep {rng.random()}"
        self.study = optuna.create_study(direction="maximize" if self.maximize else "minimize", pruner=pruner,
                                         study_name=self.name, sampler=optuna.samplers.RandomSampler(seed=0))
        self.events, self.answers = [], ""

    def end(self, trial, state, value=None):
        self.study.tell(trial, value, state=state)
        name = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}[state]
        self.events.append([trial.number, name, 0.0 if value is None else value])

    def report(self, trial, steps):
        """Whether the trial goes on."""
        step, value = steps.pop(0), self.curves.value()
        trial.report(value, step)
        self.events.append([trial.number, "report", step, as_json(value)])
        is_pruned = trial.should_prune()
        self.answers += "s" if is_pruned else "c"
        if is_pruned:
            self.end(trial, TrialState.PRUNED)
        elif not steps and self.rng.random() < 0.1:
            self.end(trial, TrialState.FAIL)
        elif not steps:
            self.end(trial, TrialState.COMPLETE, self.rng.gauss(0, 1))
        return not is_pruned and bool(steps)

    def run(self):
        at_once, running = self.rng.choice([1, 1, 3, 8]), []
        while self.left or running:
            if self.left and len(running) < at_once:
                running.append((self.study.ask(), self.curves.steps()))
                self.left -= 1
            one = self.rng.choice(running)
            if not self.report(*one):
                running.remove(one)
        return self

    def story(self, ours, max_resource=None):
        return json.dumps({"pruner": ours, "name": self.name, "maximize": self.maximize,
                           "max_resource": max_resource, "events": self.events})


class Pruners(unittest.TestCase):
    def compare(self, make):
        """make(rng) gives curves, Optuna's pruner, ours, and how many trials."""
        rng = random.Random(f"{self.id()} {SEED}")
        sweeps, stories = [], []
        for _ in range(N):
            curves, theirs, ours, trials = make(rng)
            sweeps.append(Sweep(rng, curves, theirs, trials).run())
            stories.append(sweeps[-1].story(ours))
        done = subprocess.run([PROBE], input="\n".join(stories) + "\n", capture_output=True, text=True, check=True)
        answers = done.stdout.split("\n")[:-1]
        self.assertEqual(len(answers), N)
        for sweep, answer, story in zip(sweeps, answers, stories):
            self.assertEqual(answer, sweep.answers, f"seed {SEED}: {story}")
        stops = sum(sweep.answers.count("s") for sweep in sweeps)
        print(f"{self.id()}: {sum(map(len, answers))} decisions of {N} sweeps, {stops} stops, all alike")
        self.assertGreater(stops, N // 4)

    def some_percentile(self, rng, percentile):
        startup, warmup = rng.randrange(4), rng.randrange(4)
        interval, least = rng.randint(1, 3), rng.randint(1, 3)
        theirs = optuna.pruners.PercentilePruner(percentile, n_startup_trials=startup, n_warmup_steps=warmup,
                                                 interval_steps=interval, n_min_trials=least)
        return theirs, {"startup_trials": startup, "warmup": warmup, "interval": interval, "min_trials": least}

    def test_median(self):
        def make(rng):
            _, ours = self.some_percentile(rng, 50)
            theirs = optuna.pruners.MedianPruner(
                n_startup_trials=ours["startup_trials"], n_warmup_steps=ours["warmup"],
                interval_steps=ours["interval"], n_min_trials=ours["min_trials"])
            return Curves(rng, 9, [1, 1, 2, 3]), theirs, {"type": "median", **ours}, 12
        self.compare(make)

    def test_percentile(self):
        def make(rng):
            percentile = rng.choice([0, 10, 20, 25, 30, 100 / 3, 50, 70, 75, 90, 100])
            theirs, ours = self.some_percentile(rng, percentile)
            return Curves(rng, 9, [1, 1, 2, 3]), theirs, {"type": "percentile", "percentile": percentile, **ours}, 14
        self.compare(make)

    def test_threshold(self):
        def make(rng):
            lower, upper = sorted([rng.uniform(-2, 3), rng.uniform(0, 6)])
            bounds = rng.choice([{"lower": lower}, {"upper": upper}, {"lower": lower, "upper": upper}])
            warmup, interval = rng.randrange(4), rng.randint(1, 3)
            theirs = optuna.pruners.ThresholdPruner(**bounds, n_warmup_steps=warmup, interval_steps=interval)
            ours = {"type": "threshold", **bounds, "warmup": warmup, "interval": interval}
            return Curves(rng, 9, [1, 1, 2, 3]), theirs, ours, 5
        self.compare(make)

    def test_patient(self):
        def make(rng):
            patience, delta = rng.randrange(4), rng.choice([0, 0, 0.5, 1])
            ours = {"type": "patient", "patience": patience, "min_delta": delta}
            wrapped = None
            if rng.random() < 0.6:
                wrapped, keys = self.some_percentile(rng, 25)
                ours["wrapped"] = {"type": "percentile", "percentile": 25, **keys}
            return Curves(rng, 12, [1, 1, 2]), optuna.pruners.PatientPruner(wrapped, patience, delta), ours, 8
        self.compare(make)

    def test_wilcoxon(self):
        """Among 4 to 13 reports with ties SciPy goes through all signs, in Python: half a second for 12."""
        def make(rng):
            p, startup = rng.choice([0.05, 0.1, 0.2, 0.3, 0.45]), rng.randrange(6)
            curves = Curves(rng, rng.choice([6, 12, 20, 60]), [1], is_finite=rng.random() < 0.9)
            if curves.is_whole and rng.random() < 0.5:
                curves.longest = rng.randint(4, 7)
            elif curves.is_whole:
                curves.longest, startup = rng.choice([20, 60]), 14
            theirs = optuna.pruners.WilcoxonPruner(p_threshold=p, n_startup_steps=startup)
            return curves, theirs, {"type": "wilcoxon", "p": p, "startup": startup}, 4
        self.compare(make)

    def test_halving(self):
        def make(rng):
            first, eta, rate, bootstrap = rng.randint(1, 3), rng.randint(2, 4), rng.randrange(2), rng.choice([0, 0, 2])
            theirs = optuna.pruners.SuccessiveHalvingPruner(first, eta, rate, bootstrap)
            ours = {"type": "halving", "min_resource": first, "eta": eta, "early_stopping_rate": rate,
                    "bootstrap": bootstrap}
            return Curves(rng, 18, [1]), theirs, ours, 14
        self.compare(make)

    def test_hyperband(self):
        def make(rng):
            while True:
                first, most, eta = rng.randint(1, 3), rng.randint(4, 30), rng.randint(2, 4)
                whole = max(n for n in range(9) if first * eta ** n <= most)
                if math.floor(math.log(most / first, eta)) == whole:
                    break
            bootstrap = rng.choice([0, 0, 1])
            theirs = optuna.pruners.HyperbandPruner(first, most, eta, bootstrap)
            ours = {"type": "hyperband", "min_resource": first, "max_resource": most, "eta": eta,
                    "bootstrap": bootstrap}
            return Curves(rng, most, [1]), theirs, ours, 14
        self.compare(make)


if __name__ == "__main__":
    PROBE = sys.argv.pop(1)
    unittest.main(warnings="ignore")  # of least values of nothing but NaN
