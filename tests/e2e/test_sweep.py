"""`tiltyard sweep` as people use it: a file, slots, trials that are runs, stopped and continued."""
import contextlib
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

    def test_its_help_names_every_verb(self):
        _, err = self.run_it("sweep", "nothing", "s", code=2)
        verbs = err.split("want one of ")[1].split()
        self.assertGreater(len(verbs), 10)
        told = self.run_it("sweep", "--help")[0]
        for verb in verbs:
            self.assertRegex(told, rf"  {verb.rstrip(',')}( |$)")

    def step_tested(self, seed, name, goal, value):
        """The step at which the only trial of a sweep by this metric was tested, which is where it was best by it."""
        long = {**SMALL, "train.duration": {"value": "60 steps"}, "optimizer.learning_rate": {"values": [0.2]},
                "seed": {"value": seed}}
        at = f"{name[4:]}-{value}-{seed}"
        self.run_it("sweep", self.file(config="else.json", parameters=long, run_cap=1,
                                       metric={"name": name, "goal": goal, "value": value}), "--dir", at)
        self.run_it("sweep", "export", "s", "--output", "s.jsonl", "--dir", at)
        trial, = map(json.loads, (self.folder / "s.jsonl").read_text().splitlines())
        steps = [r["step"] for r in trial["reports"] if r["value"] == trial["value"]]
        wanted = trial["reports"][-1]["step"] if value == "last" else steps[0]
        tested = json.loads((self.folder / at / "sweeps/s/test.json").read_text())
        run = self.folder / at / "runs/synthetic/s-0000"
        kept = run / f"checkpoints/step_{wanted:012}.h5"
        self.assertTrue(kept.exists(), sorted(p.name for p in run.glob("checkpoints/*")))
        out, _ = self.run_it("eval", run, "--split", "test", "--json", "--checkpoint", kept)
        self.assertEqual(json.loads(out)["loss"], tested["loss"])
        return wanted

    def test_the_best_trial_is_tested_where_it_was_best_by_the_sweeps_metric(self):
        """On a seed whose curves have three such places: which one that is depends on the processor's bits."""
        config = self.folder / "else.json"
        config.write_text(json.dumps({"extends": SYNTHETIC, "checkpoint": {"best": "val/accuracy:max", "keep": 1}}))
        for seed in range(1, 20):
            metrics = [("val/loss", "minimize", "best"), ("val/accuracy", "maximize", "best"),
                       ("val/loss", "minimize", "last")]
            if len({self.step_tested(seed, *metric) for metric in metrics}) == 3:
                return
        self.fail("no seed has its least loss, best accuracy and end at three places")

    def test_a_sweep_file_may_say_itself_which_checkpoint_is_best(self):
        best = {"checkpoint.best": {"value": "val/accuracy:max"}}
        self.run_it("sweep", self.file(parameters={**SPACE, **SMALL, **best}, run_cap=1))
        config, = self.folder.glob("runs/*/*/config.json")
        self.assertEqual(json.loads(config.read_text())["checkpoint"]["best"], "val/accuracy:max")

    def test_a_program_that_is_replaced_while_it_runs_goes_on_as_it_is(self):
        """As an upgrade does it, or a build."""
        program = self.folder / "tiltyard"
        shutil.copy(BINARY, program)
        sweep = subprocess.Popen([program, "sweep", self.file(run_cap=4)], cwd=self.folder, env=self.env,
                                 stderr=subprocess.PIPE, text=True)
        self.wait_for(lambda: (self.folder / "sweeps/s/logs/trial_0000.log").exists(), what="the first trial")
        program.unlink()
        program.write_text("half a program")
        _, err = sweep.communicate(timeout=300)
        self.assertEqual(sweep.returncode, 0, err)
        self.assertEqual([trial[1] for trial in self.trials()], ["done"] * 4, err)
        self.assertIn("of the best trial", err)

    def test_done_is_done(self):
        self.run_it("sweep", self.file())
        journal = (self.folder / "sweeps/s/sweep.journal").read_bytes()
        _, err = self.run_it("sweep", "s.json")
        self.assertIn("all trials are done", err)
        self.assertEqual((self.folder / "sweeps/s/sweep.journal").read_bytes(), journal)
        self.run_it("sweep", "s.json", "--set", "run_cap=5")
        self.assertEqual(len(self.trials()), 5)

    def test_a_resume_goes_on_to_the_bound_that_was_said_last(self):
        self.run_it("sweep", self.file(run_cap=2))
        self.run_it("sweep", "s.json", "--set", "run_cap=3")
        _, err = self.run_it("sweep", "resume", "s")
        self.assertIn("all trials are done", err)
        self.assertEqual(json.loads((self.folder / "sweeps/s/sweep.json").read_text())["run_cap"], 3)
        self.assertEqual(len(self.trials()), 3)

    def test_a_sweep_stays_in_the_experiment_that_it_was_begun_in(self):
        config = self.folder / "plain.json"
        config.write_text(json.dumps({"extends": SYNTHETIC, "experiment": None}))
        self.env["MLFLOW_EXPERIMENT_NAME"] = "begun"
        _, err = self.run_it("sweep", self.file(config="plain.json", run_cap=1))
        self.assertIn("test    accuracy", err)
        del self.env["MLFLOW_EXPERIMENT_NAME"]
        config.write_text(json.dumps({"extends": SYNTHETIC, "experiment": "later"}))
        _, err = self.run_it("sweep", "s.json", "--set", "run_cap=2")
        self.assertNotIn("failed", err)
        self.assertEqual(sorted(p.name for p in self.folder.glob("runs/*")), ["begun"])
        self.assertEqual(self.runs(), ["s-0000", "s-0001"])

    def test_types_with_keys_of_their_own_are_chosen_among(self):
        space = {"optimizer.type": {"values": ["adamw", "sgd"]}, "optimizer.momentum": {"min": 0.5, "max": 0.99},
                 "schedule.type": {"value": "step"}, "schedule.every": {"value": "10 steps"},
                 "optimizer.beta2": {"min": 0.9, "max": 0.999}}
        when = [{"when": {"optimizer.type": "sgd"}, "parameters": ["optimizer.momentum"]},
                {"when": {"optimizer.type": "adamw"}, "parameters": ["optimizer.beta2"]}]
        self.run_it("sweep", self.file(parameters={**SMALL, **space}, conditions=when, run_cap=6))
        self.assertEqual([t[1] for t in self.trials()], ["done"] * 6)
        configs = [json.loads(path.read_text()) for path in self.folder.glob("runs/*/*/config.json")]
        self.assertEqual({config["optimizer"]["type"] for config in configs}, {"adamw", "sgd"})

    def test_a_fixed_value_that_cannot_be_is_said_once_and_where_it_stands(self):
        fixed = {"optimizer.type": {"value": "sgd"}, "optimizer.momentum": {"value": 0.9}}
        self.file(parameters={**SPACE, **SMALL, **fixed, "optimizer.beta2": {"value": 0.9}})
        _, err = self.run_it("sweep", "s.json", code=2)
        self.assertEqual(err.count("no config can have"), 1, err)
        self.assertIn("optimizer.beta2", err)

    def test_what_a_program_left_in_its_run_is_held_to_the_limits(self):
        (self.folder / "log.py").write_text("""import os, sqlite3, sys
store = sqlite3.connect(os.environ["MLFLOW_TRACKING_URI"].replace("sqlite:///", "", 1), timeout=60)
kind = sys.argv[1].split("=")[1]
for key, value in (("loss", 1.5), ("latency", 12.0 if kind == "slow" else 3.0)):
    row = (key, 0.0 if kind == "nan" else value, kind == "nan", os.environ["MLFLOW_RUN_ID"])
    store.execute("INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)"
                  " VALUES (?, ?, 1, 0, ?, ?)", row)
store.commit()
""")
        self.run_it("sweep", self.file(config=None, command=["python3", "log.py", "${args}"], method="grid", run_cap=3,
                                       parameters={"kind": {"values": ["slow", "quick", "nan"]}},
                                       metric={"name": "loss", "goal": "minimize"},
                                       constraints=[{"metric": "latency", "max": 10}]))
        self.run_it("sweep", "export", "s", "--output", "s.jsonl")
        trials = [json.loads(line) for line in (self.folder / "s.jsonl").read_text().splitlines()]
        self.assertEqual([t["state"] for t in trials], ["complete", "complete", "failed"])
        self.assertEqual([t["violation"] for t in trials[:2]], [2, 0])

    def test_one_value_is_a_fixed_one(self):
        sgd = {"optimizer.type": {"values": ["sgd"]}, "optimizer.momentum": {"values": [0.5, 0.9]},
               "optimizer.nesterov": {"value": True}}
        out, _ = self.run_it("sweep", "ask", self.file(parameters={**SPACE, **SMALL, **sgd}))
        self.assertEqual(json.loads(out)["params"]["optimizer.type"], "sgd")
        sgd["optimizer.momentum"] = {"values": [1.5]}
        _, err = self.run_it("sweep", "ask", self.file(name="other.json", parameters={**SMALL, **sgd}), code=2)
        self.assertEqual(err.count("no config can have"), 1, err)
        self.assertIn("no config can have optimizer.momentum=1.5", err)

    def test_a_config_that_does_not_go_with_what_is_fixed_is_said_of_itself(self):
        (self.folder / "adamw.json").write_text(json.dumps({"extends": SYNTHETIC, "optimizer": {"beta2": 0.99}}))
        space = {**SPACE, **SMALL, "optimizer.type": {"value": "sgd"}}
        _, err = self.run_it("sweep", self.file(config="adamw.json", parameters=space), code=2)
        self.assertNotIn("no config can have", err)
        self.assertRegex(err, r"the config cannot have the values that are fixed: .*optimizer\.beta2")

    def test_every_sweep_file_of_ours_can_be_asked(self):
        for path in sorted((ROOT / "configs/sweeps").glob("*.yaml")):
            with self.subTest(path.name):
                self.assertTrue(json.loads(self.run_it("sweep", "ask", path)[0])["params"])

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
        _, err = self.run_it("sweep", "export", "s", "--output", "out.jsonl")
        self.assertEqual(err, "wrote out.jsonl\n")
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
        plotted = self.run_it("sweep", "plot", "s", "--what", "importance")
        self.assertEqual(plotted, self.run_it("sweep", "importance", "s"))


