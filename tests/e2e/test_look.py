"""What makes a run good to look at: the machine's load, tags, description, pictures, tables."""
import sqlite3

from harness import *

HOST = {"cpu_utilization_percentage", "system_memory_usage_megabytes", "system_memory_usage_percentage",
        "disk_usage_percentage", "disk_usage_megabytes", "disk_available_megabytes", "network_receive_megabytes",
        "network_transmit_megabytes"}
OFTEN = ("--set", "tracking.system_every=0.1")


class Look(Case):
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
        long = ("--set", "train.duration=10000000 steps", "--set", "checkpoint.every=50 steps")
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

    def test_f51_four_ranks_tell_of_themselves_in_one_run(self):
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


class Origin(Look):
    def tags(self):
        return dict(self.query("select key, value from tags"))

    def git(self, *words):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words], cwd=self.folder,
                       check=True, capture_output=True)

    def test_a_run_says_which_code_made_it_and_no_token(self):
        self.git("init", "-q", "-b", "topic")
        self.git("remote", "add", "origin", "https://me:C4N4RYT0KEN@example.org/team/models.git")
        (self.folder / "a.txt").write_text("a")
        self.git("add", "a.txt")
        self.git("commit", "-q", "-m", "a")
        (self.folder / "a.txt").write_text("b")
        self.env["MLFLOW_RUN_CONTEXT"] = json.dumps({"ci.job": "77", "team": "vision"})
        self.env["MLFLOW_PARENT_RUN_ID"] = "0123456789abcdef0123456789abcdef"
        out, err = self.run_it("train", SYNTHETIC, "-v", "--json")
        tags = self.tags()
        self.assertEqual(tags["mlflow.source.git.branch"], "topic")
        self.assertEqual(tags["mlflow.source.git.repoURL"], "https://example.org/team/models.git")
        self.assertEqual(tags["mlflow.source.git.dirty"], "true")
        self.assertEqual(len(tags["mlflow.source.git.commit"]), 40)
        self.assertEqual(tags["mlflow.parentRunId"], self.env["MLFLOW_PARENT_RUN_ID"])
        self.assertEqual((tags["ci.job"], tags["team"]), ("77", "vision"))
        self.assertNotIn("C4N4RYT0KEN", out + err)
        for path in self.folder.rglob("*"):
            if path.is_file() and ".git" not in path.parts:
                self.assertNotIn(b"C4N4RYT0KEN", path.read_bytes(), str(path))

    def test_the_description_ends_with_the_result_and_leaves_a_persons_words(self):
        self.train()
        note = self.tags()["mlflow.note.content"]
        for part in ("**test accuracy 0.9", "| `optimizer.learning_rate` | 3e-3 |", "tiltyard train",
                     "tiltyard eval runs/synthetic/", "layers.0.conv2d", "Most often mistaken"):
            self.assertIn(part, note)
        self.assertLess(len(note), 8000)
        about = dict(self.query("select key, value from experiment_tags"))
        self.assertIn("Models for synthetic", about["mlflow.note.content"])
        self.assertEqual(about["mlflow.experiment.primaryMetric.name"], "val/accuracy")
        self.assertEqual(about["mlflow.experiment.primaryMetric.greaterIsBetter"], "True")
        process = self.start("train", SYNTHETIC, "--fresh", "--set", "train.duration=5000 steps")
        find = "select run_uuid, value from tags where key = 'mlflow.note.content' and value like '%Started by%'"
        ((run, begun),) = self.wait_for(lambda: (self.folder / "mlflow.db").exists() and self.query(find))
        self.assertTrue(begun.startswith("Running"), begun)
        self.assertNotIn("Running", note)
        with sqlite3.connect(self.folder / "mlflow.db", timeout=30) as store:
            store.execute("update tags set value = 'mine' where run_uuid = ? and key = 'mlflow.note.content'", (run,))
        process.communicate(timeout=300)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(self.query("select value from tags where run_uuid = ? and key = 'mlflow.note.content'", run),
                         [("mine",)])


