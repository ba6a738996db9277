"""What MLflow's variables name by id: a run to record into, an experiment; in a store, on a server, offline."""
import sqlite3

from fake_mlflow import FakeServer
from harness import *

QUICK = ["--set", "train.duration=20 steps", "--set", "eval.every=10 steps", "--set", "tracking.log_every=1 step",
         "--set", "tracking.exit_wait=60", "--set", "tracking.system_every=0"]
NOBODY = "0123456789abcdef0123456789abcdef"


class InAStore(Case):
    def setUp(self):
        super().setUp()
        self.run_it("train", SYNTHETIC, *QUICK, "--name", "before")  # it makes mlflow.db
        with self.store() as store:
            store.execute("INSERT INTO experiments (experiment_id, name, artifact_location, lifecycle_stage)"
                          " VALUES (7, 'seven', ?, 'active')", (str(self.folder / "seven"),))
            store.execute("INSERT INTO runs (run_uuid, name, status, lifecycle_stage, artifact_uri, experiment_id)"
                          " VALUES (?, 'launched', 'RUNNING', 'active', ?, 7)",
                          (NOBODY[::-1], str(self.folder / "seven/launched")))
        self.launched = NOBODY[::-1]

    def store(self):
        return sqlite3.connect(self.folder / "mlflow.db")

    def ask(self, sql, *values):
        with self.store() as store:
            return store.execute(sql, values).fetchall()

    def record(self):
        """Trains into the run that was launched; its folder."""
        self.env["MLFLOW_RUN_ID"] = self.launched
        _, err = self.run_it("train", SYNTHETIC, *QUICK)
        self.assertIn(f"run {self.launched}", err)
        (folder,) = [p for p in self.folder.glob("runs/*/*") if p.name != "before"]
        return folder

    def test_a_run_is_recorded_into_the_one_that_was_named(self):
        self.record()
        self.assertEqual(self.ask("SELECT name, status, experiment_id FROM runs WHERE run_uuid = ?", self.launched),
                         [("launched", "FINISHED", 7)])
        self.assertEqual(self.ask("SELECT count(*) FROM runs"), [(2,)])
        self.assertEqual(self.ask("SELECT count(*) FROM metrics WHERE run_uuid = ? AND key = 'train/loss'",
                                  self.launched), [(20,)])
        self.assertTrue((self.folder / "seven/launched/report.html").exists())
        out, _ = self.run_it("runs", "show", self.launched[:8], "--json")
        self.assertEqual(json.loads(out)["run_id"], self.launched)

    def test_the_same_run_goes_on_and_another_one_begins_beside_it(self):
        folder = self.record()
        _, err = self.run_it("train", SYNTHETIC, *QUICK)
        self.assertIn("nothing to do", err)
        with self.store() as store:
            store.execute("INSERT INTO runs (run_uuid, name, status, lifecycle_stage, artifact_uri, experiment_id)"
                          " VALUES (?, 'again', 'FINISHED', 'active', ?, 7)", (NOBODY, str(self.folder / "again")))
        self.env["MLFLOW_RUN_ID"] = NOBODY
        self.run_it("train", SYNTHETIC, *QUICK)
        self.assertTrue(folder.with_name(folder.name + ".2").exists())
        counts = self.ask("SELECT run_uuid, count(*) FROM metrics WHERE key = 'train/loss' GROUP BY 1")
        self.assertEqual({n for _, n in counts}, {20})
        self.assertEqual(len(counts), 3)
        self.env["MLFLOW_RUN_ID"] = self.launched
        _, err = self.run_it("train", SYNTHETIC, *QUICK)
        self.assertIn(f"run {folder.relative_to(self.folder)} is finished", err)

    def test_a_run_that_cannot_be_is_refused_before_anything_is_written(self):
        before = self.files()
        for run_id, words in ((NOBODY, f"MLFLOW_RUN_ID: run {NOBODY} is not in sqlite:///"),
                              ("latest", "MLFLOW_RUN_ID is \"latest\", want the 32 hex digits"),
                              (self.launched.upper(), "want the 32 hex digits")):
            self.env["MLFLOW_RUN_ID"] = run_id
            for verb in ("train", "check"):
                _, err = self.run_it(verb, SYNTHETIC, *(QUICK if verb == "train" else []), code=2)
                self.assertIn(words, err)
        with self.store() as store:
            store.execute("UPDATE runs SET lifecycle_stage = 'deleted' WHERE run_uuid = ?", (self.launched,))
        self.env["MLFLOW_RUN_ID"] = self.launched
        _, err = self.run_it("train", SYNTHETIC, *QUICK, code=2)
        self.assertIn("is deleted: restore it in MLflow", err)
        self.assertEqual(self.files(), before)

    def test_ranks_record_into_one_run(self):
        self.env["MLFLOW_RUN_ID"] = self.launched
        self.env["MLFLOW_EXPERIMENT_ID"] = "7"
        self.run_it("train", SYNTHETIC, *QUICK, ranks=2)
        self.assertEqual(self.ask("SELECT count(*) FROM metrics WHERE run_uuid = ? AND key = 'train/loss'",
                                  self.launched), [(20,)])
        self.env["MLFLOW_RUN_ID"] = NOBODY
        _, err = self.run_it("train", SYNTHETIC, *QUICK, ranks=2, code=None)
        self.assertIn(f"run {NOBODY} is not in", err)

    def config(self):
        """The config without the name of its experiment."""
        text = Path(SYNTHETIC).read_text()
        path = self.folder / "nameless.json"
        path.write_text(re.sub(r'"experiment"\s*:\s*"[^"]*"\s*,', "", text))
        self.assertNotIn('"experiment"', path.read_text())
        return path

    def test_an_experiment_is_known_by_its_id(self):
        self.env["MLFLOW_EXPERIMENT_ID"] = "7"
        config = self.config()
        self.run_it("train", config, *QUICK)
        self.assertEqual(self.ask("SELECT count(*) FROM runs WHERE experiment_id = 7"), [(2,)])
        self.assertTrue(list(self.folder.glob("runs/seven/*/run.journal")))
        self.env["MLFLOW_EXPERIMENT_NAME"] = "seven"
        self.run_it("check", config)
        self.env["MLFLOW_EXPERIMENT_NAME"] = "eight"
        _, err = self.run_it("train", config, *QUICK, code=2)
        self.assertIn("MLFLOW_EXPERIMENT_ID is 7, which is experiment \"seven\"", err)
        self.assertIn("\"eight\"", err)
        del self.env["MLFLOW_EXPERIMENT_NAME"]
        self.env["MLFLOW_RUN_ID"] = self.launched
        self.env["MLFLOW_EXPERIMENT_ID"] = "1"
        _, err = self.run_it("train", config, *QUICK, code=2)
        self.assertIn("is in experiment 7, and MLFLOW_EXPERIMENT_ID is 1", err)
        del self.env["MLFLOW_RUN_ID"]
        self.env["MLFLOW_EXPERIMENT_ID"] = "99"
        _, err = self.run_it("train", config, *QUICK, code=2)
        self.assertIn("MLFLOW_EXPERIMENT_ID is 99", err)
        self.run_it("check", SYNTHETIC)  # the config's own experiment comes first
        _, err = self.run_it("train", config, *QUICK, "--set", "tracking.uri=offline", code=2)
        self.assertIn("offline there is nobody to ask", err)


