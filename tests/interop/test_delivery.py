"""One meaning, three ways: the same random run told live to a real server, told offline and synced to it later, and
folded into an embedded store is the same for MLflow's official client: test_delivery.py TILTYARD EVENT_PROBE."""
import json
import os
import random
import subprocess
import threading
import time

from delivery_case import BEGIN_NS, SEED, Case, Story, Way, main

from mlflow.tracking import MlflowClient


class Delivery(Case):
    def three_ways(self, seed, n):
        name = f"exp-{seed}-{n}"
        parts = []
        rng = random.Random(seed)
        whole = Story(rng)
        for sitting in range(2):
            part = Story(rng)
            part.time_ns, part.steps = whole.time_ns, whole.steps
            part.sitting(n, 50 * sitting)
            whole.time_ns, whole.steps = part.time_ns, part.steps
            parts.append(part)
        for part in parts:
            self.tell(part, f"{name}-live", self.server.url)
        for part in parts:
            self.tell(part, f"{name}-later", "offline")
        for part in parts:
            self.tell(part, f"{name}-store", f"sqlite:///{self.folder}/mlflow.db")
        self.sync_models(f"{self.folder}/runs/{name}-live/one", "--status")
        self.sync_models(f"{self.folder}/runs/{name}-later/one", "--to", self.server.url)
        live = Way(self.server.url, f"{name}-live")
        later = Way(self.server.url, f"{name}-later")
        store = Way(f"sqlite:///{self.folder}/mlflow.db", f"{name}-store")
        self.assertGreater(len(store.models), 1)
        self.assert_same(live, later)
        self.assert_same_as_store(live, store)

    def test_e48_the_same_run_is_the_same_three_ways(self):
        self.three_ways(SEED, 400)

    def test_e48_so_is_a_long_one(self):
        self.three_ways(SEED + 1, 3000)

    def test_b24_a_trainer_killed_at_any_moment_leaves_nothing_lost_and_nothing_doubled(self):
        rng = random.Random(SEED)
        steps = 0
        for _ in range(6):
            probe = self.start_probe("killed", self.server.url)
            killer = threading.Timer(rng.uniform(0.5, 6), probe.kill)
            killer.start()
            try:
                while True:
                    for step in range(steps, steps + 50):
                        event = {"kind": "metric", "time_ns": BEGIN_NS + step * 1000000, "step": step, "key": "k"}
                        event["value"] = step
                        probe.stdin.write(json.dumps(event) + "\n")
                    probe.stdin.flush()
                    steps += 50
                    time.sleep(0.02)
            except BrokenPipeError:
                pass
            probe.wait()
            killer.join()
        (report,) = self.sync()
        self.assertTrue(report["is_complete"])
        c = MlflowClient(self.server.url)
        (run,) = c.search_runs([c.get_experiment_by_name("killed").experiment_id])
        points = [(m.step, m.value) for m in c.get_metric_history(run.info.run_id, "k")]
        self.assertEqual(len(points), len(set(points)), "doubled")
        self.assertEqual(len(points), report["points"]["all"])
        self.assertGreater(len(points), 100)


if __name__ == "__main__":
    main()
