"""Sweeps whose trials are other programs: what they leave behind, leave out and are told."""
import csv
import socket
import sqlite3
import stat
from datetime import datetime

from harness import *


class Foreign(Case):
    def file(self, script, **more):
        program = self.folder / "program.sh"
        program.write_text("#!/bin/sh\n" + script)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        sweep = {"name": "f", "method": "random", "run_cap": 1, "metric": {"name": "loss"},
                 "command": [str(program)], "parameters": {"x": {"min": 0.0, "max": 1.0}}}
        sweep.update(more)
        (self.folder / "f.json").write_text(json.dumps(sweep))
        return "f.json"

    def trials(self):
        return [line.split() for line in self.run_it("sweep", "show", "f")[0].splitlines()[1:]]

    def log(self):
        return (self.folder / "sweeps/f/logs/trial_0000.log").read_text()


class Programs(Foreign):
    def test_a_last_line_without_its_end_counts(self):
        self.run_it("sweep", self.file("""echo '{"loss": 2}'\nprintf '{"loss": 0.5}'\n"""))
        self.assertEqual(self.trials()[0][1:4], ["done", "0.5", "2"])
        self.assertIn('{"loss": 0.5}', self.log())

    def test_a_report_behind_many_lines_is_heard_while_the_program_runs(self):
        lines = "seq 4000 > lines\necho '{\"loss\": 9}' >> lines\ncat lines\nexec sleep 600\n"
        self.run_it("sweep", self.file(lines, pruner={"type": "threshold", "upper": 1}), timeout=60)
        self.assertEqual(self.trials()[0][1:4], ["stopped", "9", "1"])
        self.assertEqual(self.log(), (self.folder / "lines").read_text())

    def test_a_line_longer_than_any_report_is_in_the_log_and_no_report(self):
        long = "x" * 65535  # so much is kept of a line; what follows looks like a report
        (self.folder / "lines").write_bytes(f'{long}{{"loss": 0.1}}\n{{"loss": 2}}\n{long * 2}\0y\n'.encode())
        self.run_it("sweep", self.file("cat lines\n"))
        self.assertEqual(self.trials()[0][1:4], ["done", "2", "1"])
        self.assertEqual(self.log(), (self.folder / "lines").read_text())

    def test_lines_without_the_metric_are_no_reports(self):
        script = """echo '{"settings": {"x": 1}}'\necho '{"step": 1, "train": 3}'\necho '{"step": 1, "loss": 2}'\n"""
        self.run_it("sweep", self.file(script))
        self.assertEqual(self.trials()[0][1:4], ["done", "2", "1"])

    def test_steps_that_no_integer_holds_are_reports(self):
        self.run_it("sweep", self.file("""echo '{"step": 1, "loss": 2}'\necho '{"step": 1e300, "loss": 1}'\n"""))
        self.assertEqual(self.trials()[0][1:4], ["done", "1", "2"])

    def test_a_program_that_never_prints_the_metric_has_failed_and_hears_what_it_printed(self):
        _, err = self.run_it("sweep", self.file("""echo '{"train": 3, "step": 1}'\n"""), code=None)
        self.assertIn('it logged no "loss"; it logged train, step', err)
        self.assertEqual(self.trials()[0][1], "failed")

    def test_what_a_program_leaves_running_is_not_waited_for(self):
        self.run_it("sweep", self.file("""sleep 600 &\necho $! > left\necho '{"loss": 0.5}'\n"""), timeout=60)
        self.assertEqual(self.trials()[0][1:4], ["done", "0.5", "1"])
        os.kill(int((self.folder / "left").read_text()), signal.SIGKILL)

    def test_a_verdict_ends_what_a_script_started_too(self):
        script = """echo '{"loss": 9}'\nsleep 600\necho '{"loss": 0.1}'\n"""
        self.run_it("sweep", self.file(script, pruner={"type": "threshold", "upper": 1}), timeout=60)
        self.assertEqual(self.trials()[0][1:4], ["stopped", "9", "1"])

    def test_its_command_is_the_trials_parameters(self):
        words = ["${args}", "${args_no_hyphens}", "${args_no_boolean_flags}", "${args_json}", "${args_json_file}",
                 "${envvar:WORD}", "${envvar:NOBODY}", "plain"]
        file = self.file("{ printf '%s\\n' \"$@\"; cat \"$8\"; } >&2\necho '{\"loss\": 1}'\n",
                         parameters={"n": {"values": [3]}, "b": {"value": True}})
        sweep = json.loads((self.folder / file).read_text())
        sweep["command"] += words
        (self.folder / file).write_text(json.dumps(sweep))
        self.env["WORD"] = "a word"
        self.run_it("sweep", file)
        params, path = '{"b":true,"n":3}', "./sweeps/f/logs/trial_0000.json"
        self.assertEqual((self.folder / path).read_text(), params)
        self.assertTrue(self.log().startswith("\n".join(
            ["--b=true", "--n=3", "b=true", "n=3", "--b", "--n=3", params, path, "a word", "", "plain", params])))

    def test_numbers_of_its_command_are_no_longer_than_they_have_to_be(self):
        values = {"a": 0.1, "b": 2.0, "c": 1e-5, "d": 0.1 + 0.2, "e": 1}
        file = self.file("echo \"$@\" >&2\necho '{\"loss\": 1}'\n",
                         parameters={key: {"values": [value]} for key, value in values.items()})
        sweep = json.loads((self.folder / file).read_text())
        sweep["command"].append("${args}")
        (self.folder / file).write_text(json.dumps(sweep))
        self.run_it("sweep", file)
        self.assertTrue(self.log().startswith("--a=0.1 --b=2.0 --c=1e-05 --d=0.30000000000000004 --e=1\n"), self.log())

    def test_an_empty_name_in_path_is_the_folder_that_the_sweep_was_started_in(self):
        path = self.env["PATH"]
        for folder, way in (("first", f":{path}"), ("between", f"{path}::/nowhere"),
                            ("last", f"{path}:")):
            self.env["PATH"] = way
            self.run_it("sweep", self.file("""echo '{"loss": 1}'\n""", command=["program.sh"]), "--dir", folder)
            self.assertTrue((self.folder / folder / "sweeps/f/report.html").exists())

    def test_what_is_wrong_with_a_command_is_said(self):
        for word in "${envvar:", "${envvar:HOME", "${envvar:}":
            _, err = self.run_it("sweep", self.file("true", command=["echo", word]), code=2)
            self.assertIn(f'"{word}" names no variable, want ${{envvar:NAME}}', err)
        (self.folder / "sweeps/f/logs/trial_0000.json").mkdir(parents=True)
        _, err = self.run_it("sweep", self.file("true", command=["echo", "${args_json_file}"]), "--dir", ".", code=None)
        self.assertIn("trial_0000.json", err)
        self.assertNotIn("memory", err)

    def test_an_export_has_the_times_and_what_limits_were_missed_by(self):
        self.run_it("sweep", self.file("""sleep 0.01\necho '{"loss": 1, "latency": 12.5}'\n""", run_cap=2,
                                       constraints=[{"metric": "latency", "max": 10}]))
        for name in "out.csv", "out.jsonl":
            self.run_it("sweep", "export", "f", "--output", name)
        with open(self.folder / "out.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        lines = [json.loads(line) for line in (self.folder / "out.jsonl").read_text().splitlines()]
        self.assertEqual([r["violation"] for r in rows], ["2.5", "2.5"])
        for row, line in zip(rows, lines):
            begin, end = (datetime.fromisoformat(row[key]) for key in ("begin", "end"))
            self.assertAlmostEqual((end - begin).total_seconds(), float(row["seconds"]), delta=0.002)
            self.assertLess(begin, end)
            self.assertEqual((line["begin"], line["end"], line["seconds"]),
                             (row["begin"], row["end"], float(row["seconds"])))
        self.assertLess(rows[0]["end"], rows[1]["end"])

    def test_a_list_of_sweeps_counts_trials_by_what_became_of_them(self):
        file = self.file("true", run_cap=7)
        for trial, state in enumerate(("complete", "pruned", "pruned", "paused", "paused", "paused")):
            self.run_it("sweep", "ask", file)
            self.run_it("sweep", "tell", "f", trial, 3, "--step", 1)
            self.run_it("sweep", "tell", "f", trial, 3, "--state", state)
        head, line = self.run_it("sweep", "ls")[0].splitlines()
        counts = dict(zip(head.split(), line.split()))
        self.assertEqual(counts, {"sweep": "f", "trials": "6", "done": "1", "stopped": "2", "paused": "3",
                                  "failed": "0", "metric": "loss", "best": "3"})

    def test_an_export_of_a_trial_that_runs_has_no_end(self):
        self.run_it("sweep", "ask", self.file("true"))
        self.run_it("sweep", "export", "f", "--output", "out.csv")
        self.run_it("sweep", "export", "f", "--output", "out.jsonl")
        with open(self.folder / "out.csv", newline="") as file:
            row, = csv.DictReader(file)
        line = json.loads((self.folder / "out.jsonl").read_text())
        self.assertEqual((row["state"], row["violation"], row["end"], row["seconds"]), ("running", "", "", "0.000"))
        self.assertEqual((line["begin"], line["end"]), (row["begin"], None))

    def test_its_description_in_mlflow_is_markdown_of_whole_characters(self):
        self.run_it("sweep", self.file("""echo '{"loss": 1}'\n""", description="a" + "\u00e9" * 1500,
                                       parameters={"kind": {"values": ["a|b\nc", "a|b\nc"]}}))
        with sqlite3.connect(self.folder / "mlflow.db") as store:
            (note,), = store.execute("select value from tags where key='mlflow.note.content' and value like '%best%'")
        self.assertTrue(note.startswith("a" + "\u00e9" * 999 + "\u2026\n\n"), note[990:1010])
        self.assertIn("| `kind` | a\\|b c |\n", note)

    def test_a_limit_counts_by_the_last_number_of_its_metric(self):
        script = """echo '{"loss": 3, "latency": 9}'\necho '{"loss": 2, "latency": 12.5}'\necho '{"loss": 1}'\n"""
        self.run_it("sweep", self.file(script, constraints=[{"metric": "latency", "max": 10}]))
        self.run_it("sweep", "export", "f", "--output", "out.csv")
        with open(self.folder / "out.csv", newline="") as file:
            row, = csv.DictReader(file)
        self.assertEqual((row["state"], row["violation"]), ("complete", "2.5"))

    def test_a_trial_without_a_number_of_what_is_limited_has_failed(self):
        for script in """echo '{"loss": 1}'\n""", """echo '{"loss": 1, "latency": null}'\n""":
            shutil.rmtree(self.folder / "sweeps", ignore_errors=True)
            self.run_it("sweep", self.file(script, constraints=[{"metric": "latency", "max": 10}]), code=1)
            self.assertEqual(self.trials()[0][1], "failed")
            self.assertIn("it has no number of latency, which has a limit", self.run_it("sweep", "show", "f")[0])

    def test_one_that_is_interrupted_runs_again_whatever_it_says(self):
        script = """trap 'exit 0' TERM\necho '{"loss": 0.5}'\n[ -e again ] || { sleep 600 & wait; }\n"""
        process = self.start("sweep", self.file(script))
        self.wait_for(lambda: (self.folder / "sweeps/f/logs/trial_0000.log").exists() and "loss" in self.log(),
                      what="a report")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        self.assertEqual(self.trials()[0][1], "interrupted")
        (self.folder / "again").write_text("")
        self.run_it("sweep", "f.json")
        self.assertEqual(self.trials()[0][1:4], ["done", "0.5", "1"])

    def test_one_that_ignores_signals_is_killed_by_the_third(self):
        script = """trap '' TERM\necho '{"loss": 0.5}'\nsleep 600\nsleep 600\n"""
        process = self.start("sweep", self.file(script))
        self.addCleanup(process.kill)
        self.wait_for(lambda: (self.folder / "sweeps/f/logs/trial_0000.log").exists() and "loss" in self.log(),
                      what="a report")
        self.wait_for(lambda: process.poll() is not None or process.send_signal(signal.SIGINT), seconds=30,
                      what="the end of a sweep that is told again and again")  # those that come at once are one
        self.assertEqual(process.returncode, 130)
        self.assertIn("stopping: what still runs is killed", process.communicate()[1])
        self.assertEqual(self.trials()[0][1], "interrupted")


class Escaped(Foreign):
    def test_what_only_looks_like_a_reference_stays_what_it_is_when_the_sweep_goes_on(self):
        script = """echo "$@" >&2\necho '{"loss": 1}'\n"""
        file = self.file(script, parameters={"word": {"value": "$${env:NOBODY}"}, "x": {"values": ["$${env:NOBODY}"]}})
        sweep = json.loads((self.folder / file).read_text())
        sweep["command"].append("${args}")
        (self.folder / file).write_text(json.dumps(sweep))
        self.run_it("sweep", file)
        self.run_it("sweep", "resume", "f", "--set", "run_cap=2")
        out, err = self.run_it("sweep", "show", "f")
        self.assertNotIn("space", out + err)
        for trial in 0, 1:
            log = (self.folder / f"sweeps/f/logs/trial_{trial:04}.log").read_text()
            self.assertIn("--word=${env:NOBODY} --x=${env:NOBODY}", log)

    def test_so_it_does_where_the_trials_are_ours(self):
        sweep = {"name": "f", "method": "random", "run_cap": 1, "metric": {"name": "val/loss"}, "config": SYNTHETIC,
                 "parameters": {"name": {"value": "$${env:NOBODY}"}, "seed": {"min": 1, "max": 9},
                                "train.duration": {"value": "5 steps"}}}
        (self.folder / "f.json").write_text(json.dumps(sweep))
        self.run_it("sweep", "f.json")
        config = json.loads(next(self.folder.glob("runs/*/f-0000/config.json")).read_text())
        self.assertEqual(config["name"], "$${env:NOBODY}")
        self.run_it("sweep", "resume", "f", "--set", "run_cap=2")
        self.assertEqual([t[1] for t in self.trials()], ["done"] * 2)


class Silence(Foreign):
    """A server that takes connections and never answers."""

    def setUp(self):
        super().setUp()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.env["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def tearDown(self):
        self.listener.close()
        super().tearDown()

    def test_a_signal_ends_every_wait_for_it_and_what_is_kept_is_named(self):
        process = self.start("sweep", self.file("""echo '{"loss": 1}'\nexec sleep 600\n""", run_cap=4), "-j", 2)
        self.wait_for(lambda: list(self.folder.glob("runs/sweeps/f-0000/run.journal")), what="a trial's run")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=300)
        self.assertEqual(process.returncode, 130, err)
        self.assertRegex(err, r"`tiltyard sync \S*sweeps/f` sends the rest")
        self.assertRegex(err, r"`tiltyard sync \S*runs/sweeps/f-0000` sends the rest")
        self.assertNotIn("waiting for", err)
        self.assertFalse((self.folder / "sweeps/f/logs/trial_0001.log").exists(), "begun after the signal")
        self.listener.close()
        del self.env["MLFLOW_TRACKING_URI"]
        self.run_it("sync", "--to", "sqlite:///mlflow.db")
        self.assertEqual(self.query("select name from runs order by name"), [("f",), ("f-0000",)])


@unittest.skipUnless(os.geteuid() == 0, "only root can become somebody else")
class Strangers(Foreign):
    """Anybody may list abstract addresses and connect to them; only our own user is listened to."""

    def address(self, process):
        prefix = f"@tiltyard-sweep-{process.pid}-"
        found = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if prefix in line]
        return "\0" + found[0][1:] if found else None

    def say(self, user, address, line):
        """As a process of this user; returns when it has been heard or hung up on."""
        child = os.fork()
        if child == 0:
            try:
                os.setuid(user)
                with socket.socket(socket.AF_UNIX) as talk:
                    talk.connect(address)
                    talk.sendall(line)
                    talk.settimeout(20)
                    if user != 0:
                        talk.recv(1)  # nothing, at once
            finally:
                os._exit(0)  # also where it was hung up on while it spoke
        os.waitpid(child, 0)

    def test_another_user_is_hung_up_on(self):
        process = self.start("sweep", self.file("sleep 600\n"))
        self.addCleanup(process.communicate)
        self.addCleanup(process.send_signal, signal.SIGINT)
        address = self.wait_for(lambda: self.address(process), what="an address")
        self.wait_for(lambda: (self.folder / "sweeps/f/logs/trial_0000.log").exists(), what="a trial")
        line = b'{"trial": 0, "step": 1, "metrics": {"loss": 0.5}}\n'
        self.say(65534, address, line)
        self.assertEqual(self.trials()[0][3], "0")
        self.say(0, address, line)
        self.wait_for(lambda: self.trials()[0][3] == "1", what="our own user's report")


if __name__ == "__main__":
    unittest.main()
