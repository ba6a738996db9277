"""`tiltyard sweep` as people use it: a file, slots, trials that are runs, killed and continued."""
import re

from harness import *

SPACE = {"optimizer.learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 0.1},
         "optimizer.weight_decay": {"values": [0, 0.01]}}
SMALL = {"train.duration": {"value": "20 steps"}, "eval.every": {"value": "5 steps"},
         "checkpoint.every": {"value": "5 steps"}, "data.source": {"value": "synthetic:512x1x8x8x4"},
         "train.global_batch_size": {"value": 32}, "checkpoint.export": {"value": False}}


class Sweep(Case):
    def file(self, name="s.json", **more):
        sweep = {"name": "s", "config": SYNTHETIC, "method": "random", "run_cap": 4, "seed": 3,
                 "metric": {"name": "val/loss", "goal": "minimize"}, "parameters": {**SPACE, **SMALL}}
        sweep.update(more)
        (self.folder / name).write_text(json.dumps(sweep, indent=1))
        return name

    def runs(self):
        return sorted(p.name for p in self.folder.glob("runs/*/*"))

    def trials(self, name="s"):
        out, _ = self.run_it("sweep", "show", name)
        return [line.split() for line in out.splitlines()[1:]]

    def best(self, out):
        return json.loads([line for line in out.splitlines() if '"event": "best"' in line][-1])


class Runs(Sweep):
    def test_each_trial_is_a_run_and_the_best_is_told(self):
        out, err = self.run_it("sweep", self.file(), "--json")
        self.assertEqual(self.runs(), ["s-0000", "s-0001", "s-0002", "s-0003"])
        trials = self.trials()
        self.assertEqual([t[1] for t in trials], ["done"] * 4)
        values = [float(t[2]) for t in trials]
        self.assertAlmostEqual(self.best(out)["value"], min(values), places=4)
        self.assertEqual(self.best(out)["run"], f"s-{values.index(min(values)):04}")
        self.assertIn("test    accuracy", err)
        self.assertEqual(json.loads((self.folder / "sweeps/s/test.json").read_text())["split"], "test")
        self.assertRegex(self.run_it("sweep", "replay", "s")[1], r"^all \d\d decisions of s are the same, bit for bit")

    def test_done_is_done(self):
        self.run_it("sweep", self.file())
        journal = (self.folder / "sweeps/s/sweep.journal").read_bytes()
        _, err = self.run_it("sweep", "s.json")
        self.assertIn("all trials are done", err)
        self.assertEqual((self.folder / "sweeps/s/sweep.journal").read_bytes(), journal)
        self.run_it("sweep", "s.json", "--set", "run_cap=5")
        self.assertEqual(len(self.trials()), 5)

    def test_slots_change_nothing(self):
        self.run_it("sweep", self.file(run_cap=6))
        one = self.trials()
        self.run_it("sweep", "s.json", "-j", 3, "--dir", "other")
        out, _ = self.run_it("sweep", "show", "s", "--dir", "other")
        self.assertEqual([line.split() for line in out.splitlines()[1:]], one)

    def test_children_stand_below_their_parent_in_mlflow(self):
        import sqlite3
        self.run_it("sweep", self.file())
        store = sqlite3.connect(self.folder / "mlflow.db")
        parent, = store.execute("select run_uuid from runs where name='s'").fetchone()
        children = store.execute("select count(*) from tags where key='mlflow.parentRunId' and value=?", [parent])
        self.assertEqual(children.fetchone()[0], 4)