class Stops(Sweep):
    def begun(self, steps):
        """A sweep that is stopped while both of its trials have saved something and wait for its answer, or will."""
        long = {**SPACE, **SMALL, "train.duration": {"value": f"{steps} steps"}}
        process = self.start("sweep", self.file(parameters=long, run_cap=2), "-j", 2)
        saved = lambda: {p.parent for p in self.folder.glob("runs/*/*/checkpoints/step_*.h5")}
        self.wait_for(lambda: len(saved()) == 2 or process.poll() is not None, seconds=120, what="two checkpoints")
        process.send_signal(signal.SIGSTOP)
        return process

    def are_amid(self, steps):
        """Both in the first half of their evaluations, one every five steps."""
        return all(t[1] == "running" and int(t[3]) <= steps // 10 for t in self.trials())

    def stopped(self, which, code):
        steps = 2000
        process = self.begun(steps)
        while not self.are_amid(steps):  # a machine that is too fast for so few
            process.send_signal(signal.SIGCONT)
            _, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, err)
            for name in "sweeps", "runs":
                shutil.rmtree(self.folder / name)
            steps *= 4
            process = self.begun(steps)
        process.send_signal(which)
        process.send_signal(signal.SIGCONT)
        _, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, code, err)
        return err

    def test_ctrl_c_saves_all_trials_and_the_same_command_goes_on(self):
        err = self.stopped(signal.SIGINT, 130)
        self.assertIn("2 trials save a checkpoint", err)
        self.assertIn("no trial is done with a value of val/loss", err)
        self.assertEqual([t[1] for t in self.trials()], ["interrupted"] * 2)
        self.assertEqual((self.folder / "sweeps/s/report.html").read_text().count("</i>interrupted</td>"), 2)
        self.run_it("sweep", "s.json", "-j", 2)
        self.assertEqual([t[1] for t in self.trials()], ["done"] * 2)

    def test_ctrl_c_ends_the_test_of_the_best_trial_and_the_same_command_makes_it(self):
        # A quarter of so many is test data.
        big = {**SMALL, "data.source": {"value": "synthetic:600000x1x8x8x4"}, "data.val_fraction": {"value": 0.001}}
        process = self.start("sweep", self.file(parameters={**SPACE, **big}, run_cap=1))
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        def begun():
            for pid in children.read_text().split():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a trial's, which has gone
                    if b"eval" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                        return int(pid)
        os.kill(self.wait_for(begun, what="the test"), signal.SIGSTOP)  # it will not end by itself
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("testing the best trial was interrupted: the same command does it", err)
        self.assertFalse((self.folder / "sweeps/s/test.json").exists())
        _, err = self.run_it("sweep", "s.json")
        self.assertRegex(err, r"test +accuracy \S+ of the best trial")

    def test_usr1_is_a_preemption(self):
        self.stopped(signal.SIGUSR1, 75)

    def test_it_is_asked_to_stop_from_elsewhere(self):
        process = self.start("sweep", self.file(run_cap=100000))
        self.wait_for(lambda: list(self.folder.glob("runs/*/*")), what="a trial's run")
        _, err = self.run_it("sweep", "stop", "s")
        self.assertIn("s is asked to stop", err)
        process.communicate(timeout=120)
        self.assertEqual(process.returncode, 75)
        self.assertFalse((self.folder / "sweeps/s/stop").exists())
        _, err = self.run_it("sweep", "stop", "s")
        self.assertIn("nobody runs s: there is nothing to stop", err)
        self.assertFalse((self.folder / "sweeps/s/stop").exists(), "a request to who will run it")
        done = len(self.trials())
        self.run_it("sweep", "resume", "s", "--set", f"run_cap={done + 1}")
        self.assertEqual(len(self.trials()), done + 1)


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

    def test_a_value_that_some_types_have_alone_is_told_to_want_a_condition(self):
        some = {"optimizer.type": {"values": ["sgd", "adamw"]}, **SMALL}
        err = self.refused("no config can have optimizer.momentum=0.9: unknown key",
                           parameters={"optimizer.momentum": {"value": 0.9}, **some})
        self.assertIn('if some choices of optimizer.type have it, write "values" and a condition', err)
        on_sgd = {"when": {"optimizer.type": "sgd"}, "parameters": ["optimizer.momentum"]}
        good = {"optimizer.momentum": {"values": [0.9]}, **some}
        self.run_it("sweep", self.file(parameters=good, conditions=[on_sgd], run_cap=2))

    def test_an_unknown_parameter_is_told_with_the_nearest_key(self):
        for name, meant in (("optimizer.learning_rat", "optimizer.learning_rate"), ("optimzer", "optimizer"),
                            ("optimizer.micro_batch_size", "train.micro_batch_size")):
            self.refused(f'{name}=0.1: unknown key "{name}"; did you mean "{meant}"?',
                         parameters={name: {"min": 0.1, "max": 0.2}})

    def test_an_unknown_metric_is_told_with_those_that_are_logged(self):
        _, err = self.run_it("sweep", self.file(metric={"name": "val/los"}), code=2)
        self.assertIn('no metric "val/los"', err)
        self.assertIn("val/loss", err)

    def test_a_sweep_that_was_refused_for_its_metric_goes_on_with_the_right_one(self):
        for ranks in (), ("-n", 2):
            at = ("--dir", f"d{len(ranks)}")
            self.run_it("sweep", self.file(metric={"name": "val/los", "goal": "maximize"}), *ranks, *at, code=2)
            journal = (self.folder / at[1] / "sweeps/s/sweep.journal").read_bytes()
            _, err = self.run_it("sweep", self.file(), *ranks, *at)
            self.assertIn("no trial has a result yet: it is measured as the sweep file says now", err)
            self.assertTrue((self.folder / at[1] / "sweeps/s/sweep.journal").read_bytes().startswith(journal))
            kept = json.loads((self.folder / at[1] / "sweeps/s/sweep.json").read_text())
            self.assertEqual(kept["metric"], {"name": "val/loss", "goal": "minimize"})
            params = self.query("SELECT key, value FROM params JOIN runs USING (run_uuid) WHERE name = 's' AND "
                                "key IN ('metric', 'goal') ORDER BY key", store=f"{at[1]}/mlflow.db")
            self.assertEqual(params, [("goal", "minimize"), ("metric", "val/loss")])
            optunas = (self.folder / at[1] / "sweeps/s/optuna.journal").read_text()
            self.assertEqual(json.loads(optunas.splitlines()[0])["directions"], [1])
            out, _ = self.run_it("sweep", "show", "s", *at)
            self.run_it("sweep", self.file(), "--dir", "whole")
            self.assertEqual(out, self.run_it("sweep", "show", "s", "--dir", "whole")[0])
            _, err = self.run_it("sweep", "replay", "s", *at)
            self.assertIn("are the same, bit for bit", err)
            self.file(metric={"name": "val/accuracy"})
            _, err = self.run_it("sweep", "s.json", *at, code=2)
            self.assertIn("want another name for it (--set name=...)", err)

    def test_a_limit_on_a_metric_that_nobody_logs_is_told_at_the_first_evaluation(self):
        every = {"tracking.log_every": {"value": "10 steps"}}  # its points come behind the first evaluation
        more = {"run_cap": 2, "parameters": {**SPACE, **SMALL, **every}}
        for ranks in (), ("-n", 2):
            _, err = self.run_it("sweep", self.file(constraints=[{"metric": "val/latency", "max": 10}], **more),
                                 *ranks, code=2)
            self.assertRegex(err, 'no metric "val/latency", which has a limit; they log .*val/loss')
            self.assertEqual({t[3] for t in self.trials()}, {"0"})
        _, err = self.run_it("sweep", self.file(constraints=[{"metric": "train/gradient_norm", "max": 1e9}], **more))
        self.assertIn("no trial has a result yet", err)
        self.assertEqual([t[1] for t in self.trials()], ["done"] * 2)
        wrong = self.file("w.json", constraints=[{"metric": "train/gradient_nrm", "max": 1}], **more)
        _, err = self.run_it("sweep", wrong, "--set", "name=w", code=2)
        self.assertRegex(err, 'no metric "train/gradient_nrm", which has a limit; they log .*train/gradient_norm')

    def test_another_metric_wants_another_name(self):
        self.run_it("sweep", self.file())
        self.file(metric={"name": "val/accuracy"})
        _, err = self.run_it("sweep", "s.json", code=2)
        self.assertIn('another identity: metric.name was "val/loss" and is "val/accuracy" now', err)

    def test_two_processes_do_not_run_one_sweep(self):
        first = self.start("sweep", self.file(run_cap=100000))
        self.wait_for(lambda: list(self.folder.glob("runs/*/*")), what="a trial's run")
        _, err = self.run_it("sweep", "s.json", code=75)
        self.assertIn("another process runs this sweep", err)
        first.send_signal(signal.SIGUSR1)
        first.communicate(timeout=120)

    def test_failing_trials_end_the_sweep(self):
        file = self.file(stop={"max_consecutive_failures": 2}, parameters={
            **SPACE, **SMALL, "data.source": {"value": "idx:/nowhere"}})
        for _ in range(2):  # it is the same when it is asked again
            _, err = self.run_it("sweep", file, code=1)
            self.assertIn("too many trials in a row failed", err)
            self.assertRegex(err, r'the last one, trial 1: .*data\.source "idx:/nowhere" is no file.*; '
                                  r'its log is \./sweeps/s/logs/trial_0001\.log\n$')
        self.assertIn("idx:/nowhere", (self.folder / "sweeps/s/logs/trial_0001.log").read_text())

    def test_a_sweep_in_which_every_trial_failed_has_failed(self):
        parameters = {**SPACE, **SMALL, "data.source": {"value": "idx:/nowhere"}}
        for more in (), ("-n", 2):
            _, err = self.run_it("sweep", self.file(run_cap=3, parameters=parameters), *more, "--dir", f"d{len(more)}",
                                 code=1)
            self.assertIn("every trial has failed; the last one, trial ", err)
            self.assertIn(f"its log is d{len(more)}/sweeps/s/logs/trial_000", err)
            self.assertNotIn("test    ", err)
        self.assertEqual(self.query("SELECT status FROM runs WHERE name = 's'", store="d0/mlflow.db"), [("FAILED",)])

    def test_a_sweep_file_or_config_that_is_not_there_is_a_slip_of_usage(self):
        _, err = self.run_it("sweep", "nowhere.json", code=2)
        self.assertIn("reading the sweep file: cannot open nowhere.json", err)
        err = self.refused("reading the config: cannot open nowhere.json", config="nowhere.json")
        self.assertRegex(err, r"s\.json:\d+:\d+: ")


