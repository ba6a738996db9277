"""A launcher makes a run with MLflow's official client, and `tiltyard train` records into it: on a server, in an
embedded store, and offline with a sync later. All three read back the same: test_given.py TILTYARD."""
import json
import os
import re
import subprocess
import sys

from delivery_case import ROOT, SEED, Case, MlflowClient, Way, main, without

IMAGE_TIME = re.compile(r"\+timestamp\+\d+\+z[0-9a-f]+")
WORDS = ["--set", "train.duration=40 steps", "--set", "eval.every=20 steps", "--set", "tracking.log_every=1 step",
         "--set", "tracking.system_every=0", "--set", "tracking.exit_wait=300"]


class Launched:
    """A run of the official client's in an experiment of its own, with something in it."""

    def __init__(self, uri, experiment, artifacts=None):
        self.uri, self.experiment = uri, experiment
        client = MlflowClient(uri)
        self.experiment_id = client.create_experiment(experiment, artifact_location=artifacts)
        self.run_id = client.create_run(self.experiment_id, run_name="launched", tags={"team": "red"}).info.run_id
        client.log_param(self.run_id, "launcher", "slurm")
        client.log_metric(self.run_id, "queue_s", 12.5, timestamp=1, step=0)

    def read(self):
        return Way(self.uri, self.experiment)


class Given(Case):
    def train(self, folder, **env):
        """Where the run is to go is told by variables alone."""
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(ROOT, "configs", "synthetic.json"), encoding="utf-8") as file:
            config = [line for line in file if '"experiment"' not in line]
        path = f"{folder}/nameless.json"
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(config)
        env = {**os.environ, "HOME": self.folder, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
               **env}
        done = subprocess.run([self.tiltyard, "train", path, "--dir", folder, *WORDS], capture_output=True, text=True,
                              cwd=folder, env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stderr

    def train_into(self, launched, folder):
        said = self.train(folder, MLFLOW_TRACKING_URI=launched.uri, MLFLOW_RUN_ID=launched.run_id,
                          MLFLOW_EXPERIMENT_ID=launched.experiment_id)
        self.assertIn(launched.run_id, said)
        return launched.read()

    def assert_went_on(self, launched, way):
        self.assertEqual(way.run.info.run_id, launched.run_id)
        self.assertEqual(way.run.info.experiment_id, launched.experiment_id)
        self.assertEqual((way.run.info.run_name, way.run.info.status), ("launched", "FINISHED"))
        self.assertEqual(way.run.data.params["launcher"], "slurm")
        self.assertEqual(way.run.data.tags["team"], "red")
        self.assertEqual(way.histories["queue_s"], [(0, 1, "12.5")])
        self.assertEqual([step for step, _, _ in way.histories["train/loss"]], list(range(1, 41)))

    def told(self, way):
        """What does not depend on when and where a run was trained."""
        timed = ("train/samples_per_s",)
        return {"params": without(way.run.data.params, "experiment"), "inputs": way.facts["inputs"],
                "files": {IMAGE_TIME.sub("", path) for path in way.files},
                "tags": set(without(way.run.data.tags)),
                "points": {key: [(step, value) for step, _, value in points]
                           for key, points in way.histories.items() if key not in timed},
                "models": [(m["name"], m["step"], m["status"], sorted(m["files"]), m["is_own"],
                            [(key, step, value) for key, step, _, value, _, _ in m["metrics"]]) for m in way.models]}

    def test_a02_a_run_of_the_official_client_goes_on_the_same_three_ways(self):
        live = Launched(self.server.url, f"given-live-{SEED}")
        store = Launched(f"sqlite:///{self.folder}/mlflow.db", f"given-store-{SEED}",
                         f"{self.folder}/artifacts")
        later = Launched(self.server.url, f"given-later-{SEED}")
        ways = [self.train_into(live, f"{self.folder}/a"), self.train_into(store, f"{self.folder}/b")]
        self.train(f"{self.folder}/c", MLFLOW_TRACKING_URI="offline", MLFLOW_RUN_ID=later.run_id,
                   MLFLOW_EXPERIMENT_NAME="whatever")
        self.assertNotIn("train/loss", later.read().histories)
        (report,) = self.sync("--dir", f"{self.folder}/c", "--to", self.server.url)
        self.assertEqual(report["points"]["acknowledged"], report["points"]["all"])
        ways.append(later.read())
        for launched, way in zip((live, store, later), ways):
            self.assert_went_on(launched, way)
        self.assertGreater(len(ways[0].models), 0)
        first, *others = [self.told(way) for way in ways]
        for other in others:
            for part, content in first.items():
                self.assertEqual(other[part], content, part)

    def test_a02_the_same_command_has_nothing_left_to_do(self):
        launched = Launched(self.server.url, f"given-twice-{SEED}")
        before = self.train_into(launched, self.folder)
        after = self.train_into(launched, self.folder)
        self.assertEqual(json.dumps(self.told(before), default=sorted), json.dumps(self.told(after), default=sorted))

    def test_a01_an_experiment_of_the_official_clients_is_found_by_its_id(self):
        experiment_id = MlflowClient(self.server.url).create_experiment(f"named-{SEED}")
        self.train(self.folder, MLFLOW_TRACKING_URI=self.server.url, MLFLOW_EXPERIMENT_ID=experiment_id)
        way = Way(self.server.url, f"named-{SEED}")
        self.assertEqual((way.run.info.experiment_id, way.run.info.status), (experiment_id, "FINISHED"))
        self.assertEqual(len(way.histories["train/loss"]), 40)


if __name__ == "__main__":
    main()
