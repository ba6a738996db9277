"""optuna-dashboard and optuna.visualization on the journal that a sweep writes along: test_dashboard.py TILTYARD

The dashboard is opened while a trial runs, and again says what the sweep says when all have ended."""
import json
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
import warnings
from pathlib import Path

from peers import Peers, free_port

warnings.filterwarnings("ignore")
with Peers("sweeps"):
    import optuna
    import optuna.visualization as pictures
    import optuna_dashboard  # noqa: F401
    import plotly  # noqa: F401
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)
TILTYARD = sys.argv.pop(1)
STATES = {"complete": "Complete", "pruned": "Pruned", "failed": "Fail", "running": "Running"}

# The sixth trial waits for a file; the fourth fails.
PROGRAM = """
import json, os, pathlib, sys, time
here = pathlib.Path(__file__).parent
words = dict(word.lstrip("-").split("=", 1) for word in sys.argv[1:])
trial = len(list(here.glob("begun-*")))
(here / f"begun-{trial}").touch()
for step in range(1, 5):
    print(json.dumps({"step": step, "loss": float(words["x"]) ** 2 + 1 / step}), flush=True)
    while trial == 5 and step == 2 and not (here / "go").exists():
        time.sleep(0.05)
sys.exit(1 if trial == 3 else 0)
"""
SWEEP = {"name": "s", "method": "random", "seed": 2, "run_cap": 16, "metric": {"name": "loss", "goal": "minimize"},
         "pruner": {"type": "median", "startup_trials": 3},
         "parameters": {"x": {"min": -1.0, "max": 1.0}, "kind": {"values": ["a", "b", 3]},
                        "rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1.0},
                        "width": {"min": 1, "max": 9}}}


class Dashboard(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "program.py").write_text(PROGRAM)
        command = [sys.executable, str(self.folder / "program.py"), "${args}"]
        (self.folder / "s.json").write_text(json.dumps({**SWEEP, "command": command}))
        self.journal = self.folder / "sweeps/s/optuna.journal"

    def start(self, *words):
        process = subprocess.Popen(words, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_for(self, what, condition):
        end = time.monotonic() + 240
        while time.monotonic() < end:
            found = condition()
            if found:
                return found
            time.sleep(0.1)
        self.fail(f"{what} did not come")

    def api(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/{path}", timeout=60) as answer:
                return json.load(answer)
        except (ConnectionError, urllib.error.URLError):
            return None

    def shown(self):
        return (self.api("studies/0?after=0") or {"trials": []})["trials"]

    def ours(self):
        subprocess.run([TILTYARD, "sweep", "export", "s", "--output", "out.jsonl"], cwd=self.folder, check=True)
        return [json.loads(line) for line in (self.folder / "out.jsonl").read_text().splitlines()]

    def assert_same(self, ours, theirs):
        self.assertEqual(theirs["number"], ours["trial"])
        self.assertEqual(theirs["state"], STATES[ours["state"]])
        self.assertEqual({p["name"]: p["param_external_value"] for p in theirs["params"]},
                         {name: str(value) for name, value in ours["params"].items()})
        self.assertEqual(theirs["intermediate_values"], ours["reports"])
        if ours["state"] in ("complete", "pruned"):
            self.assertEqual(theirs["values"], [ours["value"]])
        self.assertEqual([a["value"] for a in theirs["user_attrs"] if a["key"] == "reason"],
                         [ours["reason"]] if ours["reason"] else [])

    def test_it_shows_a_sweep_while_it_runs_and_when_it_has_ended(self):
        sweep = self.start(TILTYARD, "sweep", "s.json")
        self.wait_for("a trial that waits", (self.folder / "begun-5").exists)
        self.port = free_port()
        self.start(Path(sys.executable).with_name("optuna-dashboard"), self.journal, "--port", str(self.port),
                   "--quiet", "--server", "wsgiref")
        studies = self.wait_for("the dashboard", lambda: self.api("studies"))["study_summaries"]
        self.assertEqual([(s["study_name"], s["directions"]) for s in studies], [("s", ["minimize"])])
        live = self.wait_for("the running trial",
                             lambda: len(t := self.shown()) == 6 and len(t[5]["intermediate_values"]) == 2 and t)
        self.assertEqual(live[5]["state"], "Running")
        for ours, theirs in zip(self.ours(), live):
            self.assert_same(ours, theirs)
        (self.folder / "go").touch()
        self.assertEqual(sweep.wait(timeout=240), 0)
        trials = self.wait_for("all trials", lambda: len(t := self.shown()) == 16 and t[15]["state"] != "Running" and t)
        for ours, theirs in zip(self.ours(), trials):
            self.assert_same(ours, theirs)
        self.assertEqual({t["state"] for t in trials}, {"Complete", "Pruned", "Fail"})

    def test_every_picture_of_optuna_is_drawn(self):
        (self.folder / "go").touch()
        self.assertEqual(self.start(TILTYARD, "sweep", "s.json").wait(timeout=240), 0)
        study = optuna.load_study(study_name="s", storage=JournalStorage(JournalFileBackend(str(self.journal))))
        ours = self.ours()
        for draw in (pictures.plot_contour, pictures.plot_edf, pictures.plot_parallel_coordinate,
                     pictures.plot_param_importances, pictures.plot_rank, pictures.plot_slice):
            self.assertTrue(draw(study).data, draw.__name__)
        history = pictures.plot_optimization_history(study)
        self.assertEqual(list(history.data[0].y), [t["value"] for t in ours if t["state"] == "complete"])
        curves = pictures.plot_intermediate_values(study)
        self.assertEqual([list(c.y) for c in curves.data],
                         [[r["value"] for r in t["reports"]] for t in ours if t["state"] != "failed"])
        bars = pictures.plot_timeline(study)
        self.assertEqual(sum(len(bar.y) for bar in bars.data), len(ours))


if __name__ == "__main__":
    unittest.main()