class Changes(Sweep):
    """The sweep file is another one when the sweep goes on."""

    def test_another_space_goes_on_with_what_is_known_in_it(self):
        self.run_it("sweep", self.file())
        rates = [float(t[4].split("=")[1]) for t in self.trials()]
        middle = 0.999 * sorted(rates)[1]
        narrow = {**SPACE, "optimizer.learning_rate": {"distribution": "log_uniform_values", "min": middle, "max": 0.1}}
        file = self.file(parameters={**narrow, **SMALL}, run_cap=6)
        _, err = self.run_it("sweep", file)
        self.assertIn("space 2 from here on, which knows 3 of the 4 trials before it", err)
        out, said = self.run_it("sweep", "show", "s")
        self.assertIn("space 2, from trial 4 on", said)
        self.assertEqual([line.rsplit("  ", 1)[1].strip() for line in out.splitlines()[1:]],
                         ["1" if rate >= middle else "1, left out" for rate in rates] + ["2", "2"])
        self.assertRegex(self.run_it("sweep", "replay", "s")[1], r"^all \d\d decisions of s are the same, bit for bit")
        _, err = self.run_it("sweep", "resume", "s", "--set", "run_cap=7")
        self.assertNotIn("from here on", err)

    def test_a_new_parameter_has_its_default_in_earlier_trials(self):
        self.run_it("sweep", self.file())
        beta = {"min": 0.8, "max": 0.95, "default": 0.9}
        _, err = self.run_it("sweep", self.file(parameters={**SPACE, **SMALL, "optimizer.beta1": beta}, run_cap=5))
        self.assertIn("which knows 4 of the 4 trials before it", err)
        self.assertIn("optimizer.beta1=", self.run_it("sweep", "show", "s")[0].splitlines()[5])

    def test_points_are_tried_first_and_more_can_be_enqueued(self):
        file = self.file(parameters=SPACE, points=[{"optimizer": {"learning_rate": 0.002}}])
        first = json.loads(self.run_it("sweep", "ask", file)[0])["params"]
        self.assertEqual(first["optimizer.learning_rate"], 0.002)
        self.assertIn(first["optimizer.weight_decay"], [0, 0.01])
        _, err = self.run_it("sweep", "enqueue", "s", "optimizer.learning_rate=5e-3", "optimizer.weight_decay=0.01")
        self.assertIn("s tries it next; 1 point waits", err)
        _, err = self.run_it("sweep", "show", "s")
        self.assertIn("queue   1 point waits to be tried next\n"
                      "        optimizer.learning_rate=0.005 optimizer.weight_decay=0.01\n", err)
        second = json.loads(self.run_it("sweep", "ask", "s")[0])["params"]
        self.assertEqual(second, {"optimizer.learning_rate": 0.005, "optimizer.weight_decay": 0.01})
        self.assertNotIn("to be tried next", self.run_it("sweep", "show", "s")[1])
        third = json.loads(self.run_it("sweep", "ask", "s")[0])["params"]
        self.assertNotIn(third["optimizer.learning_rate"], [0.002, 0.005])
        _, err = self.run_it("sweep", "enqueue", "s", "optimizer.learning_rate=5", code=2)
        self.assertIn("optimizer.learning_rate is never 5", err)
        _, err = self.run_it("sweep", "enqueue", "s", "optimizer.learning_rat=0.01", code=2)
        self.assertIn('did you mean "optimizer.learning_rate"?', err)
        self.assertRegex(self.run_it("sweep", "replay", "s")[1], r"^all 3 decisions of s are the same, bit for bit")

    def imports(self, name):
        """What the journal of a sweep began with: its first record behind 8 bytes of header and 24 of frame."""
        import struct
        data = (self.folder / f"sweeps/{name}/sweep.journal").read_bytes()
        length, kind = struct.unpack("<II", data[8:16])
        self.assertEqual(kind, 1)
        return json.loads(data[32:32 + length]).get("imports", [])

    def test_earlier_trials_are_known_from_the_start(self):
        self.run_it("sweep", self.file())
        sources = ["s", "sweeps/s/optuna.journal", "run:s"]
        _, err = self.run_it("sweep", self.file("t.json", warm_start=sources, run_cap=2), "--set", "name=t")
        for source in sources:
            self.assertIn(f"4 trials of {source} are known from the start", err)
        ours, optunas, runs = (self.imports("t")[i:i + 4] for i in (0, 4, 8))
        for a, b, c in zip(ours, optunas, runs):
            self.assertEqual((a["state"], b["state"], c["state"]), ("complete",) * 3)
            self.assertEqual(a["value"], b["value"])
            self.assertEqual(a["value"], c["value"])
            for key, value in b["params"].items():
                self.assertEqual(a["params"][key], value)
                self.assertEqual(float(c["params"][key]), value)
        self.assertIn("12 trials from elsewhere, of which 12 are points of the space",
                      self.run_it("sweep", "show", "t")[1])
        (self.folder / "sweeps/s/sweep.journal").unlink()
        self.run_it("sweep", "t.json", "--set", "name=t", "--set", "run_cap=3")
        self.assertRegex(self.run_it("sweep", "replay", "t")[1], "are the same, bit for bit")
        self.assertEqual(len(self.imports("t")), 12)

    def test_exported_runs_are_known_from_the_start(self):
        self.run_it("sweep", self.file())
        runs = [f"s-000{number}" for number in range(4)]
        for output in "runs.jsonl", "runs.csv":
            self.run_it("runs", "export", *runs, "--output", output)
        with open(self.folder / "runs.jsonl", "a") as file:
            line = json.loads((self.folder / "runs.jsonl").read_text().splitlines()[0])
            file.write(json.dumps({**line, "metrics": {}}) + "\n" + json.dumps({**line, "state": "failed"}) + "\n{")
        sources = ["s", "runs.jsonl", "runs.csv"]
        _, err = self.run_it("sweep", self.file("t.json", warm_start=sources, run_cap=1), "--set", "name=t")
        for source in sources:
            self.assertIn(f"4 trials of {source} are known from the start", err)
        self.assertIn("runs.jsonl: 1 lines could not be read", err)
        self.assertIn("runs.jsonl: 1 runs have no val/loss and are left out", err)
        self.assertIn("runs.jsonl: 1 runs failed, or have not ended, and are left out", err)
        ours, lines, rows = (self.imports("t")[i:i + 4] for i in (0, 4, 8))
        for a, b, c in zip(ours, lines, rows):
            for run in b, c:
                self.assertEqual((run["state"], run["value"]), ("complete", a["value"]))
                self.assertEqual({k: float(v) for k, v in run["params"].items()}, {k: a["params"][k] for k in SPACE})
        self.assertIn("12 trials from elsewhere, of which 12 are points of the space",
                      self.run_it("sweep", "show", "t")[1])
        _, err = self.run_it("sweep", self.file("u.json", warm_start=["runs.csv#s"]), "--set", "name=u", code=2)
        self.assertIn("runs.csv#s is neither an Optuna journal nor what `tiltyard runs export` writes", err)

    def test_a_search_for_the_opposite_is_refused(self):
        self.run_it("sweep", self.file())
        opposite = self.file("t.json", warm_start=["s"], metric={"name": "val/loss", "goal": "maximize"})
        _, err = self.run_it("sweep", opposite, "--set", "name=t", code=2)
        self.assertRegex(err, r"t\.json:\d+:\d+: .*s was to be minimized, and this sweep is to be maximized")
        self.assertFalse((self.folder / "sweeps/t").exists())


if __name__ == "__main__":
    unittest.main()
