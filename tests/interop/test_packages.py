"""What a run leaves in models/, loaded by MLflow: test_packages.py TILTYARD.

A real run trains on a table, its package is loaded by mlflow.onnx and mlflow.pyfunc from its folder and by its id, and
predicts from the table's own cells what `tiltyard eval` measures on them.
"""
import csv
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

from mlflow_peer import MlflowPeers, end_with_parent
from peers import free_port

with MlflowPeers():
    import mlflow
    import mlflow.onnx
    import mlflow.pyfunc
    import numpy as np
    import onnx
    import onnxruntime  # noqa: F401  (what mlflow computes with)
    import pandas

BINARY = None
TOLERANCE = 1e-5
LAYERS = [{"type": "linear", "out": 12}, "gelu", "linear"]


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tiltyard-packages-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def tiltyard(self, *words):
        environ = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                   "HOME": self.folder}
        done = subprocess.run([BINARY, *words], capture_output=True, text=True, cwd=self.folder, env=environ)
        self.assertEqual(done.returncode, 0, f"{words}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def train(self, data, layers):
        """Trains and answers (run folder, package folder)."""
        config = {"name": "r", "data": data, "model": {"layers": layers}, "optimizer": {"learning_rate": 0.01},
                  "train": {"duration": "20 steps", "global_batch_size": 16, "threads": 1}}
        with open(self.path("config.json"), "w") as file:
            json.dump(config, file)
        said = self.tiltyard("train", "config.json", "--json").splitlines()
        run = json.loads([line for line in said if '"event": "done"' in line][-1])["run"]
        packages = os.listdir(self.path(run, "models"))
        self.assertEqual(len(packages), 1)
        return run, self.path(run, "models", packages[0])

    def write_tables(self):
        """A train and a test table; answers the test table's rows as texts."""
        rng = random.Random(8)
        for name, n in (("train.csv", 160), ("test.csv", 40)):
            rows = []
            for i in range(n):
                island = rng.choice(["Torgersen", "Biscoe", "Dream"])
                size = rng.gauss({"Torgersen": 1, "Biscoe": 5, "Dream": 9}[island], 1.5)
                rows.append({"size": "" if i % 9 == 4 else f"{size:.4f}", "year": str(2000 + i % 9),
                             "island": "" if i % 13 == 5 else island, "mass": f"{3 * size + rng.gauss(0, 0.1):.5f}",
                             "kind": "small" if size < 4 else "large"})
            with open(self.path(name), "w", newline="") as file:
                writer = csv.DictWriter(file, rows[0])
                writer.writeheader()
                writer.writerows(rows)
        return rows

    def table(self, target, features):
        return {"source": "train.csv", "test_source": "test.csv", "target": target, "features": features}

    @staticmethod
    def numbers(rows, column):
        return np.array([float(row[column] or "nan") for row in rows])

    def inputs(self, rows):
        return {"size": self.numbers(rows, "size"), "year": self.numbers(rows, "year"),
                "island": np.array([row["island"] for row in rows], dtype=object)}

    def measured(self, run):
        return json.loads(self.tiltyard("eval", run, "--json"))

    def assert_cross_entropy(self, run, probabilities, rows):
        truth = [sorted({"large", "small"}).index(row["kind"]) for row in rows]
        chosen = probabilities[np.arange(len(rows)), truth]
        want = self.measured(run)
        self.assertEqual(want["samples"], len(rows))
        self.assertAlmostEqual(float(-np.log(chosen.astype(np.float64)).mean()), want["loss"], delta=TOLERANCE)
        hits = (probabilities.argmax(axis=1) == truth).mean()
        self.assertAlmostEqual(float(hits), want["accuracy"], delta=1e-9)


class Packages(Case):
    def test_d37_images_load_by_folder_and_by_id(self):
        run, package = self.train({"source": "synthetic:256x2x6x5x3"}, [{"type": "conv2d", "out": 4}, "batch_norm",
                                                                        "relu", "flatten", "linear"])
        onnx.checker.check_model(mlflow.onnx.load_model(package), full_check=True)
        model = mlflow.pyfunc.load_model(package)
        mlflow.set_tracking_uri(f"sqlite:///{self.path('mlflow.db')}")
        same = mlflow.pyfunc.load_model(f"models:/{os.path.basename(package)}")
        example = model.input_example
        self.assertEqual((example["x"].dtype, example["x"].shape), (np.uint8, (1, 2, 6, 5)))
        x = np.random.default_rng(1).integers(0, 256, (7, 2, 6, 5), dtype=np.uint8)
        for batch in (example["x"], x, {"x": x}):
            got, again = model.predict(batch), same.predict(batch)
            self.assertEqual(sorted(got), ["logits", "probabilities"])
            np.testing.assert_array_equal(got["probabilities"], again["probabilities"])
            np.testing.assert_allclose(got["probabilities"].sum(axis=1), 1, atol=1e-5)

    def test_d41_what_the_signature_does_not_allow_is_refused(self):
        _, package = self.train({"source": "synthetic:256x2x6x5x3"}, ["flatten", "linear"])
        model = mlflow.pyfunc.load_model(package)
        for wrong in (np.zeros((1, 2, 5, 6), np.uint8), np.zeros((1, 2, 6, 5), np.float32), {"y": np.zeros(1)}):
            with self.assertRaises(mlflow.exceptions.MlflowException):
                model.predict(wrong)

    def test_d37_a_table_with_texts_is_predicted_from_its_own_cells(self):
        rows = self.write_tables()
        run, package = self.train(self.table("kind", "size,island,year"), LAYERS)
        model = mlflow.pyfunc.load_model(package)
        self.assert_cross_entropy(run, model.predict(self.inputs(rows))["probabilities"], rows)
        self.assertEqual(sorted(model.input_example), ["island", "size", "year"])
        self.assertEqual(len(model.predict(model.input_example)["logits"]), 1)

    def test_d37_a_table_is_predicted_from_a_frame_as_pandas_reads_it(self):
        rows = self.write_tables()
        frame = pandas.read_csv(self.path("test.csv"), keep_default_na=False, na_values={"size": [""]})
        for features in ("size,year", "island,size,year"):
            run, package = self.train(self.table("kind", features), LAYERS)
            got = mlflow.pyfunc.load_model(package).predict(frame)
            self.assert_cross_entropy(run, np.stack(got["probabilities"]).reshape(len(rows), 2), rows)
            shutil.rmtree(self.path("runs"))

    def test_d37_numbers_are_predicted_as_eval_measures_them(self):
        rows = self.write_tables()
        run, package = self.train(self.table("mass", "size,island"), LAYERS)
        inputs = {k: v for k, v in self.inputs(rows).items() if k != "year"}
        got = mlflow.pyfunc.load_model(package).predict(inputs)["prediction"]
        self.assertEqual(got.shape, (len(rows), 1))
        error = got[:, 0].astype(np.float64) - self.numbers(rows, "mass").astype(np.float32)
        want = self.measured(run)
        self.assertTrue(math.isclose(float((error ** 2).mean()), want["loss"], rel_tol=TOLERANCE), want)

    def serve(self, package):
        """MLflow's own server of that package, as users start it; answers its URL."""
        url = f"http://127.0.0.1:{free_port()}"
        words = ["models", "serve", "--model-uri", package, "--env-manager", "local", "--host", "127.0.0.1", "--port"]
        path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"  # it starts a "uvicorn"
        with open(self.path("serve.log"), "wb") as log:
            process = subprocess.Popen([sys.executable, "-m", "mlflow", *words, url.rsplit(":", 1)[1]], stdout=log,
                                       stderr=log, env={**os.environ, "PATH": path}, start_new_session=True,
                                       preexec_fn=end_with_parent)
        self.addCleanup(process.wait)
        self.addCleanup(lambda: process.poll() is None and os.killpg(process.pid, signal.SIGTERM))
        end = time.monotonic() + 300
        while True:
            try:
                with urllib.request.urlopen(f"{url}/ping", timeout=60):
                    return url
            except OSError:
                with open(self.path("serve.log"), encoding="utf-8") as log:
                    self.assertTrue(process.poll() is None and time.monotonic() < end, log.read())
                time.sleep(0.3)

    def test_d38_mlflow_serves_a_package(self):
        rows = self.write_tables()
        run, package = self.train(self.table("kind", "size,island,year"), LAYERS)
        url = self.serve(package)
        whole = [r for r in rows if r["size"]]  # JSON has no NaN
        inputs = {name: values.tolist() for name, values in self.inputs(whole).items()}
        request = urllib.request.Request(f"{url}/invocations", json.dumps({"inputs": inputs}).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            got = json.load(answer)["predictions"]
        want = mlflow.pyfunc.load_model(package).predict(self.inputs(whole))
        np.testing.assert_allclose(np.array(got["probabilities"]), want["probabilities"], rtol=1e-6)
        with self.assertRaises(urllib.error.HTTPError) as caught, \
                urllib.request.urlopen(f"{url}/invocations", b'{"inputs": {"size": ["wide"]}}', timeout=120):
            pass
        self.assertGreaterEqual(caught.exception.code, 400)

    def test_d38_a_request_of_the_scoring_server_is_the_serving_example(self):
        self.write_tables()
        for features in ("size,island", "size,year"):
            _, package = self.train(self.table("kind", features), LAYERS)
            model = mlflow.pyfunc.load_model(package)
            from mlflow.pyfunc import scoring_server
            with open(os.path.join(package, "serving_input_example.json")) as file:
                data, _ = scoring_server._split_data_and_params(file.read())
            parsed = scoring_server.infer_and_parse_data(data, model.metadata.get_input_schema())
            self.assertEqual(len(model.predict(parsed)["logits"]), 1)
            shutil.rmtree(self.path("runs"))


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv.pop(1))
    print(f"mlflow {mlflow.__version__}", flush=True)
    unittest.main(verbosity=2, warnings="ignore")
