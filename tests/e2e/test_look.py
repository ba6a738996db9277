"""What makes a run good to look at: the machine's load, tags, description, pictures, tables."""
import sqlite3

from harness import *

HOST = {"cpu_utilization_percentage", "system_memory_usage_megabytes", "system_memory_usage_percentage",
        "disk_usage_percentage", "disk_usage_megabytes", "disk_available_megabytes", "network_receive_megabytes",
        "network_transmit_megabytes"}
OFTEN = ("--set", "tracking.system_every=0.1")


class Look(Case):
    def query(self, text, *values):
        with sqlite3.connect(self.folder / "mlflow.db") as store:
            return store.execute(text, values).fetchall()

    def load(self):
        """{key: [(step, value)]} of the machine's load."""
        found = {}
        for key, step, value in self.query("select key, step, value from metrics where key like 'system/%' "
                                           "order by step"):
            found.setdefault(key.removeprefix("system/"), []).append((step, value))
        return found


class Load(Look):
    def test_a_run_has_the_machines_load_under_mlflows_names(self):
        self.train(*OFTEN)
        load = self.load()
        self.assertEqual(set(load), HOST | {"process_cpu_percentage", "process_memory_megabytes"})
        for key, points in load.items():
            self.assertEqual([step for step, _ in points], list(range(len(points))), key)
            self.assertTrue(all(value >= 0 for _, value in points), key)
            if key.endswith("percentage") and not key.startswith("process"):
                self.assertTrue(all(value <= 100 for _, value in points), key)
        self.assertGreater(load["system_memory_usage_megabytes"][0][1], 1)

    def test_a_run_that_goes_on_counts_on(self):
        long = ("--set", "train.duration=100000 steps", "--set", "checkpoint.every=50 steps")
        process = self.start("train", SYNTHETIC, *OFTEN, *long)
        self.wait_for_checkpoint(process)
        process.send_signal(signal.SIGUSR1)
        process.communicate(timeout=120)
        self.assertEqual(process.returncode, 75)
        before = self.load()["cpu_utilization_percentage"]
        process = self.start("train", SYNTHETIC, *OFTEN, *long)
        self.wait_for(lambda: len(self.load()["cpu_utilization_percentage"]) > len(before), what="another point")
        process.send_signal(signal.SIGUSR1)
        process.communicate(timeout=120)
        after = self.load()["cpu_utilization_percentage"]
        self.assertEqual([step for step, _ in after], list(range(len(after))))
        self.assertEqual(after[:len(before)], before)

    def test_four_ranks_tell_of_themselves_in_one_run(self):
        done = self.train(*OFTEN, ranks=4)
        self.assertEqual(self.query("select count(*) from runs"), [(1,)])
        load = self.load()
        own = {f"rank_{r}/process_{what}" for r in range(4) for what in ("cpu_percentage", "memory_megabytes")}
        self.assertEqual(set(load), HOST | own)
        for key, points in load.items():
            self.assertEqual([step for step, _ in points], list(range(len(points))), key)
        quiet = self.train("--set", "tracking.system_every=0", "--dir", "quiet", ranks=4)
        self.assertEqual(quiet["params_hash"], done["params_hash"], "the post changes no bit")

    def test_the_environment_and_the_config_turn_it_off(self):
        self.env["MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"] = "false"
        self.train()
        self.assertEqual(self.load(), {})
        self.env["MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"] = "true"
        self.env["MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL"] = "0.1"
        self.env["MLFLOW_SYSTEM_METRICS_NODE_ID"] = "lab"
        self.train("--fresh")
        self.assertLessEqual({f"lab/{name}" for name in HOST}, set(self.load()))


if __name__ == "__main__":
    unittest.main()
