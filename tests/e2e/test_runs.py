"""`tiltyard runs`: many runs listed, compared, drawn, exported, deleted and cleaned up."""
import contextlib
import csv
import fcntl
import http.server
import pty
import select
import shlex
import sqlite3
import struct
import tempfile
import termios
import threading
import xml.etree.ElementTree

from harness import BINARY, ROOT, SYNTHETIC, Case, json, os, re, shutil, unittest, Path

SHORT = ("--set", "train.duration=30 steps", "--set", "checkpoint.every=10 steps", "--set", "eval.every=10 steps")


class Runs(Case):
    """Three finished runs, trained once and copied for each test."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.made = Path(tempfile.mkdtemp(prefix="tiltyard-e2e-runs-"))
        maker = cls("train")
        maker.setUp()
        try:
            for name, rate in (("slow", "1e-4"), ("good", "3e-3"), ("fast", "1e-2")):
                maker.train(*SHORT, "--name", name, "--set", f"optimizer.learning_rate={rate}")
            shutil.copytree(maker.folder, cls.made, dirs_exist_ok=True)
        finally:
            maker.tearDown()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.made, ignore_errors=True)

    def setUp(self):
        super().setUp()
        if hasattr(self, "made"):
            shutil.copytree(self.made, self.folder, dirs_exist_ok=True)

    def run_folder(self, name):
        return self.folder / "runs/synthetic" / name

    def lines(self, *words, **options):
        out, _ = self.run_it(*words, "--json", **options)
        return [json.loads(line) for line in out.splitlines()]

    def names(self, *words):
        return [run["run"] for run in self.lines("runs", "ls", *words)]

    def ask_store(self, sql, *values):
        with contextlib.closing(sqlite3.connect(self.folder / "mlflow.db")) as db, db:
            return db.execute(sql, values).fetchall()


class Find(Case):
    def test_a_run_is_found_by_folder_name_and_id_on_any_number_of_ranks(self):
        self.train(*SHORT, "--name", "mine")
        run_id = json.loads(self.run_it("runs", "show", "mine", "--json")[0])["run_id"]
        want = json.loads(self.run_it("eval", "mine", "--json")[0])
        for words in (("runs/synthetic/mine",), (run_id[:6],), (run_id,), ("mine", "-n", "2")):
            self.assertEqual(json.loads(self.run_it("eval", *words, "--json")[0]), want, words)
        out, _ = self.run_it("eval", "mine", "--split", "train", "--json")
        self.assertEqual(json.loads(out)["samples"], 3686)

    def test_a_shown_run_has_its_params_and_last_points(self):
        done = self.train(*SHORT, "--name", "mine")
        shown = json.loads(self.run_it("runs", "show", "mine", "--json")[0])
        self.assertEqual(shown["params"]["optimizer.type"], "adamw")
        self.assertEqual(shown["metrics"]["test/loss"]["value"], done["test/loss"])
        self.assertIn("artifacts/report.html", shown["files"])

    def test_a_run_that_is_not_there_is_answered_with_near_ones(self):
        self.train(*SHORT)
        _, err = self.run_it("eval", "tiny", code=1)
        self.assertRegex(err, r"did you mean tiny-[0-9a-f]{12}\?")
        _, err = self.run_it("eval", "tiny", "--split", "half", code=1)
        _, err = self.run_it("runs", "show", code=2)
        self.assertEqual(len(err.splitlines()), 1)


class List(Runs):
    def test_filters_orders_and_limits_choose(self):
        self.assertEqual(self.names(), ["fast", "good", "slow"])
        self.assertEqual(self.names("params.optimizer.learning_rate = '3e-3'"), ["good"])
        self.assertEqual(self.names("run_name LIKE '%o%' AND status = 'FINISHED'"), ["good", "slow"])
        by_loss = self.names("--order", "metrics.val/loss ASC")
        self.assertEqual(by_loss[-1], "slow")
        self.assertEqual(self.names("--order", "metrics.val/loss DESC", "--limit", "1"), ["slow"])
        self.assertEqual(self.names("--experiment", "another"), [])

    def test_columns_are_what_was_asked_for(self):
        out, _ = self.run_it("runs", "ls", "--columns", "state,params.optimizer.learning_rate,metrics.`val/loss`")
        head, *rows = out.splitlines()
        self.assertEqual(head.split(), ["run", "state", "optimizer.learning_rate", "val/loss"])
        self.assertEqual(rows[1].split()[:3], ["good", "finished", "3e-3"])
        self.assertEqual(len({len(re.match(r".*?(?=\S+$)", row).group()) // 99 for row in rows}), 1)
        values = self.lines("runs", "ls", "--columns", "metrics.val/loss,params.none", "--limit", "1")[0]["values"]
        self.assertIsInstance(values["metrics.val/loss"], float)
        self.assertIsNone(values["params.none"])

    def test_what_the_filter_is_about_is_shown(self):
        out, _ = self.run_it("runs", "ls", "metrics.val/loss < 100", "--order", "params.seed")
        self.assertIn("val/loss", out.splitlines()[0])
        self.assertIn("seed", out.splitlines()[0])

    def test_json_keys_stay(self):
        run = self.lines("runs", "ls", "--limit", "1")[0]
        self.assertEqual(set(run), {"run", "experiment", "run_id", "state", "step", "start_ms", "end_ms",
                                    "is_deleted", "folder", "values"})

    def test_slips_are_refused_with_their_place(self):
        for words, said in ((["loss < 1"], "filter, column 1: \"loss\", want run_id"),
                            (["metrics.a < 1 OR metrics.b < 1"], "no OR"),
                            (["--order", "metrics.a down"], "order, column 11"),
                            (["--columns", "stat"], "--columns: \"stat\" is none of"),
                            (["--limit", "0"], "--limit"), (["a", "b"], "want `tiltyard runs ls [FILTER]`")):
            _, err = self.run_it("runs", "ls", *words, code=2)
            self.assertIn(said, err)
        _, err = self.run_it("runs", "ls", "--yes", code=2)
        self.assertIn("--yes is not for `tiltyard runs ls`", err)
        _, err = self.run_it("runs", "list", code=2)
        self.assertIn("want one of ls, show, diff", err)

    def test_a_narrow_terminal_gets_one_line_a_run(self):
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 60, 0, 0))
            os.chdir(self.folder)
            env = {k: v for k, v in self.env.items() if k not in ("COLUMNS", "NO_COLOR")}
            words = ["runs", "ls", "--columns", "state,tags.tiltyard.numeric,params.data.source,experiment"]
            os.execve(BINARY, [BINARY, *words], {**env, "TERM": "xterm"})
        seen = b""
        while select.select([fd], [], [], 60)[0]:
            try:
                seen += os.read(fd, 65536)
            except OSError:
                break
        os.waitpid(pid, 0)
        lines = re.sub(r"\x1b\[\d*m", "", seen.decode()).split("\r\n")
        self.assertEqual(len([line for line in lines if line]), 4, lines)
        self.assertLessEqual(max(map(len, lines)), 60)
        self.assertIn("\u2026", lines[1])


class Documented(Runs):
    def test_every_command_of_the_docs_does_what_it_says(self):
        text = (ROOT / "docs/TRACKING.md").read_text()
        commands = re.findall(r"^    tiltyard (runs .*?)(?: +#.*)?$", text, re.M)
        self.assertGreater(len(commands), 8)
        for command in commands:
            for word, meant in (("RUN RUN", "good fast"), ("RUN...", "good slow"), ("RUN", "good"), ("FOLDER/", "t/")):
                command = command.replace(word, meant)
            with self.subTest(command):
                self.run_it(*shlex.split(command))
        self.assertEqual(self.names(), ["fast", "good", "slow"])


class Compare(Runs):
    def test_show_tells_tests_models_and_data(self):
        out, _ = self.run_it("runs", "show", "good")
        for said in ("\ntest\n", "test/loss", "\ndata\n", "training", "\nparams\n", "more lines)"):
            self.assertIn(said, out)
        shown = self.lines("runs", "show", "good")[0]
        self.assertEqual(shown["datasets"][0]["context"], "training, validation, test")
        self.assertEqual({m["step"] for m in shown["models"]} <= {10, 20, 30}, True)

    def test_diff_shows_what_differs(self):
        out, _ = self.run_it("runs", "diff", "good", "fast")
        self.assertRegex(out, r"optimizer\.learning_rate +3e-3 +1e-2")
        self.assertRegex(out, r"val/loss +\S+ +\S+ +[+-]\S+ +\S+ +\S+")
        self.assertNotIn("seed", out)
        self.assertNotIn("system/", out)
        both = self.lines("runs", "diff", "good", "fast")[0]
        self.assertEqual(both["params"], {"optimizer.learning_rate": {"a": "3e-3", "b": "1e-2"}})
        self.assertEqual(both["data"], {})
        scores = both["metrics"]["val/loss"]["a"]
        self.assertLessEqual(scores["best"], scores["last"])
        whole, _ = self.run_it("runs", "diff", "good", "fast", "--all")
        self.assertRegex(whole, r"seed +7 +7")

    def test_plot_draws_in_the_terminal(self):
        out, _ = self.run_it("runs", "plot", "good", "--metric", "train/loss")
        self.assertRegex(out, "[\u2801-\u28ff]")
        self.assertNotIn("\x1b", out)
        self.assertLessEqual(max(map(len, out.splitlines())), 80)
        two, _ = self.run_it("runs", "plot", "good", "slow", "--metric", "train/loss")
        self.assertRegex(two, r"b   slow")
        colored, _ = self.run_it("runs", "plot", "good", "slow", "--color", "always")
        self.assertIn("\x1b[34m", colored)
        points = self.lines("runs", "plot", "good", "--metric", "train/loss")[0]["points"]
        self.assertEqual(points[-1][0], 30)

    def test_plot_writes_a_picture_that_stands_alone(self):
        self.run_it("runs", "plot", "good", "slow", "fast", "--metric", "train/loss", "--metric", "val/loss",
                    "--output", "curves.svg")
        root = xml.etree.ElementTree.parse(self.folder / "curves.svg").getroot()
        self.assertEqual(root.tag, "{http://www.w3.org/2000/svg}svg")
        paths = root.findall("{http://www.w3.org/2000/svg}path")
        self.assertEqual(len(paths), 6)
        texts = [t.text for t in root.findall("{http://www.w3.org/2000/svg}text")]
        self.assertIn("slow val/loss", texts)
        self.assertNotIn("href", (self.folder / "curves.svg").read_text())

    def test_plot_names_the_nearest_metric(self):
        _, err = self.run_it("runs", "plot", "good", "--metric", "val/los", code=1)
        self.assertIn("did you mean val/loss?", err)
        _, err = self.run_it("runs", "plot", "good", "--output", "x.png", code=2)
        self.assertIn("ends in .svg", err)

    def test_exports_are_tables_that_others_read(self):
        self.run_it("runs", "export", "good", "fast", "--output", "all.csv")
        self.run_it("runs", "export", "good", "fast", "--output", "tables/")
        self.run_it("runs", "export", "good", "fast", "--output", "all.jsonl")
        with open(self.folder / "all.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        lines = [json.loads(line) for line in (self.folder / "all.jsonl").read_text().splitlines()]
        self.assertEqual([line["run"] for line in lines], ["good", "fast"])
        got = [(int(r["step"]), float(r["value"])) for r in rows if r["run"] == "good" and r["key"] == "train/loss"]
        self.assertEqual(got, [(s, v) for s, _, v in lines[0]["metrics"]["train/loss"]])
        notes = [r["value"] for r in rows if r["key"] == "mlflow.note.content" and r["run"] == "good"]
        self.assertEqual(notes, [lines[0]["tags"]["mlflow.note.content"]])
        for name in ("runs", "params", "tags", "metrics"):
            with open(self.folder / f"tables/{name}.csv", newline="") as file:
                self.assertEqual({r["run"] for r in csv.DictReader(file)}, {"good", "fast"}, name)
        out, _ = self.run_it("runs", "export", "good")
        self.assertEqual(len(out.splitlines()) > 100, True)
        _, err = self.run_it("runs", "export", "good", "--output", "all.parquet", code=2)
        self.assertIn("FILE.csv, FILE.jsonl or a folder", err)

    def test_no_cell_of_an_export_is_a_formula(self):
        self.train(*SHORT, "--name", "odd", "--set", "name==HYPERLINK(\"x\")")
        self.run_it("runs", "export", "odd", "--output", "odd.csv")
        with open(self.folder / "odd.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        value = next(r["value"] for r in rows if r["kind"] == "param" and r["key"] == "name")
        self.assertEqual(value, "'=HYPERLINK(\"x\")")
        for row in rows:
            self.assertNotRegex(row["value"], r"^[=@\t\r]|^[+-](?![\d.])(?!Infinity)")


class Delete(Runs):
    def test_rm_deletes_as_mlflow_does(self):
        before = self.files()
        out, _ = self.run_it("runs", "rm", "slow", "--dry-run")
        self.assertRegex(out, r"slow +finished +30 .* [KM]iB")
        shown = self.lines("runs", "rm", "slow", "--dry-run")[0]
        self.assertEqual((shown["event"], shown["run"], shown["registered"]), ("deletable", "slow", ""))
        self.assertGreater(shown["bytes"], 1000)
        _, err = self.run_it("runs", "rm", "slow", code=2)
        self.assertIn("--yes", err)
        self.assertEqual(self.names(), ["fast", "good", "slow"])
        self.run_it("runs", "rm", "slow", "--yes")
        self.assertEqual(self.names(), ["fast", "good"])
        self.assertEqual(self.names("--deleted"), ["slow"])
        stage, when = self.ask_store("select lifecycle_stage, deleted_time from runs where name = 'slow'")[0]
        self.assertEqual(stage, "deleted")
        self.assertGreater(when, 1.6e12)
        self.assertEqual(self.files(), before)

    def test_rm_asks_whoever_is_there(self):
        for answer, left in ((b"n\n", ["fast", "good", "slow"]), (b"y\n", ["fast", "good"])):
            pid, fd = pty.fork()
            if pid == 0:
                os.chdir(self.folder)
                os.execve(BINARY, [BINARY, "runs", "rm", "slow"], {**self.env, "TERM": "xterm"})
            seen = b""
            while b"[y/N]" not in seen and select.select([fd], [], [], 60)[0]:
                seen += os.read(fd, 65536)
            os.write(fd, answer)
            while select.select([fd], [], [], 60)[0]:
                try:
                    seen += os.read(fd, 65536)
                except OSError:
                    break
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, seen)
            self.assertEqual(self.names(), left)

    def test_a_run_that_the_store_does_not_have_is_marked(self):
        self.ask_store("select 1")
        for name in ("mlflow.db", "mlflow.db-wal", "mlflow.db-shm"):
            (self.folder / name).unlink(missing_ok=True)
        self.run_it("runs", "rm", "slow", "--yes")
        self.assertEqual(self.names(), ["fast", "good"])
        self.run_it("runs", "gc")
        self.assertFalse(self.run_folder("slow").exists())

    def test_rm_deletes_on_the_server_that_is_named(self):
        run_id, asked = self.lines("runs", "show", "slow")[0]["run_id"], []

        class Server(http.server.BaseHTTPRequestHandler):
            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked.append((self.path, json.loads(body) if body else None))
                run = {"info": {"run_id": "f" * 32, "experiment_id": "5", "lifecycle_stage": "active"}, "data": {}}
                answers = {"get-by-name": {"experiment": {"experiment_id": "5", "name": "synthetic",
                                                          "lifecycle_stage": "active"}}, "search": {"runs": [run]}}
                text = json.dumps(next((a for name, a in answers.items() if name in self.path), {})).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            self.run_it("runs", "rm", "slow", "--yes", "--server", f"http://127.0.0.1:{server.server_port}")
        finally:
            server.shutdown()
            server.server_close()
        searched = next(body for path, body in asked if path.endswith("/runs/search"))
        self.assertEqual(searched["filter"], f"tags.`tiltyard.uid` = '{run_id}'")
        deleted = [body for path, body in asked if path.endswith("/runs/delete")]
        self.assertEqual(deleted, [{"run_id": "f" * 32}])
        self.assertEqual(self.names("--deleted"), ["slow"])
        _, err = self.run_it("runs", "rm", "good", "--yes", "--server", "sqlite:///x.db", code=2)
        self.assertIn("--server wants http", err)

    def test_a_run_at_work_is_refused(self):
        process = self.start("train", SYNTHETIC, "--name", "busy", "--set", "train.duration=1000000 steps",
                             "--set", "checkpoint.every=10 steps", "--set", "eval.every=never")
        try:
            self.wait_for(lambda: list(self.run_folder("busy").glob("checkpoints/step_*.h5")), what="a checkpoint")
            _, err = self.run_it("runs", "rm", "busy", "--yes", code=75)
            self.assertIn("busy is at work", err)
            self.run_it("runs", "gc", "--keep-best", "1")
            self.assertTrue(list(self.run_folder("busy").glob("checkpoints/step_*.h5")))
        finally:
            process.terminate()
            process.communicate(timeout=120)


class Clean(Runs):
    def checkpoints(self, name):
        return sorted(p.name for p in self.run_folder(name).glob("checkpoints/*"))

    def keep_more(self, name):
        """A checkpoint that training would have taken away itself, and one that never got its name."""
        folder = self.run_folder(name) / "checkpoints"
        (folder / "step_000000000005.h5").write_bytes(b"x" * 5000)
        (folder / ".tmp-step_000000000040.h5-1").write_bytes(b"y" * 300)
        (self.run_folder(name) / "artifacts/report.html.partial").write_bytes(b"z" * 40)

    def test_gc_takes_what_nobody_needs_and_says_how_much(self):
        self.run_it("runs", "gc")
        kept = self.checkpoints("good")
        self.keep_more("good")
        before = self.files()
        out, err = self.run_it("runs", "gc", "--dry-run")
        self.assertIn("would free 5.2 KiB", err)
        self.assertRegex(out, r"good +checkpoint +4.9 KiB +neither best nor last +checkpoints/step_000000000005.h5")
        self.assertEqual(self.files(), before)
        found = self.lines("runs", "gc", "--dry-run")
        self.assertEqual({f["kind"] for f in found}, {"checkpoint", "leftover"})
        _, err = self.run_it("runs", "gc")
        self.assertIn("freed 5.2 KiB", err)
        self.assertEqual(self.checkpoints("good"), kept)
        self.assertIn("step_000000000030.h5", kept)
        _, err = self.run_it("runs", "gc")
        self.assertIn("freed 0 B", err)
        self.run_it("eval", "good")

    def test_gc_leaves_alone_what_is_registered(self):
        run_id = self.lines("runs", "show", "good")[0]["run_id"]
        self.ask_store("insert into registered_models (name) values ('net')")
        self.ask_store("insert into model_versions (name, version, current_stage, source, run_id)"
                       " values ('net', 3, 'None', '/elsewhere', ?)", run_id)
        self.keep_more("good")
        self.run_it("runs", "rm", "good", "--yes")
        before = self.files()
        _, err = self.run_it("runs", "gc", "--keep-best", "1", "--dry-run")
        self.assertIn("good is left as it is: net 3 comes from it", err)
        self.run_it("runs", "gc")
        self.assertEqual([f for f in before if "/good/" in f], [f for f in self.files() if "/good/" in f])

    def test_gc_takes_the_folders_of_deleted_runs_and_follows_no_link(self):
        outside = self.folder / "precious"
        outside.mkdir()
        (outside / "data.csv").write_text("1,2\n")
        os.symlink(outside, self.run_folder("slow") / "artifacts/linked")
        self.run_it("runs", "rm", "slow", "--yes")
        self.run_it("runs", "gc", "--older-than", "1d")
        self.assertTrue(self.run_folder("slow").exists())
        self.run_it("runs", "gc")
        self.assertFalse(self.run_folder("slow").exists())
        self.assertTrue((outside / "data.csv").exists())
        self.assertEqual(self.names("--deleted"), [])
        self.run_it("runs", "rebuild")
        self.assertEqual(self.ask_store("select lifecycle_stage from runs where name = 'slow'"), [("deleted",)])

    def test_gc_keeps_the_checkpoints_of_the_best_runs(self):
        self.run_it("runs", "gc", "--keep-best", "2")
        best = self.names("--order", "metrics.val/accuracy DESC")
        self.assertEqual(best[-1], "slow")
        kept = [name for name in best if self.checkpoints(name)]
        self.assertEqual(sorted(kept), ["fast", "good"])
        self.assertEqual(list(self.run_folder("slow").rglob("*.h5")), [])
        for model in self.lines("runs", "show", "slow")[0]["models"]:
            self.assertTrue((self.run_folder("slow") / model["folder"] / "MLmodel").exists())
        self.assertEqual(self.names(), ["fast", "good", "slow"])

    def test_gc_touches_nothing_where_it_cannot_ask_what_is_registered(self):
        self.keep_more("good")
        self.ask_store("alter table model_versions rename column run_id to somebody")
        before = self.files()
        _, err = self.run_it("runs", "gc", code=6)
        self.assertIn("what is registered cannot be read", err)
        self.assertEqual(self.files(), before)

    def test_an_age_is_a_number_and_a_unit(self):
        for age in ("30", "d", "-1d", "0d", "1y", "1dd"):
            _, err = self.run_it("runs", "gc", f"--older-than={age}", code=2)
            self.assertIn("want 30d, 12h, 90m or 2w", err)

    def test_rebuild_ends_with_6_when_a_journal_is_damaged_and_the_others_are_there(self):
        journal = self.run_folder("slow") / "run.journal"
        content = bytearray(journal.read_bytes())
        content[len(content) // 2] ^= 1
        journal.write_bytes(content)
        for name in ("mlflow.db", "mlflow.db-wal", "mlflow.db-shm"):
            (self.folder / name).unlink(missing_ok=True)
        _, err = self.run_it("runs", "rebuild", code=6)
        self.assertIn("1 journal is damaged", err)
        finished = self.ask_store("select name from runs where status = 'FINISHED' order by name")
        self.assertEqual(finished, [("fast",), ("good",)])


if __name__ == "__main__":
    unittest.main()
