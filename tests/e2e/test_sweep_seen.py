"""What MLflow sees of a sweep, and what people ask of it there."""
import sqlite3

from harness import *
import test_sweep

SPACE, SMALL = test_sweep.SPACE, test_sweep.SMALL
LONG = {**SMALL, "train.duration": {"value": "10000000 steps"}, "checkpoint.every": {"value": "2000 steps"}}


class Seen(test_sweep.Sweep):
    def store(self, sql, *values):
        """Another writer may be at it."""
        with sqlite3.connect(f"file:{self.folder}/mlflow.db?mode=rw", uri=True, timeout=60) as db:
            return db.execute(sql, values).fetchall()

    def run_id(self, name):
        found = self.store("select run_uuid from runs where name = ?", name) if self.has_store() else []
        return found[0][0] if found else None

    def has_store(self):
        try:
            return bool(self.store("select 1 from sqlite_master where name = 'runs'"))
        except sqlite3.OperationalError:
            return False

    def tags(self, name):
        return dict(self.store("select key, value from tags where run_uuid = ?", self.run_id(name)))

    def status(self, name):
        return self.store("select status from runs where name = ?", name)[0][0]

    def stop_there(self, name):
        self.wait_for(lambda: self.run_id(name), what=f"run {name}")
        self.store("insert into tags (key, value, run_uuid) values ('tiltyard.stop', 'true', ?)", self.run_id(name))


class Stops(Seen):
    def test_the_tag_on_the_sweeps_run_stops_the_sweep_and_it_goes_on_later(self):
        process = self.start("sweep", self.file(parameters={**SPACE, **LONG}, run_cap=3), "-j", 2)
        self.wait_for(lambda: len(list(self.folder.glob("runs/*/*/run.journal"))) == 2, what="two trials")
        self.stop_there("s")
        _, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 75, err)
        self.assertIn("s: tiltyard.stop set in MLflow", err)
        self.assertEqual([t[1] for t in self.trials()], ["interrupted"] * 2)
        self.assertEqual(self.status("s-0000"), "SCHEDULED")
        self.assertEqual(self.tags("s")["tiltyard.stopped"], "true")
        process = self.start("sweep", "s.json", "-j", 2)
        self.wait_for(lambda: self.status("s-0000") == "RUNNING", what="the trial that goes on")
        time.sleep(4)  # the same wish, looked at every three seconds, is not obeyed again
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGUSR1)
        self.assertEqual(process.communicate(timeout=120) and process.returncode, 75)

    def test_the_tag_on_a_trials_run_stops_that_trial_alone(self):
        process = self.start("sweep", self.file(parameters={**SPACE, **LONG}, run_cap=2), "-j", 2)
        self.stop_there("s-0000")
        self.wait_for(lambda: "stopped" in self.trials()[0], what="the trial's end")
        first, second = self.trials()
        self.assertEqual((first[1], second[1]), ("stopped", "running"))
        self.assertEqual(" ".join(first[-4:]), "tiltyard.stop set in MLflow")
        self.wait_for(lambda: self.run_id("s-0001"), what="the other trial's run")
        self.wait_for(lambda: self.status("s-0000") == "KILLED", what="the end of its run")
        self.assertEqual(self.status("s-0001"), "RUNNING")
        self.assertEqual(self.tags("s-0000")["user_reason"], '"tiltyard.stop set in MLflow"')
        process.send_signal(signal.SIGUSR1)
        _, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 75, err)
        self.assertRegex(err, "trial +0 +stopped .*tiltyard.stop set in MLflow")


class Experiments(Seen):
    """A sweep's run and its trials' are in one experiment, whoever names it."""

    def places(self):
        return dict(self.store("select r.name, e.name from runs r join experiments e using (experiment_id)"))

    def one(self, wanted, *words, code=0):
        _, err = self.run_it(*(words or ("sweep", "s.json")), code=code)
        self.assertEqual(self.places(), {"s": wanted, **{f"s-{i:04}": wanted for i in range(len(self.places()) - 1)}})
        return err

    def test_one_that_is_fixed_is_the_sweeps_too(self):
        self.file(parameters={**SPACE, **SMALL, "experiment": {"value": "elsewhere"}}, run_cap=1)
        self.one("elsewhere")
        self.one("elsewhere", "sweep", "resume", "s", "--set", "run_cap=2")
        self.assertEqual(len(self.places()), 3)

    def test_one_that_mlflow_names_by_its_id_is_the_sweeps_too_and_stays_it(self):
        self.run_it("train", SYNTHETIC, "--set", "train.duration=5 steps", "--set", "experiment=named")
        (number,), = self.store("select experiment_id from experiments where name = 'named'")
        self.store("delete from runs")
        self.env["MLFLOW_EXPERIMENT_ID"] = str(number)
        (self.folder / "plain.json").write_text(json.dumps({"extends": SYNTHETIC, "experiment": None}))
        self.file(config="plain.json", run_cap=1)
        self.one("named")
        self.env["MLFLOW_EXPERIMENT_ID"] = "0"
        self.one("named", "sweep", "s.json", "--set", "run_cap=2")
        self.assertEqual(len(self.places()), 3)

    def test_another_programs_sweep_is_where_mlflow_says_and_stays_there(self):
        self.env["MLFLOW_EXPERIMENT_NAME"] = "mine"
        self.file(config=None, command=["echo", '{"val/loss": 1}'], parameters={"x": {"min": 0.0, "max": 1.0}},
                  run_cap=1)
        self.one("mine")
        del self.env["MLFLOW_EXPERIMENT_NAME"]
        self.one("mine", "sweep", "resume", "s", "--set", "run_cap=2")

    def test_several_are_refused(self):
        self.file(parameters={**SPACE, **SMALL, "experiment": {"values": ["a", "b"]}})
        _, err = self.run_it("sweep", "s.json", code=2)
        self.assertIn("experiment has one value in a sweep", err)


