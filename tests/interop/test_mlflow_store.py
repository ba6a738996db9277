"""MLflow's own client, server and migrations on a store that track_probe wrote: test_mlflow_store.py PROBE."""
import json
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse
import urllib.request

from mlflow_peer import MlflowPeers
from peers import free_port

with MlflowPeers():
    import mlflow
    from mlflow.tracking import MlflowClient

REVISION = "6953534de441"
PROBE = None
DOUBLE_MAX = sys.float_info.max


def plain_environment(**more):
    """MLflow's client leaves the store that it was told of in the environment; ours would take it for its own."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}, **more}


def probe(folder, experiment, run, first, last, ending="finish", check=True):
    words = [PROBE, folder, experiment, run, str(first), str(last), ending]
    done = subprocess.run(words, capture_output=True, text=True, env=plain_environment())
    if check and done.returncode != 0:
        raise AssertionError(f"{done.args}: {done.returncode}\n{done.stderr}")
    return done.stdout.split()


def start_probe(folder, experiment, run, first, last, env=None):
    words = [PROBE, folder, experiment, run, str(first), str(last)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=env or plain_environment())


def revision(folder):
    with sqlite3.connect(os.path.join(folder, "mlflow.db")) as db:
        return db.execute("SELECT version_num FROM alembic_version").fetchone()[0]


def client(folder):
    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")  # older releases download by the global one
    return MlflowClient()


def wanted_histories(first, last, total):
    """What track_probe tells, in the same arithmetic."""
    steps = range(first, last + 1)
    tens = [i for i in steps if i % 10 == 0]
    want = {
        "train/loss": [(i, 2.3 / (1 + i / 10)) for i in steps],
        "train/learning_rate": [(i, 3e-4 * i / total) for i in steps],
        "train/third": [(i, i / 3) for i in steps],
        "val/accuracy": [(i, 1 - 1 / (1 + i / 10)) for i in tens],
        "system/cpu_utilization_percentage": [(i, 50.0 + i % 7) for i in tens],
    }
    odd = [(i, v) for i, v in ((7, math.nan), (8, DOUBLE_MAX), (9, -DOUBLE_MAX)) if first <= i <= last]
    if odd:
        want["odd/values"] = odd
    return want


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tiltyard-mlflow-")
        self.addCleanup(shutil.rmtree, self.folder)

    def assert_same_points(self, got, want, key):
        self.assertEqual([m[0] for m in got], [m[0] for m in want], key)
        for (step, a), (_, b) in zip(got, want):
            self.assertTrue(a == b or (math.isnan(a) and math.isnan(b)), f"{key} at {step}: {a!r}, want {b!r}")

    def assert_run(self, c, run_id, name, last, status="FINISHED"):
        run = c.get_run(run_id)
        self.assertEqual(run.info.status, status)
        self.assertEqual(run.info.run_name, name)
        self.assertGreaterEqual(run.info.end_time, run.info.start_time)
        for key, want in wanted_histories(1, last, last).items():
            got = [(m.step, m.value) for m in sorted(c.get_metric_history(run_id, key), key=lambda m: m.step)]
            self.assert_same_points(got, want, key)
            latest = run.data.metrics[key]
            self.assertTrue(latest == want[-1][1] or math.isnan(latest), key)
        return run


class Client(Folder):
    def test_e44_everything_that_was_told_is_read_back(self):
        run_id, experiment_id, link = probe(self.folder, "fashion", "cnn-1", 1, 400)
        self.assertEqual(revision(self.folder), REVISION)
        c = client(self.folder)
        experiment = c.get_experiment_by_name("fashion")
        self.assertEqual(experiment.experiment_id, experiment_id)
        self.assertEqual(link, f"/#/experiments/{experiment_id}/runs?workflowType=machine_learning")
        self.assertEqual(experiment.tags["mlflow.experimentKind"], "custom_model_development")
        self.assertEqual(experiment.artifact_location, f"{self.folder}/runs/fashion")
        self.assertEqual([r.info.run_id for r in c.search_runs([experiment_id])], [run_id])
        run = self.assert_run(c, run_id, "cnn-1", 400)
        self.assertEqual(
            run.data.params,
            {
                "optimizer.learning_rate": "3e-4",
                "optimizer.type": "adamw",
                "model.layers.0.type": "conv2d",
                "note _odd_key_": 'gr\u00fc\u00df dich "quoted"\n2nd line',
            },
        )
        tags = run.data.tags
        self.assertEqual(tags["mlflow.runName"], "cnn-1")
        self.assertEqual(tags["mlflow.source.type"], "LOCAL")
        self.assertEqual(tags["mlflow.source.name"], "tiltyard train configs/fashion_mnist.json")
        self.assertEqual(tags["mlflow.source.git.commit"], "0123456789abcdef0123456789abcdef01234567")
        self.assertEqual(tags["model.best"], "checkpoints/best.h5 at step 400")
        self.assertTrue(tags["mlflow.user"])

    def test_filters_find_runs(self):
        probe(self.folder, "fashion", "good", 1, 100)
        probe(self.folder, "fashion", "bad", 1, 50, "fail")
        probe(self.folder, "fashion", "stopped", 1, 50, "kill")
        c = client(self.folder)
        ids = [c.get_experiment_by_name("fashion").experiment_id]

        def names(text):
            return sorted(r.info.run_name for r in c.search_runs(ids, text))

        self.assertEqual(names("metrics.`val/accuracy` > 0.85"), ["good"])
        self.assertEqual(names("params.`optimizer.type` = 'adamw'"), ["bad", "good", "stopped"])
        self.assertEqual(names("attributes.status = 'FAILED'"), ["bad"])
        self.assertEqual(names("attributes.status = 'KILLED'"), ["stopped"])
        self.assertEqual(names("tags.`exit.reason` LIKE 'diverged%'"), ["bad"])
        self.assertEqual(names("dataset.name = 'fashion-mnist test'"), ["bad", "good", "stopped"])
        self.assertEqual(names("dataset.context = 'training'"), ["bad", "good", "stopped"])

    def test_data_sets_are_inputs(self):
        run_id, _, _ = probe(self.folder, "fashion", "cnn-1", 1, 10)
        inputs = client(self.folder).get_run(run_id).inputs.dataset_inputs
        got = {(i.dataset.name, i.tags[0].key, i.tags[0].value) for i in inputs}
        self.assertEqual(
            got,
            {
                ("fashion-mnist train", "mlflow.data.context", "training"),
                ("fashion-mnist test", "mlflow.data.context", "test"),
            },
        )
        for i in inputs:
            self.assertEqual(i.dataset.digest, "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c"[:36])
            self.assertEqual(json.loads(i.dataset.source), {"uri": "/usr/share/datasets/fashion"})
            self.assertEqual(json.loads(i.dataset.profile), {"num_rows": 60000})

    def test_artifacts_are_listed_and_downloaded(self):
        run_id, _, _ = probe(self.folder, "fashion", "100% odd #1?", 1, 100)
        c = client(self.folder)
        self.assertEqual([a.path for a in c.list_artifacts(run_id)], ["checkpoints", "config.json", "report.html"])
        self.assertEqual(
            [a.path for a in c.list_artifacts(run_id, "checkpoints")], ["checkpoints/best.h5", "checkpoints/last.h5"]
        )
        with tempfile.TemporaryDirectory() as out:
            with open(c.download_artifacts(run_id, "checkpoints/best.h5", out)) as file:
                self.assertEqual(file.read(), "checkpoint of step 100")

    def test_a_package_is_a_logged_model_and_the_runs_output(self):
        run_id, experiment_id, _ = probe(self.folder, "fashion", "cnn-1", 1, 100, "package")
        c = client(self.folder)
        (output,) = c.get_run(run_id).outputs.model_outputs
        self.assertEqual(output.step, 100)
        wish = "metrics.`test/accuracy` > 0.8 AND params.`optimizer.type` = 'adamw'"
        found = c.search_logged_models([experiment_id], wish)
        self.assertEqual([m.model_id for m in found], [output.model_id])
        model = mlflow.get_logged_model(output.model_id)
        self.assertEqual((model.name, str(model.status), model.source_run_id), ("net", "READY", run_id))
        self.assertEqual(model.artifact_location, f"{self.folder}/runs/fashion/cnn-1/models/{model.model_id}")
        self.assertEqual(model.params, c.get_run(run_id).data.params)
        self.assertEqual(model.tags["mlflow.source.git.commit"], "0123456789abcdef0123456789abcdef01234567")
        points = sorted((m.key, m.value, m.step, m.dataset_name, m.run_id) for m in model.metrics)
        wanted = [("test/accuracy", 0.875), ("test/loss", 0.25)]
        self.assertEqual(points, [(k, v, 100, "fashion-mnist test", run_id) for k, v in wanted])
        with tempfile.TemporaryDirectory() as out:
            got = mlflow.artifacts.download_artifacts(f"models:/{model.model_id}", dst_path=out)
            with open(os.path.join(got, "model.onnx")) as file:
                self.assertEqual(file.read(), "no model")

    def test_e45_a_store_that_mlflow_upgraded_is_written_on(self):
        first, experiment_id, _ = probe(self.folder, "fashion", "before", 1, 100)
        c = client(self.folder)
        c.set_tag(first, "mlflow.note.content", "a note")
        c.update_run(first, name="renamed")
        upgraded = revision(self.folder)
        second, again, _ = probe(self.folder, "fashion", "after", 1, 300)
        self.assertEqual(again, experiment_id)
        self.assertEqual(revision(self.folder), upgraded)
        self.assert_run(c, first, "renamed", 100)
        self.assert_run(c, second, "after", 300)
        self.assertEqual(c.get_run(first).data.tags["mlflow.note.content"], "a note")
        third, other, _ = probe(self.folder, "other", "new-experiment", 1, 20)
        self.assertNotEqual(other, experiment_id)
        self.assert_run(c, third, "new-experiment", 20)

    def test_mlflow_may_upgrade_the_store_while_a_run_is_folded(self):
        probe(self.folder, "fashion", "before", 1, 10)
        writer = start_probe(self.folder, "fashion", "long", 1, 60000)
        c = client(self.folder)
        self.assertEqual(c.get_experiment_by_name("fashion").name, "fashion")
        during = writer.poll() is None
        out, errors = writer.communicate(timeout=200)
        print(f"upgraded to {revision(self.folder)} {'while' if during else 'after'} the run was folded", flush=True)
        self.assertEqual(writer.returncode, 0, errors)
        self.assertNotEqual(revision(self.folder), REVISION)
        with sqlite3.connect(os.path.join(self.folder, "mlflow.db")) as db:
            run_id = out.split()[0]
            for key, n in (("train/loss", 60000), ("val/accuracy", 6000)):
                counted = db.execute(
                    "SELECT count(*), count(DISTINCT step), max(step) FROM metrics WHERE run_uuid = ? AND key = ?",
                    (run_id, key),
                ).fetchone()
                self.assertEqual(counted, (n, n, 60000), key)
        self.assertEqual(c.get_run(run_id).info.status, "FINISHED")

    def test_runs_of_mlflows_own_client_live_beside_ours(self):
        probe(self.folder, "fashion", "ours", 1, 20)
        c = client(self.folder)
        experiment_id = c.get_experiment_by_name("fashion").experiment_id
        theirs = c.create_run(experiment_id, run_name="theirs").info.run_id
        c.log_metric(theirs, "loss", 0.5, step=1)
        ours, _, _ = probe(self.folder, "fashion", "ours-2", 1, 20)
        c.set_terminated(theirs)
        self.assertEqual(c.get_run(theirs).data.metrics, {"loss": 0.5})
        self.assert_run(c, ours, "ours-2", 20)
        made_there = c.create_experiment("made in mlflow")
        _, used, _ = probe(self.folder, "made in mlflow", "ours-3", 1, 20)
        self.assertEqual(used, made_there)

    def test_a_resumed_run_is_one_run_without_a_point_twice(self):
        dead = probe(self.folder, "fashion", "cnn-1", 1, 120, "die", check=False)
        self.assertEqual(dead, [])
        c = client(self.folder)
        run_id, experiment_id, _ = probe(self.folder, "fashion", "cnn-1", 91, 120)
        self.assertEqual(len(c.search_runs([experiment_id])), 1)
        run = self.assert_run(c, run_id, "cnn-1", 120)
        self.assertEqual(run.data.tags["resumed.from_step"], "90")

    def test_a_deleted_run_stays_deleted(self):
        run_id, experiment_id, _ = probe(self.folder, "fashion", "cnn-1", 1, 20)
        c = client(self.folder)
        c.delete_run(run_id)
        probe(self.folder, "fashion", "cnn-1", 21, 40)
        self.assertEqual(len(c.search_runs([experiment_id])), 0)
        self.assertEqual(c.get_run(run_id).info.lifecycle_stage, "deleted")


class Server(Folder):
    """One `mlflow server` for all that goes over HTTP; starting it takes half a minute."""

    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.mkdtemp(prefix="tiltyard-mlflow-")
        cls.run_id, cls.experiment_id, _ = probe(cls.shared, "fashion", "cnn-1", 1, 2000)
        cls.port = free_port()
        cls.log = open(os.path.join(cls.shared, "server.log"), "w")
        # As a user does: in the folder, with no option that names the store.
        cls.process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", "ui", "--port", str(cls.port), "--workers", "1"],
            cwd=cls.shared, stdout=cls.log, stderr=subprocess.STDOUT, start_new_session=True,
        )
        try:
            cls.wait_until_up()
        except BaseException:
            cls.tearDownClass()
            raise

    @classmethod
    def wait_until_up(cls):
        begin = time.monotonic()
        while time.monotonic() - begin < 180:
            if cls.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{cls.port}/health", timeout=5) as answer:
                    if answer.read() == b"OK":
                        print(f"mlflow ui was up after {time.monotonic() - begin:.0f} s", flush=True)
                        return
            except OSError:
                time.sleep(0.5)
        with open(os.path.join(cls.shared, "server.log")) as log:
            raise AssertionError("mlflow ui did not come up:\n" + log.read())

    @classmethod
    def tearDownClass(cls):
        try:
            os.killpg(cls.process.pid, 15)
            cls.process.wait(20)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            cls.process.kill()
        cls.log.close()
        shutil.rmtree(cls.shared, ignore_errors=True)

    def call(self, path, body=None, **query):
        url = f"http://127.0.0.1:{self.port}/ajax-api/2.0/mlflow/{path}?{urllib.parse.urlencode(query)}"
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"} if data else {})
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read())

    def test_search_runs_and_histories(self):
        found = self.call("runs/search", {"experiment_ids": [self.experiment_id]})["runs"]
        run = next(r for r in found if r["info"]["run_id"] == self.run_id)
        self.assertEqual(run["info"]["status"], "FINISHED")
        for key, want in wanted_histories(1, 2000, 2000).items():
            if key.startswith("odd/"):
                continue  # JSON has no NaN; the client's test has it
            answer = self.call("metrics/get-history", run_id=self.run_id, metric_key=key, max_results=25000)
            got = sorted((int(m.get("step", 0)), float(m["value"])) for m in answer["metrics"])
            self.assert_same_points(got, want, key)

    def test_artifacts(self):
        files = self.call("artifacts/list", run_id=self.run_id)["files"]
        self.assertEqual([f["path"] for f in files], ["checkpoints", "config.json", "report.html"])
        url = f"http://127.0.0.1:{self.port}/get-artifact?run_uuid={self.run_id}&path=report.html"
        with urllib.request.urlopen(url, timeout=60) as answer:
            self.assertIn(b"<h1>fashion</h1>", answer.read())

    def test_a_run_appears_while_the_server_runs(self):
        run_id, _, _ = probe(self.shared, "fashion", "live", 1, 200)
        run = self.call("runs/get", run_id=run_id)["run"]
        self.assertEqual(run["info"]["run_name"], "live")
        self.assertEqual(len(run["data"]["metrics"]), 6)

    def test_e46_the_server_reads_while_a_run_is_folded(self):
        writer = start_probe(self.shared, "fashion", "storm", 1, 40000)
        answers = 0
        while writer.poll() is None:
            self.call("runs/search", {"experiment_ids": [self.experiment_id]})
            answers += 1
        out, errors = writer.communicate()
        self.assertEqual(writer.returncode, 0, errors)
        run = self.call("runs/get", run_id=out.split()[0])["run"]
        latest = {m["key"]: m["step"] for m in run["data"]["metrics"]}
        self.assertEqual(latest["train/loss"], 40000)
        print(f"{answers} searches while 128,000 points were folded", flush=True)

    def test_f53_64_processes_write_children_of_one_parent_while_the_server_reads(self):
        parent, experiment, _ = probe(self.shared, "sweep", "parent", 1, 10)
        env = plain_environment(MLFLOW_PARENT_RUN_ID=parent)
        children = [start_probe(self.shared, "sweep", f"child-{i}", 1, 100, env) for i in range(64)]
        search = {"experiment_ids": [experiment], "filter": f"tags.mlflow.parentRunId = '{parent}'", "max_results": 100}
        answers = 0
        while any(child.poll() is None for child in children):
            self.call("runs/search", search)
            answers += 1
        for child in children:
            _, errors = child.communicate()
            self.assertEqual(child.returncode, 0, errors)
            self.assertNotRegex(errors, "(?i)locked|busy|not wholly", "another's turn is no trouble")
        found = self.call("runs/search", search)["runs"]
        self.assertEqual(sorted(r["info"]["run_name"] for r in found), sorted(f"child-{i}" for i in range(64)))
        for run in found:
            self.assertEqual(run["info"]["status"], "FINISHED")
            latest = {m["key"]: m["step"] for m in run["data"]["metrics"]}
            self.assertEqual((latest["train/loss"], latest["val/accuracy"]), (100, 100))
        with sqlite3.connect(os.path.join(self.shared, "mlflow.db")) as db:
            points = db.execute("SELECT count(*) FROM metrics WHERE run_uuid IN (SELECT run_uuid FROM tags"
                                " WHERE key = 'mlflow.parentRunId' AND value = ?)", (parent,)).fetchone()[0]
        self.assertEqual(points, 64 * sum(len(curve) for curve in wanted_histories(1, 100, 100).values()))
        print(f"{answers} searches while 64 processes wrote {points} points", flush=True)

    def test_what_the_ui_writes_stays(self):
        run_id, _, _ = probe(self.shared, "fashion", "edited", 1, 20)
        self.call("runs/set-tag", {"run_id": run_id, "key": "mlflow.note.content", "value": "good one"})
        self.call("runs/update", {"run_id": run_id, "run_name": "the good one"})
        probe(self.shared, "fashion", "edited", 21, 40)
        run = self.call("runs/get", run_id=run_id)["run"]
        self.assertEqual(run["info"]["run_name"], "the good one")
        self.assertIn({"key": "mlflow.note.content", "value": "good one"}, run["data"]["tags"])
        losses = self.call("metrics/get-history", run_id=run_id, metric_key="train/loss", max_results=1000)
        self.assertEqual(len(losses["metrics"]), 40)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit("usage: test_mlflow_store.py PROBE [unittest arguments]")
    PROBE = os.path.abspath(sys.argv.pop(1))
    print(f"python {sys.version.split()[0]}, mlflow {mlflow.__version__}, sqlite {sqlite3.sqlite_version}", flush=True)
    unittest.main(verbosity=2, warnings="ignore")