class Files(Look):
    STEPPED = re.compile(r"^(mistakes|training_samples)\+step\+(\d+)\+timestamp\+\d{13}"
                         r"\+z[0-9a-f]{16}(\+compressed)?\.png$")

    def images(self, run):
        """{key: {step: number of pictures}} of images by step; each has to be a PNG under a name that MLflow reads."""
        found = {}
        for path in sorted((self.folder / run / "artifacts/images").iterdir()):
            if path.name.startswith(".tmp-"):  # what a process that was killed was drawing
                continue
            match = self.STEPPED.match(path.name)
            self.assertTrue(match, path.name)
            self.assertEqual(path.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
            steps = found.setdefault(match.group(1), {})
            if match.group(3):  # what is drawn last
                steps[int(match.group(2))] = steps.get(int(match.group(2)), 0) + 1
        return found

    def test_c34_a_run_leaves_tables_and_pictures(self):
        done = self.train(ranks=2)
        artifacts = self.folder / done["run"] / "artifacts"
        table = [line.split(",") for line in (artifacts / "metrics.csv").read_text().splitlines()]
        self.assertEqual(table[0][0], "step")
        self.assertLessEqual({"train/loss", "val/accuracy", "test/accuracy"}, set(table[0]))
        self.assertEqual([len(row) for row in table], [len(table[0])] * len(table))
        steps = [int(row[0]) for row in table[1:]]
        self.assertEqual(steps, sorted(set(steps)))
        matrix = [line.split(",") for line in (artifacts / "confusion_matrix.csv").read_text().splitlines()]
        self.assertEqual(sum(int(v) for row in matrix[1:] for v in row[1:-1]), 1024)
        timings = (artifacts / "timings.csv").read_text().splitlines()
        self.assertEqual([row.split(",")[0] for row in timings], ["rank", "0", "1"])
        for name in ("confusion_matrix.png", "worst_mistakes.png"):
            self.assertEqual((artifacts / name).read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        evaluations = sorted(step for (step,) in self.query("select step from metrics where key = 'val/loss'"))
        self.assertEqual(len(evaluations), 4)
        shown = {evaluations[i]: 1 for i in (0, 1, 3)}  # the first, the double of it, the last
        self.assertEqual(self.images(done["run"]), {"mistakes": shown, "training_samples": {0: 1}})
        self.assertEqual(self.query("select value from tags where key = 'mlflow.loggedImages'"), [("True",)])

    def test_an_evaluation_that_is_done_again_has_one_picture(self):
        words = ("--set", "checkpoint.every=1000 steps", "--set", "checkpoint.best=none", "--set",
                 "train.duration=40 epochs")
        process = self.start("train", SYNTHETIC, *words)
        self.wait_for(lambda: len(list(self.folder.glob("runs/*/*/artifacts/images/mistakes*"))) > 8, what="pictures")
        process.kill()
        process.communicate()
        done = self.train(*words)
        for key, steps in self.images(done["run"]).items():
            self.assertEqual(set(steps.values()), {1}, key)

    def test_a_regression_of_a_table_has_no_pictures(self):
        rows = [f"{i % 13},{i % 5},{i % 13 * 2 + i % 5}\n" for i in range(600)]
        (self.folder / "t.csv").write_text("a,b,y\n" + "".join(rows))
        done = self.train("--set", "data.source=t.csv", "--set", "data.target=y", "--set", "data.task=regression",
                          config=ROOT / "configs/tabular.json")
        artifacts = self.folder / done["run"] / "artifacts"
        self.assertTrue((artifacts / "metrics.csv").is_file())
        self.assertEqual([p.name for p in artifacts.rglob("*.png")], [])
        (note,) = self.query("select value from tags where key = 'mlflow.note.content'")
        self.assertIn("mean absolute error", note[0])


if __name__ == "__main__":
    unittest.main()