class OnAServer(Case):
    def setUp(self):
        super().setUp()
        self.server = FakeServer()
        self.addCleanup(self.server.close)
        self.env["MLFLOW_TRACKING_URI"] = self.server.url
        self.env["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "1"
        self.env["MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"] = "0"
        self.server.do_experiments_create({"name": "launcher's"})
        made = self.server.do_runs_create({"experiment_id": "1", "run_name": "launched", "start_time": 5})
        self.launched = made["run"]["info"]["run_id"]
        self.env["MLFLOW_RUN_ID"] = self.launched

    def assert_whole(self):
        (run,) = self.server.runs.values()
        self.assertEqual((run["id"], run["name"], run["experiment_id"]), (self.launched, "launched", "1"))
        self.assertEqual(run["status"], "FINISHED")
        self.assertEqual(len([p for p in run["points"] if p[0] == "train/loss"]), 20)
        self.assertIn(f"1/{self.launched}/artifacts/report.html", self.server.files)
        self.assertEqual(len(self.server.experiments), 1)
        self.assertEqual(self.server.violations, [])

    def test_a_run_is_recorded_into_the_one_that_was_named(self):
        self.server.runs[self.launched]["status"] = "FINISHED"
        _, err = self.run_it("train", SYNTHETIC, *QUICK)
        self.assertIn(f"{self.server.url}/#/experiments/1/runs/{self.launched}", err)
        self.assert_whole()
        _, err = self.run_it("train", SYNTHETIC, *QUICK)
        self.assertIn("nothing to do", err)

    def test_a_run_of_ours_goes_on_by_the_servers_id(self):
        del self.server.runs[self.launched]
        del self.env["MLFLOW_RUN_ID"]
        self.run_it("train", SYNTHETIC, *QUICK)
        (run_id,) = self.server.runs
        self.env["MLFLOW_RUN_ID"] = run_id
        _, err = self.run_it("train", SYNTHETIC, *QUICK)
        self.assertIn("nothing to do", err)

    def test_a_run_that_is_not_there_or_deleted_is_refused(self):
        self.env["MLFLOW_RUN_ID"] = NOBODY
        _, err = self.run_it("train", SYNTHETIC, *QUICK, code=2)
        self.assertIn(f"MLFLOW_RUN_ID: run {NOBODY} is not in {self.server.url}", err)
        self.env["MLFLOW_RUN_ID"] = self.launched
        self.server.runs[self.launched]["stage"] = "deleted"
        _, err = self.run_it("train", SYNTHETIC, *QUICK, code=2)
        self.assertIn("is deleted: restore it in MLflow", err)
        self.assertEqual(self.files(), [])

    def test_a_server_that_is_down_is_trusted_and_asked_again(self):
        self.server.fault = lambda *_: "down"
        _, err = self.run_it("train", SYNTHETIC, *QUICK, "--set", "tracking.exit_wait=0")
        self.assertIn("is taken on trust", err)
        self.server.fault = lambda *_: None
        self.run_it("sync")
        self.assert_whole()

    def test_offline_it_is_asked_for_when_it_is_synced(self):
        words = ["--set", "tracking.uri=offline"]
        self.run_it("train", SYNTHETIC, *QUICK, *words)
        self.run_it("sync", "--to", self.server.url)
        self.assert_whole()
        self.env["MLFLOW_RUN_ID"] = NOBODY
        self.run_it("train", SYNTHETIC, *QUICK, *words, "--name", "lost")
        _, err = self.run_it("sync", "lost", "--to", self.server.url, code=1)
        self.assertIn(f"MLFLOW_RUN_ID named run {NOBODY}", err)
        self.assertEqual(len(self.server.runs), 1)

    def test_an_experiment_is_known_by_its_id(self):
        del self.env["MLFLOW_RUN_ID"]
        self.env["MLFLOW_EXPERIMENT_ID"] = "1"
        config = InAStore.config(self)
        self.run_it("train", config, *QUICK)
        self.assertEqual({r["experiment_id"] for r in self.server.runs.values()}, {"1"})
        self.env["MLFLOW_EXPERIMENT_ID"] = "9"
        _, err = self.run_it("train", config, *QUICK, code=2)
        self.assertIn("MLFLOW_EXPERIMENT_ID is 9", err)
        self.server.fault = lambda *_: "down"
        _, err = self.run_it("train", config, *QUICK, code=75)
        self.assertIn("MLFLOW_EXPERIMENT_NAME asks nobody", err)


if __name__ == "__main__":
    unittest.main()
