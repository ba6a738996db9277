"""A run from its first command to what is left on disk: run folder, journal, store, report."""
import sqlite3

from harness import *


class Train(Case):
    def test_a_run_learns_and_leaves_everything_behind(self):
        done = self.train()
        self.assertGreater(done["test/accuracy"], 0.8)
        run = self.folder / done["run"]
        for name in ("config.json", "run.journal", "report.html", "environment.json"):
            self.assertTrue((run / name).is_file(), name)
        self.assertTrue(list((run / "checkpoints").glob("step_*.h5")))
        page = (run / "report.html").read_text()
        for part in ("<svg", "Confusion matrix", "Where the time went", "tiltyard train"):
            self.assertIn(part, page)
        self.assertNotIn("http://", page.replace("http://www.w3.org", ""))
        store = sqlite3.connect(self.folder / "mlflow.db")
        (status,) = store.execute("select status from runs").fetchone()
        self.assertEqual(status, "FINISHED")
        keys = {k for (k,) in store.execute("select distinct key from metrics")}
        self.assertLessEqual({"train/loss", "val/loss", "val/accuracy", "test/accuracy"}, keys)
        params = dict(store.execute("select key, value from params"))
        self.assertEqual(params["optimizer.learning_rate"], "3e-3", "numbers stay as the user wrote them")

    def test_every_event_has_its_name(self):
        out, _ = self.run_it("train", SYNTHETIC, "--json")
        events = [json.loads(line) for line in out.splitlines()]
        kinds = {e["event"] for e in events}
        named = {"start", "param", "tag", "dataset", "metric", "eval", "file", "model", "package", "state"}
        self.assertLessEqual(named, kinds)
        self.assertEqual([e["state"] for e in events if e["event"] == "state"], ["finished"])

    def test_the_same_command_again_says_finished_and_changes_nothing(self):
        done = self.train()
        before = {f: (self.folder / f).stat().st_mtime_ns for f in self.files() if "checkpoints" in f}
        out, err = self.run_it("train", SYNTHETIC)
        self.assertIn("finished", err)
        self.assertEqual(before, {f: (self.folder / f).stat().st_mtime_ns for f in before})
        again = self.train(ranks=2)
        self.assertTrue(again["was_done"])
        self.assertEqual(again, {**{k: done[k] for k in done if k in again}, "was_done": True})
        fresh = self.train("--fresh")
        self.assertNotEqual(fresh["run"], done["run"])
        self.assertEqual(fresh["params_hash"], done["params_hash"], "the same seed gives the same bits")

    def test_mlflows_variable_names_the_experiment_where_the_config_does_not(self):
        config = self.folder / "nameless.json"
        config.write_text(Path(SYNTHETIC).read_text().replace('"experiment": "synthetic",', ""))
        env = {**self.env, "MLFLOW_EXPERIMENT_NAME": "from-ci"}
        short = ("--set", "train.duration=5 steps")
        self.assertIn("runs/from-ci/", self.train(*short, config=config, env=env)["run"])
        self.assertIn("runs/own/", self.train(*short, "--set", "experiment=own", config=config, env=env)["run"])
        self.assertIn("runs/synthetic/", self.train(*short, env=env)["run"])
        store = sqlite3.connect(self.folder / "mlflow.db")
        names = {name for (name,) in store.execute("select name from experiments")}
        self.assertLessEqual({"from-ci", "own", "synthetic"}, names)

    def test_another_config_is_another_run_and_under_the_same_name_refused(self):
        first = self.train("--name", "mine")
        other = self.train("--set", "seed=8")
        self.assertNotEqual(first["run"], other["run"])
        self.assertNotEqual(first["params_hash"], other["params_hash"])
        _, err = self.run_it("train", SYNTHETIC, "--name", "mine", "--set", "optimizer.learning_rate=0.1", code=2)
        self.assertIn("optimizer.learning_rate: 3e-3 -> 0.1", err)

    def test_runs_and_eval_tell_what_training_told(self):
        done = self.train()
        out, _ = self.run_it("runs", "ls")
        self.assertIn("finished", out)
        name = Path(done["run"]).name
        out, _ = self.run_it("runs", "show", name)
        self.assertIn("test/accuracy", out)
        out, _ = self.run_it("eval", name, "--json")
        self.assertEqual(json.loads(out)["accuracy"], done["test/accuracy"])

    def test_rebuild_restores_a_lost_store(self):
        self.train()
        count = "select count(*) from metrics"
        before = sqlite3.connect(self.folder / "mlflow.db").execute(count).fetchone()
        for path in self.folder.glob("mlflow.db*"):
            path.unlink()
        self.run_it("runs", "rebuild")
        self.assertEqual(sqlite3.connect(self.folder / "mlflow.db").execute(count).fetchone(), before)

    def test_a_table_with_strings_and_gaps_trains(self):
        rows = [f"{i % 13},{'red green blue'.split()[i % 3]},{'' if i % 9 == 0 else i % 5},{'yes' if i % 3 else 'no'}\n"
                for i in range(600)]
        (self.folder / "t.csv").write_text("size,colour,weight,label\n" + "".join(rows))
        done = self.train("--set", "data.source=t.csv", "--set", "data.target=label",
                          config=ROOT / "configs/tabular.json")
        self.assertGreater(done["test/accuracy"], 0.95)

    def test_ranks_started_by_us_and_by_mpirun_give_the_same_bits(self):
        hashes = {self.train("--dir", "a")["params_hash"], self.train("--dir", "b", "-n", "2")["params_hash"],
                  self.train("--dir", "c", ranks=2)["params_hash"], self.train("--dir", "d", ranks=4)["params_hash"]}
        self.assertEqual(len(hashes), 1)


if __name__ == "__main__":
    unittest.main()
