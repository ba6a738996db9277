"""What tests of sweeps in MLflow share: sweeps of small trainings, and what MLflow's Optuna storage and its client say
of them."""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

from mlflow_peer import MlflowPeers

with MlflowPeers():
    import mlflow
    import optuna
    from mlflow.optuna.storage import MlflowStorage
    from mlflow.tracking import MlflowClient
    from optuna.trial import TrialState

optuna.logging.set_verbosity(optuna.logging.WARNING)
ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
CONFIG = os.path.join(ROOT, "configs", "synthetic.json")
PARAMETERS = {"optimizer.learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 0.1},
              "train.global_batch_size": {"values": [16, 32]},
              "optimizer.weight_decay": {"min": 0.0, "max": 0.1},
              "train.duration": {"value": "40 steps"}, "eval.every": {"value": "5 steps"},
              "checkpoint.every": {"value": "5 steps"}, "data.source": {"value": "synthetic:512x1x8x8x4"},
              "checkpoint.export": {"value": False}}
CONDITION = {"when": {"train.global_batch_size": 16}, "parameters": ["optimizer.weight_decay"]}
STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL,
          "paused": TrialState.WAITING}


class Sweep(unittest.TestCase):
    binary, maxDiff = None, None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tiltyard-sweep-mlflow-")
        self.addCleanup(shutil.rmtree, self.folder, True)

    def start(self, *words, env=None):
        ours = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        ours.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", HOME=self.folder, **(env or {}))
        process = subprocess.Popen([self.binary, *map(str, words)], cwd=self.folder, env=ours, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        return process

    def end_of(self, process, code=0):
        out, err = process.communicate(timeout=600)
        self.assertEqual(process.returncode, code, f"{process.args}\n{out}\n{err}")
        return out, err

    def tiltyard(self, *words, code=0, env=None):
        return self.end_of(self.start(*words, env=env), code)

    def file(self, **more):
        sweep = {"name": "s", "config": CONFIG, "method": "random", "run_cap": 12, "seed": 3,
                 "metric": {"name": "val/loss", "goal": "minimize"}, "parameters": PARAMETERS,
                 "conditions": [CONDITION], **more}
        with open(f"{self.folder}/s.json", "w") as file:
            json.dump(sweep, file)
        return "s.json"

    def exported(self):
        self.tiltyard("sweep", "export", "s", "--output", "out.jsonl")
        with open(f"{self.folder}/out.jsonl") as file:
            return [json.loads(line) for line in file]

    def client(self, uri=None):
        mlflow.set_tracking_uri(uri or f"sqlite:///{self.folder}/mlflow.db")
        return MlflowClient()

    def runs(self, uri=None, experiment="synthetic"):
        client = self.client(uri)
        ids = [client.get_experiment_by_name(experiment).experiment_id]
        runs = {run.info.run_name: run for run in client.search_runs(ids)}
        return ids[0], runs

    def study(self, uri=None, experiment="synthetic"):
        experiment_id, _ = self.runs(uri, experiment)
        return optuna.load_study(study_name="s", storage=MlflowStorage(experiment_id=experiment_id))

    def assert_same_trial(self, ours, theirs):
        self.assertEqual(theirs.state, STATES[ours["state"]])
        self.assertEqual(theirs.params, ours["params"])
        self.assertEqual(theirs.distributions.keys(), ours["params"].keys())
        self.assertEqual(theirs.intermediate_values, {int(r["step"]): r["value"] for r in ours["reports"]
                                                      if r["value"] is not None})
        has_value = theirs.state in (TrialState.COMPLETE, TrialState.PRUNED)
        self.assertEqual(theirs.values, [ours["value"]] if has_value else None)
        self.assertEqual(theirs.user_attrs, {"reason": ours["reason"]} if ours["reason"] and theirs.state.is_finished()
                         else {})
        if theirs.state.is_finished():
            theirs._validate()

    def assert_same_study(self, ours, study):
        trials = {t.number: t for t in study.get_trials()}
        self.assertEqual(sorted(trials), [t["trial"] for t in ours])
        for trial in ours:
            self.assert_same_trial(trial, trials[trial["trial"]])
        complete = [t for t in ours if t["state"] == "complete"]
        sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
        self.assertEqual(study.best_value, sign * min(sign * t["value"] for t in complete))

    def assert_parent(self, ours, uri=None, experiment="synthetic"):
        """The sweep's own run counts its trials, knows the best one and leads to it."""
        experiment_id, runs = self.runs(uri, experiment)
        parent, sign = runs["s"], -1 if runs["s"].data.params["goal"] == "maximize" else 1
        best = min((t for t in ours if t["state"] == "complete"), key=lambda t: sign * t["value"])
        metrics, tags = parent.data.metrics, parent.data.tags
        for state, key in (("complete", "complete"), ("pruned", "stopped"), ("paused", "paused"), ("failed", "failed")):
            self.assertEqual(metrics[f"trials/{key}"], sum(t["state"] == state for t in ours), key)
        self.assertEqual(metrics["best_value"], best["value"])
        history = self.client(uri).get_metric_history(parent.info.run_id, "best_value")
        values = [p.value for p in sorted(history, key=lambda p: p.step)]
        self.assertEqual(values, sorted(values, key=lambda v: -sign * v))
        child = runs[tags["tiltyard.best_run"]]
        self.assertEqual(child.data.metrics["value"], best["value"])
        self.assertIn(f"[{child.info.run_name}](#/experiments/{experiment_id}/runs/{child.info.run_id})",
                      tags["mlflow.note.content"])


def main():
    Sweep.binary = os.path.abspath(sys.argv.pop(1))
    print(f"mlflow {mlflow.__version__}, optuna {optuna.__version__}", flush=True)
    unittest.main(module="__main__", verbosity=2, warnings="ignore")
