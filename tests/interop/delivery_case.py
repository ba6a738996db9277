"""What tests of delivery share: random runs told to a tracker, `tiltyard sync`, and all that MLflow's own client says
of a run. TILTYARD_TEST_SERVER (mlflow-3.0.1, ...) names an older server; TILTYARD_TEST_SEED repeats a run of it."""
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

from mlflow_peer import MlflowPeers, MlflowServer

with MlflowPeers():
    import mlflow
    from mlflow.tracking import MlflowClient

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
SEED = int(os.environ.get("TILTYARD_TEST_SEED", random.SystemRandom().randrange(10**9)))
BEGIN_NS = 1_790_000_000_000_000_000
KEYS = ["train/loss", "val/accuracy", "odd key-1.x:y", "größe", "bad[0]@%", "a//b", "test/loss", "test/accuracy"]


class Story:
    """A random run as events, with times of its own."""

    def __init__(self, rng):
        self.rng, self.events, self.time_ns, self.steps = rng, [], BEGIN_NS, {}

    def tell(self, kind, step=0, **members):
        self.time_ns += self.rng.randrange(1, 3_000_000)
        self.events.append({"kind": kind, "time_ns": self.time_ns, "step": step, **members})

    def word(self, length):
        return "".join(self.rng.choice("abc dé\"\\\n<&'€0") for _ in range(length))

    def value(self):
        return self.rng.choice([self.rng.gauss(0, 1), self.rng.gauss(0, 1e300), 5e-324, -0.0, 1e308, 0.1, "nan", "inf",
                                "-inf"])

    def point(self, key=None):
        key = key or self.rng.choice(KEYS + [f"many/{self.rng.randrange(150)}"])
        self.steps[key] = self.steps.get(key, -1) + self.rng.randrange(1, 4)
        self.tell("metric", step=self.steps[key], key=key, value=self.value())
        return self.steps[key]

    def package(self, step):
        model_id = f"m-{self.rng.randrange(16**32):032x}"
        files = (("MLmodel", f"model_id: {model_id}\nflavors: {{}}\n"), ("data/weights.bin", self.word(50)))
        for name, content in files:
            self.tell("write", path=f"models/{model_id}/{name}", content=content)
        self.tell("package", step=step, model_id=model_id, name=self.rng.choice(["net", "a/b:c"]))

    def param(self):
        self.tell("param", key=f"p{self.rng.randrange(40)}[x]", value=self.word(self.rng.choice([0, 3, 7000])))

    def tag(self):
        self.tell("tag", key=f"t{self.rng.randrange(8)}", value=self.word(self.rng.choice([1, 9000])))

    def file(self):
        """Each file has one place: what is published is the content of now or a later one."""
        i = self.rng.randrange(5)
        self.tell("file", path=f"f{i} ü%.txt", content=self.word(30), folder=("", "plots")[i % 2])

    def model(self):
        path = f"step_{self.rng.randrange(9)}.h5"
        self.tell("model", step=self.rng.randrange(100), name="best", path=path, content=self.word(99))

    def sitting(self, n, from_step):
        self.tell("start", from_step=from_step)
        for name, context in (("d", "training"), ("d", "validation"), ("e é", "test")):
            self.tell("dataset", name=name, digest="0123456789abcdef" * 3, source="/data/x", context=context)
        for _ in range(n):
            self.rng.choices([self.point, self.param, self.tag, self.file, self.model], [200, 4, 4, 2, 2])[0]()
        step = self.point("test/loss")
        self.steps["test/accuracy"] = max(step - 1, self.steps.get("test/accuracy", -1))
        self.package(step)
        self.steps["test/accuracy"] = step - 1 if self.steps["test/accuracy"] < step else self.steps["test/accuracy"]
        self.point("test/accuracy")
        self.tell("state", step=99, state=self.rng.choice([1, 2, 3]), reason=self.word(5))

    def lines(self):
        return "".join(json.dumps(e) + "\n" for e in self.events)


def plain(value):
    return "nan" if isinstance(value, float) and math.isnan(value) else value


def contents(folder, replaced):
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                data = file.read()
            for old, new in replaced:
                data = data.replace(old.encode(), new.encode())
            found[os.path.relpath(path, folder)] = data
    return found


def without(tags, *keys):
    return {k: v for k, v in tags.items() if k not in ("tiltyard.uid", *keys)}


