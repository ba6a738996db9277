"""Sweeps as MLflow's own Optuna storage reads them, and as its client does: test_sweep_mlflow.py TILTYARD."""
import json
import sys

from mlflow_peer import MlflowServer
from sweep_case import STATES, Sweep, main, optuna


class Optuna(Sweep):
    def test_mlflows_optuna_storage_loads_the_study(self):
        self.tiltyard("sweep", self.file(pruner={"type": "median", "startup_trials": 2}, reproducible="off"), "-j", 2)
        ours = self.exported()
        self.assertLessEqual({"complete", "pruned"}, {t["state"] for t in ours})
        study = self.study()
        self.assertEqual(study.metric_names, ["val/loss"])
        self.assertEqual(study.direction, optuna.study.StudyDirection.MINIMIZE)
        self.assert_same_study(ours, study)
        self.assert_parent(ours)

    def test_a_paused_trial_waits_and_has_no_end(self):
        goal = {"name": "val/accuracy", "goal": "maximize"}
        self.tiltyard("sweep", self.file(pruner={"type": "asha", "eta": 3}, metric=goal, run_cap=9), "-j", 2)
        ours = self.exported()
        self.assertLessEqual({"complete", "paused"}, {t["state"] for t in ours})
        self.assert_same_study(ours, self.study())
        self.assert_parent(ours)
        _, runs = self.runs()
        for trial in ours:
            info = runs[f"s-{trial['trial']:04}"].info
            status, has_end = ("SCHEDULED", False) if trial["state"] == "paused" else ("FINISHED", True)
            self.assertEqual((info.status, info.end_time is not None), (status, has_end))

    def test_trials_on_ranks_are_the_same(self):
        self.tiltyard("sweep", self.file(pruner={"type": "median", "startup_trials": 2}, run_cap=6), "-n", 2)
        self.assert_same_study(self.exported(), self.study())


class Programs(Sweep):
    """Trials that are any other program: one that prints its reports, and one that logs them by MLflow's client."""

    PRINTS = """
import json, os, sys, time
args = dict(a.lstrip("-").split("=") for a in sys.argv[1:])
for step in range(1, 6):
    print(json.dumps({"step": step, "loss": float(args["x"]) ** 2 + 1 / step, "seen": step}), flush=True)
sys.exit(3 if args["kind"] == "b" else 0)
"""
    LOGS = """
import sys, mlflow
args = dict(a.lstrip("-").split("=") for a in sys.argv[1:])
with mlflow.start_run() as run:
    mlflow.log_param("theirs", run.info.run_id)
    for step in range(1, 6):
        mlflow.log_metric("loss", float(args["x"]) ** 2 + 1 / step, step)
"""

    def program(self, text, env=None, jobs=2, **more):
        with open(f"{self.folder}/program.py", "w") as file:
            file.write(text)
        sweep = {"name": "s", "method": "random", "run_cap": 4, "seed": 1, "metric": {"name": "loss"},
                 "command": [sys.executable, "program.py", "${args}"],
                 "parameters": {"x": {"min": -0.8, "max": 1.0}, "kind": {"values": ["a"]}, "n": {"value": 3}}, **more}
        with open(f"{self.folder}/s.json", "w") as file:
            json.dump(sweep, file)
        self.tiltyard("sweep", "s.json", "-j", jobs, env=env)
        return self.exported()

    def children(self, ours, uri=None):
        experiment_id, runs = self.runs(uri, "sweeps")
        for trial in ours:
            run = runs[f"s-{trial['trial']:04}"]
            self.assertEqual(run.data.tags["mlflow.parentRunId"], runs["s"].info.run_id)
            self.assertEqual(float(run.data.params["x"]), trial["params"]["x"])
            self.assertEqual((run.data.params["kind"], run.data.params["n"]), (trial["params"]["kind"], "3"))
            yield trial, run

    def test_reports_that_are_printed_are_the_runs_metrics(self):
        ours = self.program(self.PRINTS, parameters={"x": {"min": -0.8, "max": 1.0}, "kind": {"values": ["a", "b"]},
                                                     "n": {"value": 3}}, run_cap=6)
        self.assertEqual({t["state"] for t in ours}, {"complete", "failed"})
        self.assert_same_study(ours, self.study(experiment="sweeps"))
        for trial, run in self.children(ours):
            self.assertEqual(run.info.status, "FINISHED" if trial["state"] == "complete" else "FAILED")
            points = self.client().get_metric_history(run.info.run_id, "loss")
            self.assertEqual({p.step: p.value for p in points}, {r["step"]: r["value"] for r in trial["reports"]})
            self.assertEqual(run.data.metrics["seen"], 5)

    def test_a_pruned_program_is_killed_in_mlflow_too(self):
        ours = self.program(self.PRINTS.replace("flush=True)", "flush=True); time.sleep(0.3)"),
                            pruner={"type": "threshold", "upper": 1.0}, constraints=[{"metric": "seen", "max": 3}])
        self.assertIn("pruned", {t["state"] for t in ours})
        study = {t.number: t for t in self.study(experiment="sweeps").get_trials()}
        for trial, run in self.children(ours):
            self.assertEqual(study[trial["trial"]].state, STATES[trial["state"]])
            self.assertEqual(study[trial["trial"]].system_attrs["constraints"], [trial["violation"]])

    def assert_logged(self, ours, uri=None):
        for trial, run in self.children(ours, uri):
            with open(f"{self.folder}/sweeps/s/logs/trial_{trial['trial']:04}.log") as log:
                self.assertEqual(trial["state"], "complete", log.read()[-2000:])
            self.assertEqual(trial["value"], trial["params"]["x"] ** 2 + 1 / 5)
            self.assertEqual(run.data.params["theirs"], run.info.run_id)
            self.assertEqual((run.info.status, run.data.metrics["loss"]), ("FINISHED", trial["value"]))
        self.assert_same_study(ours, self.study(uri, "sweeps"))

    def test_what_is_logged_by_mlflows_client_is_the_objective(self):
        """One at a time: clients that open our mlflow.db at once all upgrade it, and stand in each other's way."""
        self.assert_logged(self.program(self.LOGS, jobs=1))

    def test_and_so_it_is_on_a_server(self):
        server = MlflowServer().start()
        self.addCleanup(server.remove)
        self.assert_logged(self.program(self.LOGS, env={"MLFLOW_TRACKING_URI": server.url}), server.url)


if __name__ == "__main__":
    main()
