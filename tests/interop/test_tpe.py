"""Our TPE's densities against Optuna's, on random spaces and histories.

Usage: test_tpe.py TPE_PROBE [unittest arguments].

What is compared is log l and log g at random points, made of the same trials on both sides: which trials are good,
their weights, bandwidths and kernels all show in them. Where several trials have the same value of a parameter,
Optuna's bandwidths follow numpy's unstable sort; ours go by age, which is what a stable sort makes of Optuna's.
Optuna learns from the trials which parameters occur together; ours are declared, so that the groups are compared with
those that the conditions make.
"""

import json
import math
import random
import subprocess
import sys
import unittest

from peers import Peers

with Peers():
    import numpy as np
    import optuna
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.samplers._tpe import parzen_estimator
    from optuna.samplers._tpe import sampler as tpe
    from optuna.trial import TrialState, create_trial

optuna.logging.set_verbosity(optuna.logging.WARNING)
PROBE = None
TOLERANCE = 1e-9
STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "running": TrialState.RUNNING}


class StableNumpy:
    """numpy with a stable argsort, for Optuna's module of bandwidths."""

    def __getattr__(self, name):
        return getattr(np, name)

    @staticmethod
    def argsort(values):
        return np.argsort(values, kind="stable")


parzen_estimator.np = StableNumpy()


def distribution_of(param):
    if "choices" in param:
        return CategoricalDistribution(list(range(param["choices"])))
    if param["int"]:
        return IntDistribution(param["low"], param["high"], log=param["log"], step=param["step"])
    return FloatDistribution(param["low"], param["high"], log=param["log"], step=param["step"] or None)


def random_param(rng):
    kind = rng.choice(["float", "log", "int", "log int", "step", "categorical", "wide int"])
    if kind == "categorical":
        return {"choices": rng.randint(2, 6)}
    param = {"low": -2.5, "high": 7.25, "step": 0, "log": False, "int": False}
    if kind == "log":
        param.update(low=1e-5, high=0.3, log=True)
    elif kind == "int":
        step = rng.choice([1, 3])
        param.update(low=-3, high=-3 + step * rng.randint(1, 12), step=step, int=True)
    elif kind == "log int":
        param.update(low=1, high=rng.choice([8, 500]), step=1, log=True, int=True)
    elif kind == "wide int":
        param.update(low=0, high=10**6, step=1, int=True)
    elif kind == "step":
        param.update(low=0.5, high=0.5 + 0.25 * rng.randint(1, 20), step=0.25)
    return param


def random_value(rng, param, narrow):
    """Like a sampler's: often near the middle, so that the kernels' neighbourhoods differ in size."""
    if "choices" in param:
        return rng.randrange(param["choices"])
    part = min(max(rng.gauss(0.6, 0.05), 0), 1) if narrow else rng.random()
    if param["step"]:
        count = round((param["high"] - param["low"]) / param["step"])
        return param["low"] + param["step"] * round(part * count)
    if param["log"]:
        return min(max(param["low"] * (param["high"] / param["low"]) ** part, param["low"]), param["high"])
    return param["low"] + part * (param["high"] - param["low"])


def is_active(params, x, d):
    return "parent" not in params[d] or x[params[d]["parent"]] in params[d]["accepted"]


def random_point(rng, params):
    narrow = rng.random() < 0.5
    x = []
    for d, param in enumerate(params):
        x.append(random_value(rng, param, narrow) if is_active(params, x, d) else None)
    return x


def random_trial(rng, params, number, kinds):
    state = rng.choices(["complete", "pruned", "running"], [6, kinds["pruned"], kinds["running"]])[0]
    trial = {"number": number, "state": state, "x": random_point(rng, params), "last_step": 0, "violation": 0}
    trial["value"] = None if state == "running" else float(rng.randrange(12) if kinds["ties"] else rng.gauss(0, 1))
    if state != "running" and rng.random() < kinds["infeasible"]:
        trial["violation"] = rng.choice([0.5, 1.5, rng.random()])
    if state == "pruned":
        trial["last_step"] = rng.randrange(5)
        if trial["last_step"] == 0 and rng.random() < 0.5:
            trial["value"] = None
    return trial


def optuna_trial(params, trial):
    used = {f"p{d:02}": v for d, v in enumerate(trial["x"]) if v is not None}
    frozen = create_trial(
        state=STATES[trial["state"]],
        value=trial["value"] if trial["state"] == "complete" else None,
        params=used,
        distributions={name: distribution_of(params[int(name[1:])]) for name in used},
        intermediate_values={trial["last_step"]: trial["value"]}
        if trial["state"] == "pruned" and trial["value"] is not None
        else None,
        constraints={"c": trial["violation"]} if trial["violation"] else None,
    )
    frozen.number = trial["number"]
    return frozen


