"""Sweeps of any other program, and of any other loop."""
import fcntl
import re

from harness import *
import test_sweep
from test_sweep import SMALL, SPACE


class Foreign(test_sweep.Sweep):
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
        bad = self.foreign(parameters={"x": {"value": -1}, "kind": {"values": ["a"]}}, run_cap=1)
        _, err = self.run_it("sweep", bad, code=1)
        self.assertIn("trial 0: it exited with 3; its log is ./sweeps/f/logs/trial_0000.log", err)
        self.assertIn("it exited with 3, see logs/trial_0000.log", self.run_it("sweep", "show", "f")[0])

    def test_a_program_that_cannot_be_started_says_so(self):
        (self.folder / "lost.sh").write_text("#!/nowhere/sh\n")
        (self.folder / "lost.sh").chmod(0o755)
        _, err = self.run_it("sweep", self.foreign(command=["./lost.sh", "${args}"], run_cap=1), code=1)
        self.assertIn("exited with 127", err)

    def test_a_program_that_is_not_there_is_told_before_the_first_trial(self):
        (self.folder / "plain.sh").write_text("#!/bin/sh\n")
        (self.folder / "folder").mkdir()
        behind = ["${env}", "WORD=1", "nowhere"]  # env's own business
        for more, said in (({"command": ["/nowhere/program", "${args}"]}, 'no program "/nowhere/program"'),
                           ({"command": ["tiltyard-nowhere"]}, 'no program "tiltyard-nowhere" in the folders of PATH'),
                           ({"command": ["${env}", "tiltyard-nowhere"]}, 'no program "tiltyard-nowhere"'),
                           ({"command": ["./plain.sh"]}, 'the program "./plain.sh" may not be executed'),
                           ({"command": ["./folder"]}, 'the program "./folder" may not be executed'),
                           ({"command": ["${program}"], "program": "plain.sh"}, "is ./NAME"),
                           ({"command": ["sh", "${program}"], "program": "nowhere.sh"}, 'no program "nowhere.sh"'),
                           ({"command": ["sh", "${program}"], "program": None}, '"${program}" has no value'),
                           ({"program": "nowhere.py"}, 'no program "nowhere.py"')):
            with self.subTest(said=said):
                _, err = self.run_it("sweep", self.foreign(**more), code=2)
                self.assertIn(said, err)
                self.assertRegex(err, r"f\.json:1:\d+: ")
                self.assertFalse((self.folder / "sweeps").exists())
        _, err = self.run_it("sweep", self.foreign(command=behind, run_cap=1), code=1)
        self.assertIn("exited with 127", err)
        self.run_it("sweep", self.foreign(command=["sh", "${program}"], program="plain.sh", run_cap=1), "--dir", "d",
                    code=1)
        self.run_it("sweep", "ask", self.foreign(name="asked", program="nowhere.py"))  # which starts nothing

    def test_what_a_stopped_program_says_on_its_way_out_does_not_count(self):
        program = "import json; [print(json.dumps({'loss': 1 / n}), flush=True) for n in range(1, 2000)]"
        self.foreign(command=["python3", "-c", program], run_cap=1, pruner={"type": "threshold", "upper": 0.5})
        self.run_it("sweep", "f.json")
        trial, = self.trials("f")
        self.assertEqual(trial[1:4], ["stopped", "1", "1"])
        self.assertIn("0.5", " ".join(trial[4:]))

    def test_a_program_is_stopped_at_a_rung_for_it_cannot_go_on(self):
        _, err = self.run_it("sweep", self.foreign(run_cap=9, window=1, pruner={"type": "asha", "max_resource": 10}))
        whole = [t for t in self.trials("f") if t[1] == "done"]
        self.assertTrue(whole and all(t[3] == "10" for t in whole), err)
        shown = self.run_it("sweep", "show", "f")[0]
        self.assertRegex(shown, r"stopped .* rung")
        self.assertNotIn("paused", shown)

    def test_a_program_is_not_asked_to_wait_for_its_promotion(self):
        for pruner in {"type": "asha", "mode": "promote"}, {"type": "hyperband", "max_resource": 9, "mode": "promote"}:
            _, err = self.run_it("sweep", self.foreign(pruner=pruner), code=2)
            self.assertRegex(err, r"f\.json:1:\d+: mode promote has trials wait")
            self.assertIn("want mode stop", err)

    def test_slots_that_will_wait_for_each_other_are_told_of_when_the_sweep_is_new(self):
        self.foreign(pruner="median", run_cap=1)
        _, err = self.run_it("sweep", "f.json", "-j", 3)
        self.assertIn("with window 8 and a pruner, 3 trials at once will wait for each other: window: 24", err)
        self.assertIn("or reproducible: replay keeps them busy", err)
        for more in ("-j", 3), ("-j", 2, "--dir", "two"), ("-j", 3, "--dir", "wide", "--set", "window=24"):
            _, err = self.run_it("sweep", "f.json", *more)
            self.assertNotIn("wait for each other", err)

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
        for visible, n in ("-1", 0), ("3,-1,5", 1):
            self.env["CUDA_VISIBLE_DEVICES"] = visible
            _, err = self.run_it("sweep", "f.json", "-j", 2, "--dir", "none", code=2)
            self.assertIn(f"2 trials at once want 2 GPUs (resources: 1 a trial, 1 trials a GPU), there are {n};", err)

    def test_what_cannot_be_done_is_refused(self):
        _, err = self.run_it("sweep", self.foreign(method="custom"), code=2)
        self.assertIn("`tiltyard sweep ask`", err)
        (self.folder / "n.json").write_text(json.dumps({"run_cap": 1, "parameters": {"x": {"min": 0.0, "max": 1.0}}}))
        _, err = self.run_it("sweep", "n.json", code=2)
        self.assertIn('the sweep file says nothing to run, want "config", or "command" or "program"', err)
        _, err = self.run_it("sweep", self.foreign(warm_start=["old"]), code=2)
        self.assertRegex(err, r"f\.json:1:\d+: there is no sweep and no file old; want a sweep's name")
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

    def test_loops_that_ask_and_tell_at_once_wait_for_each_other(self):
        self.foreign(run_cap=4)

        def at_once(*calls):
            processes = [self.start("sweep", *words) for words in calls]
            said = [process.communicate() for process in processes]
            self.assertEqual([process.returncode for process in processes], [0] * len(calls), said)
            return [out for out, _ in said]

        asked = [json.loads(out) for out in at_once(*[("ask", "f.json", "--worker", f"w{i}") for i in range(4)])]
        self.assertEqual(sorted(a["trial"] for a in asked), [0, 1, 2, 3])
        at_once(*[("tell", "f", a["trial"], a["params"]["x"], "--worker", f"w{i}") for i, a in enumerate(asked)])
        self.assertEqual([t[1] for t in self.trials("f")], ["done"] * 4)
        self.run_it("sweep", "replay", "f")

    def test_who_tells_waits_for_who_has_the_sweep(self):
        self.foreign(run_cap=1)
        self.run_it("sweep", "ask", "f.json")
        lease = self.folder / "sweeps/f/sweep.lease"
        with open(lease, "w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            tell = self.start("sweep", "tell", "f", 0, 1)
            time.sleep(1)
            lease.unlink()
        _, err = tell.communicate()
        self.assertEqual(tell.returncode, 0, err)
        self.assertEqual([t[1] for t in self.trials("f")], ["done"])

    def test_another_loop_says_how_far_a_trial_is_beyond_limits(self):
        self.foreign(run_cap=2, constraints=[{"metric": "latency", "max": 10}])
        for n, violation in ((0, 3), (1, 0)):
            self.run_it("sweep", "ask", "f.json")
            _, err = self.run_it("sweep", "tell", "f", n, n + 1, code=2)
            self.assertIn("latency", err)
            self.assertIn("--violation", err)
            self.run_it("sweep", "tell", "f", n, n + 1, "--violation", -1, code=2)
            self.run_it("sweep", "tell", "f", n, n + 1, "--violation", violation)
        self.assertIn("trial 1", self.run_it("sweep", "best", "f")[0])
        self.run_it("sweep", "tell", "f", 1, 1, "--step", "nan", code=2)


if __name__ == "__main__":
    unittest.main()
