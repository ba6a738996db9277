"""Sweeps on a real MLflow server: trials below their sweep, live and sent later; both stopped there by a tag that the
official client sets; the best model registered there, read back by it: test_sweep_server.py TILTYARD."""
import json
import time
import unittest

from mlflow_peer import MlflowServer
from sweep_case import CONFIG, PARAMETERS, Sweep, main

import mlflow.pyfunc
import numpy

LONG = {**PARAMETERS, "train.duration": {"value": "10000000 steps"}, "checkpoint.every": {"value": "2000 steps"}}


def setUpModule():
    Server.server = MlflowServer().start()
    unittest.addModuleCleanup(Server.server.remove)


class Server(Sweep):
    server = None

    def config(self, experiment, **more):
        with open(f"{self.folder}/config.json", "w") as file:
            json.dump({"extends": CONFIG, "experiment": experiment, **more}, file)
        return "config.json"

    def there(self, uri=None):
        return {"MLFLOW_TRACKING_URI": uri or self.server.url}


class Whole(Server):
    def sweep(self, experiment, uri):
        file = self.file(config=self.config(experiment), pruner={"type": "median", "startup_trials": 2}, run_cap=8)
        self.tiltyard("sweep", file, "-j", 2, env=self.there(uri))

    def assert_whole(self, experiment, live):
        ours, url = self.exported(), self.server.url
        self.assert_same_study(ours, self.study(url, experiment))
        _, runs = self.runs(url, experiment)
        parent = runs["s"]
        if live:
            self.assert_parent(ours, url, experiment)
        self.assertEqual(parent.info.status, "FINISHED")
        self.assertEqual({runs[f"s-{t['trial']:04}"].data.tags["mlflow.parentRunId"] for t in ours},
                         {parent.info.run_id})

    def test_trials_stand_below_their_sweep_on_a_server(self):
        self.sweep("live", self.server.url)
        self.assertEqual(len(self.runs(self.server.url, "live")[1]), 1 + 8)
        self.tiltyard("sync", env=self.there())  # what a slow server had not taken within tracking.exit_wait
        self.assert_whole("live", True)

    def test_and_so_they_do_where_they_are_sent_later(self):
        self.sweep("later", "offline")
        self.tiltyard("sync", "--to", self.server.url)
        self.assert_whole("later", False)


class Stops(Server):
    """Trials of more steps than anybody waits for: what ends them is the tag."""

    def found(self, name):
        """That run of the sweep as the server has it, or None."""
        if not self.peer.get_experiment_by_name("stops"):
            return None
        return self.runs(self.server.url, "stops")[1].get(name)

    def wait_for(self, what, is_so, process, seconds=300):
        end = time.monotonic() + seconds
        while not is_so():
            self.assertIsNone(process.poll(), f"ended before {what}")
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.2)

    def set_tag(self, name):
        self.peer.set_tag(self.found(name).info.run_id, "tiltyard.stop", "true")

    def is_at_work(self, name):
        run = self.found(name)
        return run and run.info.status == "RUNNING" and "val/loss" in run.data.metrics

    def start_sweep(self):
        process = self.start("sweep", "s.json", "-j", 2, env=self.there())
        both = lambda: self.is_at_work("s-0000") and self.is_at_work("s-0001")
        self.wait_for("both trials are at work", both, process)
        return process

    def test_a_tag_set_on_the_server_stops_the_sweep_or_one_trial(self):
        self.peer = self.client(self.server.url)
        self.file(config=self.config("stops"), parameters=LONG, run_cap=2)
        process = self.start_sweep()
        self.set_tag("s")
        _, err = self.end_of(process, 75)
        self.assertIn("s: tiltyard.stop set in MLflow", err)
        self.tiltyard("sync", env=self.there())  # what a slow server had not taken within tracking.exit_wait
        self.assertEqual({t["state"] for t in self.exported()}, {"running"})
        self.assertEqual({self.found(f"s-000{i}").info.status for i in range(2)}, {"SCHEDULED"})
        self.assertEqual(self.found("s").data.tags["tiltyard.stopped"], "true")

        process = self.start_sweep()  # which does not obey the same wish again
        self.set_tag("s-0000")
        self.wait_for("the first trial has ended", lambda: self.found("s-0000").info.status == "KILLED", process)
        self.assertEqual(self.found("s-0001").info.status, "RUNNING")
        self.set_tag("s-0001")
        _, err = self.end_of(process)
        self.tiltyard("sync", env=self.there())
        self.assertRegex(err, "trial +0 +stopped .*tiltyard.stop set in MLflow")
        self.assertEqual([(t["state"], t["reason"]) for t in self.exported()],
                         [("pruned", "tiltyard.stop set in MLflow")] * 2)
        self.assertEqual(self.found("s").info.status, "FINISHED")

    def test_a_training_by_itself_is_stopped_by_it_too(self):
        self.peer = self.client(self.server.url)
        config = self.config("stops", data={"source": "synthetic:512x1x8x8x4"}, eval={"every": "5 steps"},
                             train={"duration": "10000000 steps", "global_batch_size": 32})
        process = self.start("train", config, "--name", "alone", env=self.there())
        self.wait_for("it is at work", lambda: self.is_at_work("alone"), process)
        self.set_tag("alone")
        out, _ = self.end_of(process)
        self.tiltyard("sync", env=self.there())
        self.assertIn("tiltyard.stop set in MLflow", out)
        run = self.found("alone")
        self.assertEqual(run.info.status, "FINISHED")
        self.assertEqual(run.data.tags["tiltyard.stopped"], "true")
        self.assertIn("tiltyard.stop", run.data.tags["exit.reason"])