class Listed(Seen):
    def listed(self, *words):
        return [json.loads(line) for line in self.run_it("runs", "ls", "--json", *words)[0].splitlines()]

    def test_a_sweeps_own_run_is_among_the_runs_and_its_folder_stays(self):
        self.run_it("sweep", self.file(run_cap=2))
        kinds = {"s": "sweep", "s-0000": "run", "s-0001": "run"}
        self.assertEqual({run["run"]: run.get("kind", "run") for run in self.listed()}, kinds)
        self.assertEqual(set(kinds), {name for name, in self.store("select name from runs")})
        self.assertRegex(self.run_it("runs", "ls")[0], r"(?m)^run .* kind$(.*\n)*s .* sweep$")
        self.assertEqual([run["run"] for run in self.listed("tags.tiltyard.kind = 'sweep'")], ["s"])
        shown = json.loads(self.run_it("runs", "show", "s", "--json")[0])
        self.assertEqual((shown["run"], shown["tags"]["tiltyard.kind"]), ("s", "sweep"))
        self.assertEqual(json.loads(self.run_it("runs", "show", self.run_id("s")[:8], "--json")[0]), shown)
        _, err = self.run_it("eval", "s", code=1)
        self.assertIn("no run s under ./runs (did you mean s-0000, s-0001?)", err)
        self.assertIn("no run none under ./runs or sweeps\n", self.run_it("runs", "show", "none", code=1)[1])
        self.run_it("runs", "rm", "s", "--yes")
        self.assertEqual(sorted(run["run"] for run in self.listed()), ["s-0000", "s-0001"])
        self.assertEqual([run["run"] for run in self.listed("--deleted")], ["s"])
        self.run_it("runs", "gc", "--keep-best", 1)
        self.assertTrue((self.folder / "sweeps/s/sweep.journal").exists())
        self.run_it("sweep", "replay", "s")


class Registered(Seen):
    def registered(self, export, **more):
        parameters = {**SPACE, **SMALL, "checkpoint.export": {"value": export}}
        wish = {"model": "digits", "alias": "champion"}
        return self.run_it("sweep", self.file(parameters=parameters, register=wish, **more), "--json")

    def versions(self):
        out, _ = self.run_it("models", "ls", "digits", "--json")
        return [json.loads(line) for line in out.splitlines()]

    def once(self, export):
        """One version of the best trial's run, whatever is started again; another one where another is best."""
        out, err = self.registered(export)
        best = self.best(out)
        version, = self.versions()
        run_id = self.run_id(best["run"])
        lineage = {"tiltyard.sweep": "s", "tiltyard.trial": str(best["trial"]), "tiltyard.run": best["run"],
                   "tiltyard.run_id": run_id, "tiltyard.sweep.metric": "val/loss"}
        self.assertEqual({k: version["tags"].get(k) for k in lineage}, lineage)
        self.assertEqual(float(version["tags"]["tiltyard.sweep.value"]), best["value"])
        for key in ("tiltyard.config_hash", "tiltyard.data_fingerprint"):
            self.assertEqual(version["tags"][key], self.tags(best["run"])[key])
        self.assertEqual((version["run_id"], version["aliases"]), (run_id if export else "", ["champion"]))
        self.assertIn("model   models:/digits/1", err)
        self.assertEqual(self.tags("s")["tiltyard.registered"], "models:/digits/1")
        self.registered(export)
        self.assertEqual([v["version"] for v in self.versions()], [1])
        again = self.best(self.registered(export, run_cap=12)[0])
        self.assertNotEqual(again["trial"], best["trial"])
        self.assertEqual([(v["version"], v["aliases"]) for v in self.versions()], [(2, ["champion"]), (1, [])])
        self.run_it("models", "verify", "digits@champion")

    def test_the_best_trials_model_is_registered_once(self):
        self.once(True)

    def test_and_so_it_is_where_trials_export_none(self):
        self.once(False)

    def test_an_alias_that_could_not_be_set_is_set_the_next_time_and_then_left_alone(self):
        aliases = lambda: [v["aliases"] for v in self.versions()]
        self.run_it("sweep", self.file())
        self.store("create trigger no before insert on registered_model_aliases begin select raise(abort, 'no'); end")
        self.assertIn("was not registered", self.registered(False)[1])
        self.assertEqual(aliases(), [[]])
        self.store("drop trigger no")
        self.assertIn("model   models:/digits/1", self.registered(False)[1])
        self.assertEqual(aliases(), [["champion"]])
        self.run_it("models", "alias", "digits@champion", "--remove")
        self.registered(False)
        self.assertEqual(aliases(), [[]], "somebody took it away")

    def test_what_cannot_be_registered_is_said_before_anything_runs(self):
        for wish, words in (({"model": "a/b"}, "register.model"), ({"model": "m", "alias": "v1"}, "register.alias"),
                            ({"alias": "x"}, "without register.model")):
            _, err = self.run_it("sweep", self.file(register=wish), code=2)
            self.assertIn(words, err)
            self.assertFalse((self.folder / "sweeps").exists())


if __name__ == "__main__":
    unittest.main()
