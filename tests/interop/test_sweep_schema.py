"""Sweep files of W&B's schema against W&B's own sampler: test_sweep_schema.py SWEEP_PROBE

Files of all its constructs are valid by its schema, are read by ours, in JSON and in YAML, and give the same values at
the same quantiles."""
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path

from peers import Peers

warnings.filterwarnings("ignore")
with Peers("sweeps"):
    import numpy as np
    import yaml
    from sweeps.config.schema import validator
    from sweeps.params import HyperParameter

PROBE = sys.argv.pop(1)
SEED = int(os.environ.get("TILTYARD_TEST_SEED", 1))
FILES = 100
QUANTILES = [(i + 0.5) / 32 for i in range(32)]


class Maker:
    """Random parameters of every distribution. Bounds have long fractions, so that no quantile lies between two
    multiples of q, where numpy rounds to the even one."""

    def __init__(self, rng):
        self.rng = rng

    def low_high(self, low, high):
        a, b = sorted(self.rng.uniform(low, high) for _ in "ab")
        return {"min": a, "max": b}

    def q(self):
        return {"q": self.rng.choice([1, 2, 5, 0.1, 0.25, 1.0, 3.5])} if self.rng.random() < 0.8 else {}

    def bell(self):
        return {"mu": self.rng.uniform(-3, 3), "sigma": self.rng.uniform(0.1, 2)} if self.rng.random() < 0.8 else {}

    def ab(self):
        return {"a": self.rng.uniform(0.5, 5), "b": self.rng.uniform(0.5, 5)} if self.rng.random() < 0.8 else {}

    def constant(self):
        return {"value": self.rng.choice([1, -2.5, "x", None, True, [1, {"k": "v"}], {"k": 1}])}

    def categorical(self):
        return {"values": [self.rng.choice([1, 2.5, "a", True, None, [1], i]) for i in range(self.rng.randint(1, 6))]}

    def categorical_w_probabilities(self):
        weights = [self.rng.random() for _ in range(self.rng.randint(1, 6))]
        return {"values": list(range(len(weights))), "probabilities": [w / sum(weights) for w in weights]}

    def int_uniform(self):
        low = self.rng.randint(-50, 50)
        return {"min": low, "max": low + self.rng.randint(1, 37)}

    def uniform(self):
        return self.low_high(-10, 10)

    def q_uniform(self):
        return {**self.low_high(-10, 10), **self.q()}

    def log_uniform_values(self):
        return self.low_high(1e-6, 100)

    def q_log_uniform_values(self):
        return {**self.low_high(0.01, 100), **self.q()}

    def log_uniform(self):
        return self.low_high(-8, 5)

    def q_log_uniform(self):
        return {**self.low_high(-3, 5), **self.q()}

    def normal(self):
        return self.bell()

    def q_normal(self):
        return {**self.bell(), **self.q()}

    def beta(self):
        return self.ab()

    def q_beta(self):
        return {**self.ab(), **self.q()}

    inv_log_uniform_values = log_uniform_values
    inv_log_uniform = log_uniform
    log_normal = normal
    q_log_normal = q_normal

    may_be_left_out = {"constant", "categorical", "categorical_w_probabilities", "int_uniform", "uniform"}
    distributions = sorted(may_be_left_out | {
        "q_uniform", "log_uniform_values", "q_log_uniform_values", "log_uniform", "q_log_uniform", "normal", "q_normal",
        "beta", "q_beta", "inv_log_uniform_values", "inv_log_uniform", "log_normal", "q_log_normal"})

    def parameter(self):
        name = self.rng.choice(self.distributions)
        made = getattr(self, name)()
        if name not in self.may_be_left_out or self.rng.random() < 0.5:
            made["distribution"] = name
        return name, made

    def file(self):
        """A file, and its parameters by their dotted names."""
        flat = {"always": ("int_uniform", {"min": 0, "max": 1})}
        for i in range(self.rng.randint(1, 8)):
            flat[self.rng.choice(["p{}", "a.b{}", "g.h.p{}", "_x-{}"]).format(i)] = self.parameter()
        tree = {}
        for name, (_, spec) in flat.items():
            group, parts = tree, name.split(".")
            if self.rng.random() < 0.5:
                parts = [name]
            for part in parts[:-1]:
                group = group.setdefault(part, {"parameters": {}})["parameters"]
            group[parts[-1]] = spec
        made = {"method": self.rng.choice(["random", "bayes"]), "parameters": tree, "metric": {"name": "loss"}}
        for key, value in (("name", "n"), ("description", "d"), ("program", "p.py"), ("run_cap", 3), ("entity", "e"),
                           ("project", "p"), ("kind", "sweep"), ("apiVersion", "1"), ("controller", {"type": "local"}),
                           ("job", "j"), ("image_uri", "i"), ("command", ["${env}", "python", 3, "${args}"]),
                           ("metric", {"name": "m", "goal": "maximize", "target": 3, "impute": "best",
                                       "impute_while_running": "latest"}),
                           ("early_terminate", self.rng.choice([
                               {"type": "hyperband", "min_iter": 3, "eta": 2, "strict": True},
                               {"type": "hyperband", "max_iter": 27, "s": 2}]))):
            if self.rng.random() < 0.3:
                made[key] = value
        return made, flat