class Way:
    """All that the official client says of the one run of an experiment."""

    def __init__(self, uri, experiment):
        mlflow.set_tracking_uri(uri)
        self.client = c = MlflowClient(uri)
        ids = [c.get_experiment_by_name(experiment).experiment_id]
        (found,) = c.search_runs(ids)
        self.run = run = c.get_run(found.info.run_id)  # of a run that it searched for, 3.0.1 tells no outputs
        self.facts = {
            "name": run.info.run_name, "status": run.info.status, "end": run.info.end_time,
            "params": run.data.params, "tags": without(run.data.tags), "stage": run.info.lifecycle_stage,
            "latest": {k: plain(v) for k, v in run.data.metrics.items()},
            "inputs": sorted(self.input(i.dataset, i.tags) for i in run.inputs.dataset_inputs),
        }
        self.histories = {k: self.history(run.info.run_id, k) for k in run.data.metrics}
        self.models = sorted((self.model(o) for o in run.outputs.model_outputs or []), key=lambda m: m["step"])
        with tempfile.TemporaryDirectory() as folder:
            # By their place: asked by run, a client of MLflow 3 looks for models too, which MLflow 2 does not know.
            place = run.info.artifact_uri
            if mlflow.artifacts.list_artifacts(artifact_uri=place):
                folder = mlflow.artifacts.download_artifacts(artifact_uri=place, dst_path=folder)
            self.files = contents(folder, [])
        self.frame = mlflow.search_runs(ids).drop(columns=["run_id", "experiment_id", "artifact_uri", "start_time"])
        self.frame = self.frame.drop(columns=[c for c in self.frame.columns if c == "tags.tiltyard.uid"])

    @staticmethod
    def input(d, tags):
        return d.name, d.digest, d.source_type, d.source, d.schema, d.profile, sorted((t.key, t.value) for t in tags)

    def history(self, run_id, key):
        points = self.client.get_metric_history(run_id, key)
        return sorted((m.step, m.timestamp, str(plain(m.value))) for m in points)

    def model(self, output):
        model = mlflow.get_logged_model(output.model_id)
        with tempfile.TemporaryDirectory() as folder:
            got = mlflow.artifacts.download_artifacts(f"models:/{output.model_id}", dst_path=folder)
            files = contents(got, [(output.model_id, "MODEL"), (self.run.info.run_id, "RUN")])
        return {"step": output.step, "name": model.name, "status": str(model.status), "params": model.params,
                "tags": without(model.tags), "files": files, "is_own": model.source_run_id == self.run.info.run_id,
                "metrics": sorted((m.key, m.step, m.timestamp, str(plain(m.value)), m.dataset_name, m.dataset_digest)
                                  for m in model.metrics or [])}


class Case(unittest.TestCase):
    maxDiff = 4000
    tiltyard = event_probe = server = None
    server_options = ()

    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED}", flush=True)
        cls.server = MlflowServer(*cls.server_options).start()
        cls.addClassCleanup(cls.server.remove)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tiltyard-delivery-")
        self.addCleanup(shutil.rmtree, self.folder)

    def tell(self, story, experiment, uri):
        env = {**os.environ, "MLFLOW_TRACKING_URI": uri}
        done = subprocess.run([self.event_probe, self.folder, experiment, "one"], input=story.lines(), env=env,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def start_probe(self, experiment, uri):
        probe = subprocess.Popen([self.event_probe, self.folder, experiment, "one"], stdin=subprocess.PIPE, text=True,
                                 env={**os.environ, "MLFLOW_TRACKING_URI": uri}, stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL)
        self.addCleanup(probe.stdout.close)
        self.addCleanup(probe.kill)
        return probe

    def feed(self, probe, story, part):
        probe.stdin.writelines(json.dumps(event) + "\n" for event in story.events[part])
        probe.stdin.flush()

    def wait_until(self, is_so, seconds=120):
        end = time.monotonic() + seconds
        while not is_so():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.05)

    def sync_models(self, *words, env=None):
        """Of a run with models, which servers before MLflow 3 refuse: that, and nothing else, is told of them."""
        refuses = self.server.major < 3
        (report,) = self.sync(*words, code=int(refuses), env=env)
        self.assertEqual({r["what"] for r in report["refused"]}, {"model"} if refuses else set())
        self.assertEqual(report["points"]["acknowledged"], report["points"]["all"])
        return report

    def sync(self, *words, code=0, env=None):
        command = [self.tiltyard, "sync", "--dir", self.folder, "--json", *words]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **(env or {})})
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def assert_same_as_store(self, there, store):
        if self.server.major < 3:
            self.assertEqual(there.models, [])
            store.models = []
        if self.server.version.startswith("3.0."):
            self.leave_out_what_3_0_refuses(there, store)
        self.assert_same(there, store)

    def leave_out_what_3_0_refuses(self, there, store):
        """It takes some points of a model that the run has already for new ones, and then refuses them: the run has
        them, the model lacks them. What the model has is right, and what it lacks is a curve of the run."""
        for theirs, ours in zip(there.models, store.models):
            self.assertLessEqual(set(theirs["metrics"]), set(ours["metrics"]))
            self.assertTrue(all(point[0] in there.histories for point in ours["metrics"]))
            ours["metrics"] = theirs["metrics"]

    def assert_same(self, a, b):
        self.assertEqual(a.facts, b.facts)
        self.assertEqual(a.histories.keys(), b.histories.keys())
        for key in a.histories:
            self.assertEqual(a.histories[key], b.histories[key], key)
        self.assertEqual(a.models, b.models)
        self.assertEqual(a.files, b.files)
        self.assertEqual(sorted(a.frame.columns), sorted(b.frame.columns))
        for column in a.frame.columns:
            self.assertEqual(str(a.frame[column][0]), str(b.frame[column][0]), column)


def main():
    """SCRIPT TILTYARD EVENT_PROBE [unittest arguments]"""
    Case.tiltyard, Case.event_probe = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
    print(f"python {sys.version.split()[0]}, mlflow {mlflow.__version__}", flush=True)
    unittest.main(module="__main__", verbosity=2, warnings="ignore")