class Registered(Server):
    """The best trial's model, as the official client has it."""

    def file(self, experiment, export, **config):
        parameters = {**PARAMETERS, "checkpoint.export": {"value": export}}
        return super().file(config=self.config(experiment, **config), parameters=parameters, run_cap=3,
                            register={"model": experiment, "alias": "champion"})

    def assert_registered(self, experiment):
        """One version of the best trial's run, with where it comes from, and pyfunc answers by its alias."""
        url = self.server.url
        c, runs = self.client(url), self.runs(url, experiment)[1]
        best = min(self.exported(), key=lambda t: t["value"])
        run = runs[f"s-{best['trial']:04}"]
        (version,) = c.search_model_versions(f"name = '{experiment}'")
        champion = c.get_model_version_by_alias(experiment, "champion")
        self.assertEqual((champion.version, champion.status), (version.version, "READY"))
        self.assertEqual(champion.run_id, run.info.run_id)
        lineage = {"tiltyard.sweep": "s", "tiltyard.trial": str(best["trial"]), "tiltyard.run": run.info.run_name,
                   "tiltyard.sweep.metric": "val/loss", "tiltyard.run_id": run.data.tags["tiltyard.uid"],
                   **{k: run.data.tags[k] for k in ("tiltyard.config_hash", "tiltyard.data_fingerprint")}}
        self.assertEqual({k: champion.tags.get(k) for k in lineage}, lineage)
        self.assertEqual(float(champion.tags["tiltyard.sweep.value"]), best["value"])
        self.assertIn("val/loss", champion.description)
        self.assertEqual(runs["s"].data.tags["tiltyard.registered"], f"models:/{experiment}/{version.version}")
        model = mlflow.pyfunc.load_model(f"models:/{experiment}@champion")
        self.assertEqual(model.predict({"x": numpy.zeros((2, 1, 8, 8), numpy.uint8)})["probabilities"].shape, (2, 4))

    def test_the_best_trials_model_is_registered_where_the_trials_are(self):
        for again in range(2):
            self.tiltyard("sweep", self.file("named", True), "-j", 2, env=self.there())
            self.assert_registered("named")

    def test_so_it_is_where_the_config_names_the_server_and_trials_export_none(self):
        self.tiltyard("sweep", self.file("unnamed", False, tracking={"uri": self.server.url}), "-j", 2)
        self.assert_registered("unnamed")

    def test_and_where_the_sweep_was_offline_and_is_taken_up_again_after_a_sync(self):
        self.tiltyard("sweep", self.file("synced", True), "-j", 2, env=self.there("offline"))
        self.assertFalse(self.client(self.server.url).search_registered_models("name = 'synced'"))
        self.tiltyard("sync", "--to", self.server.url)
        self.tiltyard("sweep", "resume", "s", env=self.there())
        self.assert_registered("synced")


if __name__ == "__main__":
    main()