def theirs(name, spec):
    """W&B's values at the quantiles."""
    made = HyperParameter(name, spec)
    return [v.item() if isinstance(v, np.generic | np.ndarray) else v for v in map(made.ppf, QUANTILES)]


def is_same(a, b):
    if isinstance(a, bool) or isinstance(b, bool) or not all(isinstance(x, (int, float)) for x in (a, b)):
        return type(a) is type(b) and a == b
    return math.isclose(a, float(b), rel_tol=1e-9, abs_tol=1e-12)


class Sweeps(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED} (TILTYARD_TEST_SEED repeats it)", flush=True)
        maker = Maker(random.Random(SEED))
        cls.files = [maker.file() for _ in range(FILES)]
        cls.folder = tempfile.TemporaryDirectory(prefix="tiltyard-sweeps-")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def read(self, ending, write):
        paths = []
        for i, (made, _) in enumerate(self.files):
            paths.append(Path(self.folder.name) / f"{i}.{ending}")
            paths[-1].write_text(write(made))
        out = subprocess.run([PROBE, *paths], capture_output=True, text=True, check=True).stdout
        return [json.loads(line) for line in out.splitlines()]

    def test_the_files_are_valid_by_their_schema_and_have_every_distribution(self):
        seen = set()
        for made, flat in self.files:
            self.assertEqual([e.message for e in validator.iter_errors(made)], [], json.dumps(made))
            seen |= {name for name, _ in flat.values()}
        self.assertEqual(seen, set(Maker.distributions))

    def check(self, ours):
        self.assertEqual(len(ours), FILES)
        for (made, flat), got in zip(self.files, ours):
            self.assertNotIn("error", got, json.dumps(made))
            for name, (distribution, spec) in flat.items():
                if distribution == "constant":
                    self.assertEqual(json.dumps(got["fixed"][name]), json.dumps(spec["value"]))
                    continue
                values = got["params"][name]
                for q, a, b in zip(QUANTILES, values, theirs(name, spec)):
                    self.assertTrue(is_same(a, b), f"{name} {spec} at {q}: {a!r}, theirs {b!r}")
            self.assertEqual(len(got["fixed"]) + len(got["params"]), len(flat))
            self.assertEqual(got["pruner"], "wandb" if "early_terminate" in made else "none")

    def test_json_gives_the_values_of_their_sampler(self):
        self.check(self.read("json", json.dumps))

    def test_yaml_gives_them_too(self):
        self.check(self.read("yaml", yaml.safe_dump))

    def test_what_their_schema_refuses_ours_refuses(self):
        slips = [{"min": 1}, {"min": 1, "max": 2, "q": 1}, {"values": []}, {"value": 1, "values": [1]}, {}, 3,
                 {"distribution": "loguniform", "min": 1, "max": 2}, {"distribution": "normal", "min": 1},
                 {"distribution": "log_uniform_values", "min": 0, "max": 2}, {"min": "1", "max": 2},
                 {"distribution": "q_uniform", "min": 1, "max": 2, "q": 0}, {"parameters": {}, "min": 1},
                 {"values": [1, 2], "probabilities": [0.5, -0.5]},
                 {"distribution": "int_uniform", "min": 0.5, "max": 2}]
        paths = []
        for i, spec in enumerate(slips):
            made = {"method": "random", "parameters": {"x": spec, "y": {"values": [1, 2]}}}
            self.assertTrue(list(validator.iter_errors(made)), spec)
            paths.append(Path(self.folder.name) / f"slip{i}.json")
            paths[-1].write_text(json.dumps(made))
        out = subprocess.run([PROBE, *paths], capture_output=True, text=True, check=True).stdout.splitlines()
        for spec, line in zip(slips, out):
            self.assertIn(":1:", json.loads(line).get("error", ""), spec)


if __name__ == "__main__":
    unittest.main()
