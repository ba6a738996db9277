"""Models that tiltyard registered, read and loaded by MLflow's own client: test_registry.py TILTYARD SUITE.

SUITE is tests/registry/test_registry.c; with a URI it holds a server's registry to the same behaviour.
"""
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import unittest

from mlflow_peer import MlflowPeers, MlflowServer, python_of

with MlflowPeers():
    import mlflow
    import mlflow.onnx
    import numpy
    import onnx
    from mlflow.tracking import MlflowClient

BINARY = SUITE = None
ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
CONFIG = os.path.join(ROOT, "configs", "synthetic.json")
PROCESSES = 8


class Folder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tiltyard-registry-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def environment(self):
        """MLflow's client leaves its URIs in the environment; ours is to find its own."""
        env = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        return {**env, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "HOME": self.folder}

    def start(self, *words):
        return subprocess.Popen([BINARY, *map(str, words)], cwd=self.folder, env=self.environment(),
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def tiltyard(self, *words, code=0):
        done = self.start(*words)
        out, err = done.communicate(timeout=600)
        self.assertEqual(done.returncode, code, f"{words}\n{out}\n{err}")
        return out

    def train(self, *words):
        lines = self.tiltyard("train", CONFIG, "--json", *words).splitlines()
        return os.path.basename(json.loads(next(line for line in lines if '"event": "done"' in line))["run"])

    def models(self, *words):
        return [json.loads(line) for line in self.tiltyard("models", *words, "--json").splitlines()]

    def client(self):
        uri = f"sqlite:///{self.folder}/mlflow.db"
        mlflow.set_tracking_uri(uri)
        mlflow.set_registry_uri(uri)
        return MlflowClient()

    def assert_aliases(self, wanted):
        """MLflow's client gives versions as numbers or as texts, by the kind of store."""
        got = self.client().get_registered_model("synthetic").aliases
        self.assertEqual({alias: int(version) for alias, version in got.items()}, wanted)

    def assert_answers(self, uri):
        """pyfunc loads it and answers as onnxruntime does, probabilities that add up."""
        model = mlflow.pyfunc.load_model(uri)
        x = numpy.random.default_rng(7).integers(0, 256, (5, 1, 8, 8), dtype=numpy.uint8)
        answer = model.predict({"x": x})
        self.assertEqual(answer["probabilities"].shape, (5, 4))
        numpy.testing.assert_allclose(answer["probabilities"].sum(1), numpy.ones(5), rtol=1e-5)
        onnx.checker.check_model(mlflow.onnx.load_model(uri), full_check=True)
        return answer["logits"]


class Embedded(Folder):
    def test_d42_versions_aliases_and_tags_read_back(self):
        run = self.train()
        version = self.models("register", run, "--alias", "champion")[0]
        self.tiltyard("models", "tag", "synthetic", "team=vision", "--description", "sorts noise")
        self.tiltyard("models", "tag", "synthetic/1", "checked=yes")
        c = self.client()
        model = c.get_registered_model("synthetic")
        self.assertEqual((model.description, model.tags), ("sorts noise", {"team": "vision"}))
        self.assert_aliases({"champion": 1})
        mv = c.get_model_version_by_alias("synthetic", "champion")
        self.assertEqual((str(mv.version), mv.status, mv.current_stage), ("1", "READY", "None"))
        self.assertEqual(mv.tags, {**version["tags"], "checked": "yes"})
        self.assertEqual(mv.description, version["description"])
        self.assertEqual(mv.run_id, version["run_id"])
        self.assertEqual(mv.source, f"models:/{version['model_id']}")
        self.assertEqual([str(v.version) for v in c.search_model_versions("tags.checked = 'yes'")], ["1"])
        logged = c.get_logged_model(version["model_id"])
        self.assertEqual(json.loads(logged.tags["mlflow.modelVersions"]), [{"name": "synthetic", "version": 1}])

    def test_d37_pyfunc_loads_the_champion_by_every_name(self):
        run = self.train()
        version = self.models("register", run, "--alias", "champion")[0]
        self.client()
        answers = [self.assert_answers(uri) for uri in
                   ("models:/synthetic@champion", "models:/synthetic/1", f"models:/{version['model_id']}")]
        self.tiltyard("models", "export", run, "--output", "left")
        answers.append(self.assert_answers(os.path.join(self.folder, "left")))
        for other in answers[1:]:
            numpy.testing.assert_array_equal(answers[0], other)

    def test_e45_a_registry_that_mlflow_upgraded_is_written_on(self):
        self.models("register", self.train(), "--alias", "champion")
        c = self.client()
        c.set_model_version_tag("synthetic", "1", "from", "mlflow")
        c.set_registered_model_alias("synthetic", "fallback", "1")
        with sqlite3.connect(f"{self.folder}/mlflow.db") as db:
            columns = [row[1] for row in db.execute("PRAGMA table_info(model_versions)")]
        print("upgraded with workspaces" if "workspace" in columns else "upgraded", flush=True)
        second = self.train("--set", "seed=8")
        version = self.models("register", second, "--alias", "champion")[0]
        self.assertEqual((version["version"], version["aliases"]), (2, ["champion"]))
        self.assertEqual(self.models("show", "synthetic/1")[0]["tags"]["from"], "mlflow")
        self.tiltyard("models", "alias", "synthetic@fallback", "2", "--expect", "1")
        self.tiltyard("models", "tag", "synthetic/2", "a=b")
        self.tiltyard("models", "tag", "synthetic/2", "a=c")
        self.tiltyard("models", "alias", "synthetic@fallback", "--remove")
        c = self.client()
        self.assert_aliases({"champion": 2})
        self.assertEqual(c.get_model_version("synthetic", "2").tags["a"], "c")
        self.assert_answers("models:/synthetic@champion")
        theirs = c.create_model_version("synthetic", f"models:/{version['model_id']}", version["run_id"],
                                        model_id=version["model_id"])
        self.assertEqual([v["version"] for v in self.models("ls", "synthetic")], [3, 2, 1])
        c.delete_model_version("synthetic", str(theirs.version))
        self.assertEqual([v["version"] for v in self.models("ls", "synthetic")], [2, 1])

    def test_d42_processes_that_register_at_once_get_numbers_1_to_8(self):
        runs = [self.train("--set", f"seed={i + 1}") for i in range(PROCESSES)]
        started = [self.start("models", "register", run, "--json") for run in runs]
        told = []
        for process in started:
            out, err = process.communicate(timeout=300)
            self.assertEqual(process.returncode, 0, err)
            told.append(json.loads(out)["version"])
        self.assertEqual(sorted(told), list(range(1, PROCESSES + 1)))
        versions = self.client().search_model_versions("name = 'synthetic'")
        self.assertEqual(sorted(int(v.version) for v in versions), list(range(1, PROCESSES + 1)))
        self.assertEqual({v.tags["tiltyard.run"] for v in versions}, set(runs))


def blocks(language):
    with open(os.path.join(ROOT, "docs", "MODELS.md"), encoding="utf-8") as file:
        return "".join(re.findall(rf"^```{language}\n(.*?)^```", file.read(), re.M | re.S))


class Server(Folder):
    @classmethod
    def setUpClass(cls):
        cls.server = MlflowServer().start()
        cls.addClassCleanup(cls.server.remove)

    def test_d42_the_same_suite_holds_for_a_server(self):
        done = subprocess.run([SUITE, self.server.url], capture_output=True, text=True, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_the_document_is_true_of_a_server_and_of_mlflow(self):
        os.symlink(os.path.join(ROOT, "configs"), os.path.join(self.folder, "configs"))
        env = self.environment()
        env["PATH"] = f"{os.path.dirname(BINARY)}:{env['PATH']}"
        script = blocks("sh").replace("http://localhost:5000", self.server.url)
        self.assertIn(f"--to {self.server.url}", script)
        for words in (["bash", "-ec", script], [sys.executable, "-c", blocks("python")]):
            done = subprocess.run(words, cwd=self.folder, env=env, capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("probabilities", done.stdout)
        self.assertTrue(os.path.exists(os.path.join(self.folder, "from-server", "model.onnx")))

    def test_d37_a_model_goes_to_a_server_and_back(self):
        run, there = self.train(), ("--registry", self.server.url)
        here = self.models("register", run, "--alias", "champion")[0]
        for _ in range(2):
            copy = self.models("copy", "synthetic@champion", "--to", self.server.url, "--name", "moved")[0]
        self.assertEqual(copy["version"], 1)
        again = self.models("register", run, "--name", "straight", "--alias", "champion", *there)[0]
        self.assertEqual(again["model_id"], copy["model_id"], "one upload serves both")
        mlflow.set_tracking_uri(self.server.url)
        mlflow.set_registry_uri(self.server.url)
        c = MlflowClient()
        mv = c.get_model_version_by_alias("straight", "champion")
        self.assertEqual(mv.tags["tiltyard.manifest.sha256"], here["tags"]["tiltyard.manifest.sha256"])
        self.assertEqual(mv.source, f"models:/{again['model_id']}")
        self.assertEqual(str(c.get_logged_model(again["model_id"]).status), "READY")
        theirs = self.assert_answers("models:/straight@champion")
        self.tiltyard("models", "verify", "straight@champion", *there)
        self.tiltyard("models", "get", "moved/1", "--output", "back", *there)
        numpy.testing.assert_array_equal(theirs, self.assert_answers(os.path.join(self.folder, "back")))

    def test_files_that_changed_on_the_server_are_noticed(self):
        there = ("--registry", self.server.url)
        version = self.models("register", self.train(), "--name", "damaged", *there)[0]
        found = [os.path.join(where, "model.onnx") for where, _, names in os.walk(f"{self.server.folder}/artifacts")
                 if "model.onnx" in names and version["model_id"] in where]
        self.assertEqual(len(found), 1)
        with open(found[0], "r+b") as file:
            file.seek(-1, 2)
            file.write(b"\0")
        self.tiltyard("models", "verify", "damaged/1", *there, code=6)
        self.tiltyard("models", "get", "damaged/1", "--output", "back", *there, code=6)
        self.tiltyard("models", "export", "models:/damaged/1", "--output", "back", *there, code=6)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "back")))


class OldServers(Folder):
    def hold(self, peer):
        python = python_of(peer)
        if not python:
            self.skipTest(f"want `scripts/peers {peer}`")
        server = MlflowServer(python=python)
        self.addCleanup(server.remove)
        server.start()
        done = subprocess.run([SUITE, server.url], capture_output=True, text=True, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_d42_the_same_suite_holds_for_mlflow_3_0_1(self):
        self.hold("mlflow-3.0.1")

    def test_d42_the_same_suite_holds_for_mlflow_2_22_5_which_knows_no_logged_models(self):
        self.hold("mlflow-2.22.5")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: test_registry.py TILTYARD SUITE [unittest arguments]")
    BINARY, SUITE = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
    print(f"python {sys.version.split()[0]}, mlflow {mlflow.__version__}, sqlite {sqlite3.sqlite_version}", flush=True)
    unittest.main(verbosity=2, warnings="ignore")