class Shared(Sweep):
    def lines(self, path):
        return [json.loads(line) for line in (self.folder / path).read_text().splitlines()]

    def test_optunas_journal_is_written_along_and_its_export_has_every_end(self):
        self.run_it("sweep", self.file())
        live = self.lines("sweeps/s/optuna.journal")
        self.run_it("sweep", "export", "s", "--output", "out.journal")
        self.assertEqual(sorted(map(str, live)), sorted(map(str, self.lines("out.journal"))))
        ends = [line for line in live if line["op_code"] == 6]
        self.assertEqual([line["state"] for line in ends], [1] * 4)
        for end, trial in zip(ends, self.trials()):
            self.assertAlmostEqual(end["values"][0], float(trial[2]), places=4)

    def test_ask_and_tell_write_it_along_too(self):
        file = self.file(parameters=SPACE)
        self.run_it("sweep", "ask", file)
        self.run_it("sweep", "tell", "s", 0, 0.5)
        self.assertEqual(self.lines("sweeps/s/optuna.journal")[-1]["values"], [0.5])

    def test_trials_leave_as_csv_and_as_lines(self):
        import csv
        self.run_it("sweep", self.file())
        self.run_it("sweep", "export", "s", "--output", "out.csv")
        self.run_it("sweep", "export", "s", "--output", "out.jsonl")
        with open(self.folder / "out.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        lines = self.lines("out.jsonl")
        self.assertEqual([int(r["trial"]) for r in rows], [0, 1, 2, 3])
        for row, line in zip(rows, lines):
            self.assertEqual(line["state"], "complete")
            self.assertEqual(float(row["value"]), line["value"])
            self.assertEqual(float(row["optimizer.learning_rate"]), line["params"]["optimizer.learning_rate"])
            self.assertEqual([r["step"] for r in line["reports"]], [5, 10, 15, 20])
        _, err = self.run_it("sweep", "export", "s", "--output", "out.xml", code=2)
        self.assertIn("want FILE.csv, FILE.jsonl or FILE.journal", err)

    def test_importance_names_every_parameter_once(self):
        file = self.file(parameters=SPACE, run_cap=20, window=1)
        for i in range(20):
            asked = json.loads(self.run_it("sweep", "ask", file)[0])
            rate = asked["params"]["optimizer.learning_rate"]
            self.run_it("sweep", "tell", "s", i, abs(rate - 0.01))
        rows = [line.split() for line in self.run_it("sweep", "importance", "s")[0].splitlines()[1:]]
        self.assertEqual([row[0] for row in rows], ["optimizer.learning_rate", "optimizer.weight_decay"])
        self.assertAlmostEqual(sum(float(row[1].rstrip("%")) for row in rows), 100, delta=0.2)


class Stops(Sweep):
    def stopped(self, which, code):
        long = {**SPACE, **SMALL, "train.duration": {"value": "2000 steps"}}
        process = self.start("sweep", self.file(parameters=long, run_cap=2), "-j", 2)
        deadline = time.monotonic() + 120
        while len(list(self.folder.glob("runs/*/*/checkpoints/step_*.h5"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(which)
        _, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, code, err)
        return err

    def test_ctrl_c_saves_all_trials_and_the_same_command_goes_on(self):
        err = self.stopped(signal.SIGINT, 130)
        self.assertIn("2 trials save a checkpoint", err)
        self.assertTrue(all(t[1] == "runs" for t in self.trials()))
        self.run_it("sweep", "s.json", "-j", 2)
        self.assertEqual([t[1] for t in self.trials()], ["done"] * 2)

    def test_usr1_is_a_preemption(self):
        self.stopped(signal.SIGUSR1, 75)

    def test_it_is_asked_to_stop_from_elsewhere(self):
        process = self.start("sweep", self.file(run_cap=1000))
        while not list(self.folder.glob("runs/*/*")):
            time.sleep(0.1)
        self.run_it("sweep", "stop", "s")
        process.communicate(timeout=120)
        self.assertEqual(process.returncode, 75)
        self.assertFalse((self.folder / "sweeps/s/stop").exists())


class Refusals(Sweep):
    def refused(self, text, code=2, **more):
        _, err = self.run_it("sweep", self.file(**more), code=code)
        self.assertIn(text, err)
        self.assertFalse((self.folder / "sweeps").exists())
        self.assertFalse((self.folder / "runs").exists())
        return err

    def test_a_parameter_that_cannot_be_trained_with_is_told_with_its_place(self):
        err = self.refused("no config can have optimizer.learning_rate=-1",
                           parameters={"optimizer.learning_rate": {"min": -1.0, "max": 0.1}, **SMALL})
        self.assertRegex(err, r"s\.json:\d+:\d+")

    def test_an_unknown_parameter_is_told_with_the_nearest_key(self):
        self.refused('optimizer.learning_rat=0.1: unknown key "optimizer.learning_rat"; did you mean "learning_rate"?',
                     parameters={"optimizer.learning_rat": {"min": 0.1, "max": 0.2}})

    def test_an_unknown_metric_is_told_with_those_that_are_logged(self):
        _, err = self.run_it("sweep", self.file(metric={"name": "val/los"}), code=2)
        self.assertIn('no metric "val/los"', err)
        self.assertIn("val/loss", err)

    def test_another_space_wants_another_name(self):
        self.run_it("sweep", self.file())
        self.file(parameters={**SPACE, **SMALL, "optimizer.beta1": {"min": 0.8, "max": 0.9}})
        _, err = self.run_it("sweep", "s.json", code=2)
        self.assertIn("another identity", err)

    def test_two_processes_do_not_run_one_sweep(self):
        first = self.start("sweep", self.file(run_cap=1000))
        while not list(self.folder.glob("runs/*/*")):
            time.sleep(0.1)
        _, err = self.run_it("sweep", "s.json", code=75)
        self.assertIn("another process runs this sweep", err)
        first.send_signal(signal.SIGUSR1)
        first.communicate(timeout=120)

    def test_failing_trials_end_the_sweep(self):
        _, err = self.run_it("sweep", self.file(stop={"max_consecutive_failures": 2}, parameters={
            **SPACE, **SMALL, "data.source": {"value": "idx:/nowhere"}}))
        self.assertIn("too many trials in a row failed", err)


class Foreign(Sweep):
    """Any other program, and any other loop."""

    PROGRAM = """
import json, signal, sys, time
args = dict(a.lstrip("-").split("=") for a in sys.argv[1:])
print("hello", args, flush=True)
for step in range(1, 11):
    print(json.dumps({"step": step, "loss": float(args["x"]) ** 2 + 1 / step}), flush=True)
    time.sleep(0.01 if args["kind"] == "a" else 0.05)
sys.exit(3 if float(args["x"]) < -0.9 else 0)
"""

    def foreign(self, **more):
        (self.folder / "program.py").write_text(self.PROGRAM)
        sweep = {"name": "f", "method": "random", "run_cap": 5, "seed": 1, "program": "program.py",
                 "metric": {"name": "loss"}, "parameters": {"x": {"min": -0.8, "max": 1.0},
                                                            "kind": {"values": ["a", "b"]}}}
        sweep.update(more)
        (self.folder / "f.json").write_text(json.dumps(sweep))
        return "f.json"

    def test_its_json_lines_are_its_reports(self):
        self.run_it("sweep", self.foreign(), "-j", 2)
        trials = self.trials("f")
        self.assertEqual([(t[1], t[3]) for t in trials], [("done", "10")] * 5)
        x = [float(re.search(r"x=(\S+)", " ".join(t)).group(1)) for t in trials]
        for t, x_i in zip(trials, x):
            self.assertAlmostEqual(float(t[2]), x_i ** 2 + 0.1, places=4)
        self.assertIn("hello", (self.folder / "sweeps/f/logs/trial_0000.log").read_text())

    def test_a_program_that_fails_says_with_what(self):
        self.run_it("sweep", self.foreign(parameters={"x": {"value": -1}, "kind": {"values": ["a"]}}, run_cap=1))
        self.assertIn("it exited with 3", self.run_it("sweep", "show", "f")[0])

    def test_a_program_that_is_not_there_says_so(self):
        _, err = self.run_it("sweep", self.foreign(command=["/nowhere/program", "${args}"], run_cap=1))
        self.assertIn("exited with 127", err)

    def test_slots_share_the_gpus_out(self):
        program = "import json, os; print(json.dumps({'loss': 1})); print(os.environ['CUDA_VISIBLE_DEVICES'])"
        self.env["CUDA_VISIBLE_DEVICES"] = "3,5"
        self.foreign(command=["python3", "-c", program], run_cap=4, resources={"gpus_per_trial": 1})
        self.run_it("sweep", "f.json", "-j", 2)
        logs = "".join(p.read_text() for p in (self.folder / "sweeps/f/logs").glob("*.log"))
        self.assertEqual(set(re.findall(r"^\d+$", logs, re.M)), {"3", "5"})
        _, err = self.run_it("sweep", "f.json", "-j", 3, "--dir", "three", code=2)
        self.assertIn("3 trials at once want 3 GPUs", err)
        self.run_it("sweep", "f.json", "-j", 4, "--set", "resources.trials_per_gpu=2", "--dir", "four")

    def test_what_cannot_be_done_is_refused(self):
        _, err = self.run_it("sweep", self.foreign(method="custom"), code=2)
        self.assertIn("`tiltyard sweep ask`", err)
        _, err = self.run_it("sweep", self.foreign(warm_start=["old"]), code=2)
        self.assertIn("warm_start", err)
        self.assertFalse((self.folder / "sweeps").exists())

    def test_another_loop_asks_and_tells(self):
        self.foreign(run_cap=2)
        seen = []
        while True:
            out, _ = self.run_it("sweep", "ask", "f.json")
            asked = json.loads(out)
            if asked["kind"] == "done":
                break
            n, x = asked["trial"], asked["params"]["x"]
            seen.append(n)
            out, _ = self.run_it("sweep", "tell", "f", n, x ** 2, "--step", 1)
            self.assertEqual(json.loads(out)["answer"], "continue")
            self.run_it("sweep", "tell", "f", n, x ** 2)
        self.assertEqual(seen, [0, 1])
        self.assertEqual([t[1] for t in self.trials("f")], ["done"] * 2)
        self.run_it("sweep", "tell", "f", 7, 1, code=1)
        self.run_it("sweep", "tell", "f", "x", 1, code=2)


class Kills(Sweep):
    """SIGKILL at any moment, again and again: what was told stays told, and the end is the same."""

    KILLS = int(os.environ.get("TILTYARD_KILLS", 200))

    def sit(self, cap, patience):
        """One sitting of at most so many seconds; whether it was killed."""
        process = self.start("sweep", "s.json", "--set", f"run_cap={cap}", "-j", self.random.choice([1, 2, 3]))
        try:
            _, err = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return True
        self.assertEqual(process.returncode, 0, err)
        return False

    def test_killed_again_and_again_it_is_the_same_sweep(self):
        self.file()
        kills, cap = 0, 8
        while kills < self.KILLS:
            was_killed = self.sit(cap, self.random.uniform(0.02, 0.8))
            kills += was_killed
            cap += 0 if was_killed else 8  # done too early: more trials
        self.assertFalse(self.sit(cap, 600))
        print(f"{kills} kills, {cap} trials", flush=True)
        killed, _ = self.run_it("sweep", "show", "s")
        self.run_it("sweep", "replay", "s")
        self.run_it("sweep", "s.json", "--set", f"run_cap={cap}", "-j", 2, "--dir", "whole", timeout=600)
        self.assertEqual(killed, self.run_it("sweep", "show", "s", "--dir", "whole")[0])


if __name__ == "__main__":
    unittest.main()