def optuna_densities(request, group):
    """log l and log g of Optuna's estimators over a group of parameters."""
    sampler = optuna.samplers.TPESampler(multivariate=request["multivariate"], seed=0)
    study = optuna.create_study(sampler=sampler)
    trials = [optuna_trial(request["params"], t) for t in request["trials"]]
    if not request["constant_liar"]:
        trials = [t for t in trials if t.state != TrialState.RUNNING]
    n = sum(t.state != TrialState.RUNNING for t in trials)
    sides = tpe._split_trials(study, trials, tpe.default_gamma(n))
    space = {f"p{d:02}": distribution_of(request["params"][d]) for d in sorted(group)}
    places = [x for x in request["places"] if x[group[0]] is not None]
    values = {f"p{d:02}": np.asarray([float(x[d]) for x in places]) for d in group}
    for side in sides:
        estimator = sampler._build_parzen_estimator(study, space, side, handle_below=side is sides[0])
        yield list(estimator.log_pdf(values)) if places else []


def ask(request):
    result = subprocess.run([PROBE], input=json.dumps(request) + "\n", capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(result.stderr)
    return json.loads(result.stdout)


class Densities(unittest.TestCase):
    def compare(self, request):
        groups = ask(request)["groups"]
        compared = 0
        for group in groups:
            ours = [[v for v in group[side] if v is not None] for side in ("good", "rest")]
            for mine, theirs in zip(ours, optuna_densities(request, group["params"])):
                self.assertEqual(len(mine), len(theirs))
                for a, b in zip(mine, theirs):
                    self.assertLessEqual(abs(a - b), TOLERANCE * max(1, abs(b)), (a, b, group["params"]))
                    compared += 1
        return groups, compared

    def request(self, rng, params, n, multivariate=True, constant_liar=True, **kinds):
        kinds = {"pruned": 0, "running": 0, "infeasible": 0, "ties": False, **kinds}
        return {
            "params": params,
            "trials": [random_trial(rng, params, number, kinds) for number in range(n)],
            "multivariate": multivariate,
            "constant_liar": constant_liar,
            "places": [random_point(rng, params) for _ in range(12)],
        }

    def sweep(self, sizes, repeats, **kinds):
        compared = 0
        for n in sizes:
            for seed in range(repeats):
                rng = random.Random(f"{n} {seed}")
                params = [random_param(rng) for _ in range(rng.randint(1, 5))]
                with self.subTest(n=n, seed=seed):
                    compared += self.compare(self.request(rng, params, n, **kinds))[1]
        self.assertGreaterEqual(compared, 24 * len(sizes) * repeats)

    def test_complete_trials(self):
        self.sweep([0, 1, 2, 3, 10, 24, 26, 60, 99, 103, 350], 6)

    def test_each_parameter_alone(self):
        self.sweep([2, 12, 101], 4, multivariate=False)

    def test_equal_values_of_the_objective(self):
        self.sweep([40], 6, ties=True)

    def test_pruned_trials(self):
        self.sweep([5, 30, 200], 6, pruned=12)

    def test_infeasible_trials(self):
        self.sweep([5, 30, 200], 6, infeasible=0.9, pruned=3)

    def test_trials_under_way(self):
        self.sweep([5, 30, 200], 6, running=3)
        self.sweep([30], 6, running=3, constant_liar=False)

    def test_many_trials(self):
        self.sweep([1500], 2, pruned=2, running=0.2, infeasible=0.1)

    def test_a_thousand_floats_on_both_sides_of_a_cut_off_tail(self):
        rng = random.Random(7)
        params = [{"low": 0.0, "high": 1.0, "step": 0, "log": False, "int": False} for _ in range(8)]
        self.compare(self.request(rng, params, 1000))

    def test_conditions_make_groups(self):
        rng = random.Random(3)
        number = {"low": 0.0, "high": 1.0, "step": 0, "log": False, "int": False}
        params = [
            {"choices": 3},
            dict(number),
            {**number, "parent": 0, "accepted": [1]},
            {**number, "log": True, "low": 1e-3, "parent": 0, "accepted": [2, 1]},
            {"choices": 2, "parent": 0, "accepted": [1]},
            {**number, "parent": 4, "accepted": [0]},
        ]
        for n in (4, 15, 40, 300):
            groups, compared = self.compare(self.request(rng, params, n, pruned=1, running=1))
            self.assertEqual([sorted(g["params"]) for g in groups], [[0, 1], [2, 4], [3], [5]])
            self.assertGreater(compared, 24)

    def test_the_number_of_good_trials_is_optunas(self):
        for n in range(0, 400):
            self.assertEqual(min(math.ceil(0.1 * n), 25), tpe.default_gamma(n))


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    PROBE = sys.argv.pop(1)
    unittest.main(verbosity=2)
