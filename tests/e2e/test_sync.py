"""Recording to an MLflow server: live, through faults, offline and synced later; stopped from the UI."""
import sqlite3
import threading

from fake_mlflow import FakeServer
from harness import *

QUICK = ["--set", "train.duration=60 steps", "--set", "eval.every=20 steps", "--set", "tracking.log_every=1 step",
         "--set", "tracking.exit_wait=120", "--set", "tracking.system_every=0"]


class Delivery(Case):
    def setUp(self):
        super().setUp()
        self.server = FakeServer()
        self.addCleanup(self.server.close)
        self.env["MLFLOW_TRACKING_URI"] = self.server.url
        self.env["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"
        self.env["MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"] = "1"

    def sync(self, *words, code=0):
        out, err = self.run_it("sync", "--json", *words, code=code)
        return [json.loads(line) for line in out.splitlines()], err

    def journal(self):
        """What runs show says of the only run."""
        out, _ = self.run_it("runs", "ls", "--json")
        run = json.loads(out.splitlines()[0])["run"]
        out, _ = self.run_it("runs", "show", run, "--json")
        return json.loads(out)

    def assert_whole(self):
        """The only run is on the server, once and whole."""
        self.assertEqual(self.server.violations, [])
        (report,), _ = self.sync("--status")
        self.assertTrue(report["is_complete"], report)
        (run,) = [r for r in self.server.runs.values()]
        told = self.journal()
        self.assertEqual(run["tags"]["tiltyard.uid"], told["run_id"])
        self.assertEqual(len(run["points"]), report["points"]["all"])
        self.assertEqual(len({(key, step) for key, step, _, _ in run["points"]}), len(run["points"]), "doubled")
        self.assertEqual({key for key, _, _, _ in run["points"]}, set(told["metrics"]))
        self.assertEqual(run["params"].keys(), told["params"].keys())
        for key, value in told["tags"].items():
            self.assertEqual(run["tags"].get(key), value, key)
        for path in told["files"]:
            local = next(self.folder.glob("runs/*/*")) / path
            root = f"{run['experiment_id']}/{run['id']}/"
            self.assertEqual(self.server.files[root + path], local.read_bytes(), path)
        return run

    def test_a_run_is_recorded_on_the_server_and_not_in_a_store(self):
        out, err = self.run_it("train", SYNTHETIC, *QUICK)
        run = self.assert_whole()
        self.assertEqual(run["status"], "FINISHED")
        self.assertIn(f"track   {self.server.url}   run ", err)
        link = f"{self.server.url}/#/experiments/1/runs/{run['id']}"
        self.assertIn(link, err)
        self.assertRegex(out, rf"(?m)^  next     tiltyard eval runs/\S+    {re.escape(link)}$")
        (folder,) = self.folder.glob("runs/*/*")
        out, _ = self.run_it("runs", "show", folder.name)
        self.assertRegex(out, rf"  recorded   {self.server.url}\n {{13}}all of it acknowledged: \d.*\n {{13}}{link}\n")
        out, _ = self.run_it("runs", "show", folder.name, "--json")
        self.assertTrue(json.loads(out)["delivery"]["is_complete"])
        self.assertFalse((self.folder / "mlflow.db").exists())
        self.assertIn("training", next(iter(run["inputs"].values()))["mlflow.data.context"])

    def test_a_server_that_is_down_costs_the_run_nothing_and_sync_brings_it(self):
        self.server.fault = lambda *_: "down"
        out, err = self.run_it("train", SYNTHETIC, *QUICK, "--set", "tracking.exit_wait=0")
        self.assertRegex(out, r"(?m)^  next     tiltyard eval (runs/\S+)    tiltyard sync \1$")
        self.assertIn("the journal has it and the run goes on", err)
        self.assertIn("tiltyard sync ", err)
        reports, err = self.sync(code=75)
        self.assertFalse(reports[0]["is_complete"])
        self.assertGreater(reports[0]["points"]["all"], 100)
        self.assertEqual(reports[0]["points"]["acknowledged"], 0)
        self.server.fault = lambda *_: None
        self.sync()
        run = self.assert_whole()
        calls = len(self.server.calls)
        self.sync()
        self.assertEqual([c for c in self.server.calls[calls:] if c[0] != "GET"], [], "twice changes nothing")
        self.assertEqual(run["status"], "FINISHED")

    def lose(self):
        """Of each kind of call the first are lost in every way there is, and later each fifth one's answer: a parcel of
        four calls comes through by the fifth time at the latest. Returns how often each kind was heard."""
        fates, heard = [503, "down", 429, "drop"], {}

        def fault(method, path, body):
            kind = method, re.sub(r"[0-9a-f]{32}|artifacts/.+", "*", path)
            heard[kind] = heard.get(kind, 0) + 1
            if heard[kind] <= len(fates):
                return fates[heard[kind] - 1]
            return "drop" if heard[kind] % 5 == 0 else None

        self.server.fault = fault
        return heard

    def assert_lost_everywhere(self, heard):
        changing = {path.removeprefix("/api/2.0/mlflow/") for method, path in heard if method != "GET"}
        self.assertLessEqual({"experiments/create", "runs/create", "runs/search", "runs/log-batch", "runs/log-inputs",
                              "runs/outputs", "runs/update", "logged-models", "logged-models/m-*"}, changing)
        self.assertTrue(any(method == "PUT" for method, _ in heard), heard)
        self.assertGreaterEqual(min(heard.values()), 4, heard)

    def test_answers_that_are_lost_double_nothing(self):
        self.env["MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"] = "0"  # after the first wait there is none
        heard = self.lose()
        _, err = self.run_it("train", SYNTHETIC, *QUICK)
        self.assertNotIn("is not wholly on", err)
        self.assert_lost_everywhere(heard)
        self.server.fault = lambda *_: None
        self.assert_whole()
        self.assertEqual(len(self.server.runs), 1)
        self.assertEqual(len(self.server.experiments), 1)
        self.assertEqual(len(self.server.models), 1)

    def test_a_command_whose_calls_are_lost_five_times_in_eight_comes_through(self):
        self.env["MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"] = "0"
        self.run_it("train", SYNTHETIC, *QUICK, "--set", "tracking.uri=offline")
        fates = ["drop", None, 503, "down", None, "drop", 429, None]  # one in three: each call asks three times
        count = iter(range(10**9))
        self.server.fault = lambda *_: fates[next(count) % len(fates)]
        self.sync("--to", self.server.url)
        self.assertGreater(next(count), 50)
        self.server.fault = lambda *_: None
        self.assert_whole()
        self.assertEqual((len(self.server.runs), len(self.server.experiments), len(self.server.models)), (1, 1, 1))

    def record_much(self):
        """Offline: curves of 3,000 points. Their keys."""
        self.run_it("train", SYNTHETIC, *QUICK, "--set", "train.duration=3000 steps", "--set", "eval.every=1500 steps",
                    "--set", "tracking.uri=offline")
        keys = {key for key in self.journal()["metrics"] if key.startswith("train/")}
        self.assertGreaterEqual(len(keys), 2)
        return keys

    def test_much_goes_over_two_connections_and_no_curve_over_both_at_once(self):
        self.record_much()
        under_way, lock, have_met, clashes = {}, threading.Lock(), threading.Event(), []

        def fault(method, path, body):
            keys = {m["key"] for m in body.get("metrics", [])} if method == "POST" else set()
            if len(body.get("metrics", [])) < 900:
                return
            with lock:
                clashes.extend(keys & others for others in under_way.values() if keys & others)
                under_way[threading.get_ident()] = keys
                if len(under_way) > 1:
                    have_met.set()
            self.assertTrue(have_met.wait(60))
            time.sleep(0.02)
            with lock:
                del under_way[threading.get_ident()]

        self.server.fault = fault
        self.sync("--to", self.server.url)
        self.assertTrue(have_met.is_set())
        self.assertEqual(clashes, [])
        self.assert_whole()

    def test_what_is_lost_and_refused_on_two_connections_is_sent_again_and_narrowed_down(self):
        self.env["MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"] = "0"
        long, lock, heard = self.record_much(), threading.Lock(), {}
        fates = [None, "drop", None, 503, None, None, "down", None]

        def fault(method, path, body):
            if not path.endswith("log-batch"):
                return None
            with lock:
                n = heard[threading.get_ident()] = heard.get(threading.get_ident(), -1) + 1
            is_bad = any(m["step"] == 700 and m["key"] in long for m in body.get("metrics", []))
            return 400 if is_bad else fates[n % len(fates)]

        self.server.fault = fault
        (report,), _ = self.sync("--to", self.server.url, code=1)
        self.assertGreater(len(heard), 1)
        self.assertEqual({(r["key"], r["step"]) for r in report["refused"]}, {(key, 700) for key in long})
        self.server.fault = lambda *_: None
        self.sync("--again")
        self.assert_whole()

    def test_where_there_can_be_no_second_connection_one_takes_all(self):
        self.record_much()
        authority = self.folder / "ca.pem"
        authority.touch()
        self.env["MLFLOW_TRACKING_SERVER_CERT_PATH"] = str(authority)
        self.server.fault = lambda *_: authority.unlink(missing_ok=True)  # after the first one was opened
        self.sync("--to", self.server.url)
        del self.env["MLFLOW_TRACKING_SERVER_CERT_PATH"]
        self.assertFalse(authority.exists())
        self.assert_whole()

    def test_offline_writes_a_journal_alone_and_sync_takes_it_anywhere(self):
        del self.env["MLFLOW_TRACKING_URI"]
        out, err = self.run_it("train", SYNTHETIC, *QUICK, "--set", "tracking.uri=offline")
        self.assertIn("track   offline", err)
        self.assertRegex(out, r"(?m)^  next     tiltyard eval runs/\S+    tiltyard sync runs/\S+ --to URI$")
        self.assertFalse((self.folder / "mlflow.db").exists())
        moved = self.folder / "moved"
        moved.mkdir()
        (self.folder / "runs").rename(moved / "runs")
        self.run_it("sync", "--dir", moved, "--to", self.server.url)
        self.run_it("sync", "--dir", moved, "--to", "sqlite:///other.db")
        (moved / "runs").rename(self.folder / "runs")
        self.assert_whole()
        (run,) = self.server.runs.values()
        with sqlite3.connect(self.folder / "other.db") as store:
            points = store.execute("SELECT key, step, timestamp, value FROM metrics WHERE NOT is_nan").fetchall()
            self.assertEqual(set(points), {p for p in run["points"] if p[3] != "nan"})

    def test_what_the_server_refuses_is_listed_and_the_rest_arrives(self):
        self.server.poison = {"train/loss", "seed"}
        self.run_it("train", SYNTHETIC, *QUICK)
        out, _ = self.run_it("sync", "--status", code=1)
        self.assertIn("train/loss at step 1: ", out)
        self.assertIn("train/loss is poison", out)
        (report,), _ = self.sync("--status", code=1)
        (run,) = self.server.runs.values()
        refused = [r for r in report["refused"] if r["what"] == "metric"]
        self.assertEqual({r["key"] for r in refused}, {"train/loss"})
        self.assertEqual(len(refused), 60)
        self.assertEqual([r["key"] for r in report["refused"] if r["what"] == "param"], ["seed"])
        self.assertEqual(len(run["points"]), report["points"]["all"])
        self.assertEqual(report["points"]["all"], report["points"]["acknowledged"])
        self.assertEqual(run["status"], "FINISHED")
        out, _ = self.run_it("runs", "show", report["folder"])
        self.assertIn("; 61 refused (`tiltyard sync --status` lists them)", out)

    def test_what_was_refused_is_sent_again_when_that_is_asked_for(self):
        self.server.poison = {"train/loss", "seed", "tiltyard.version"}
        self.server.fault = lambda method, path, body: (
            400 if method == "PUT" and "report.html" in path or method == "PATCH" else None)
        self.run_it("train", SYNTHETIC, *QUICK)
        (before,), _ = self.sync(code=1)
        self.assertEqual({r["what"] for r in before["refused"]}, {"metric", "param", "tag", "file", "model"})
        self.server.fault = lambda *_: None
        (still,), _ = self.sync(code=1)
        self.assertEqual(still["refused"], before["refused"])
        self.run_it("sync", "--again", "--status", code=2)
        (partly,), _ = self.sync("--again", code=1)
        self.assertEqual({r["what"] for r in partly["refused"]}, {"metric", "param", "tag"})
        self.server.poison = set()
        (after,), _ = self.sync("--again")
        self.assertEqual(after["refused"], [])
        run = self.assert_whole()
        self.assertEqual(run["status"], "FINISHED")
        self.assertEqual([m["status"] for m in self.server.models.values()], ["LOGGED_MODEL_READY"])
        self.assertEqual(len([p for p in run["points"] if p[0] == "train/loss"]), 60)
        calls = len(self.server.calls)
        self.sync("--again")
        self.assertEqual([c for c in self.server.calls[calls:] if c[0] != "GET"], [], "twice changes nothing")

    def test_what_is_late_decides_the_exit_code_also_where_something_was_refused(self):
        self.server.poison = {"seed"}
        self.server.fault = lambda method, path, body: "down" if method == "PUT" and "report.html" in path else None
        self.run_it("train", SYNTHETIC, *QUICK, "--set", "tracking.exit_wait=2")
        for words in ([], ["--status"]):
            (report,), err = self.sync(*words, code=75)
            self.assertEqual([r["key"] for r in report["refused"]], ["seed"])
            self.assertFalse(report["is_complete"])
            self.assertIn("1 value is refused for good", err)
        self.server.fault = lambda *_: "down"
        self.sync(code=75)
        self.server.fault = lambda *_: None
        _, err = self.sync(code=1)
        self.assertEqual(err.count("1 value is refused for good"), 1, err)
        self.server.poison = set()
        self.sync("--again")
        self.assert_whole()

    def test_a_run_that_was_deleted_there_is_left_alone_until_it_is_restored(self):
        self.server.fault = lambda method, path, body: "down" if self.server.runs else None
        self.run_it("train", SYNTHETIC, *QUICK, "--set", "tracking.exit_wait=5")
        self.server.fault = lambda *_: None
        (run,) = self.server.runs.values()
        run["stage"] = "deleted"
        _, err = self.sync(code=1)
        self.assertIn("the run is deleted there: restore it in MLflow", err)
        run["stage"] = "active"
        self.sync()
        self.assert_whole()

    def test_a_server_that_lets_nobody_in_is_told_once_and_loudly(self):
        self.server.fault = lambda *_: 401
        _, err = self.run_it("train", SYNTHETIC, *QUICK)
        self.assertEqual(err.count("takes no more of the run"), 1, err)
        self.assertIn("tiltyard sync ", err)
        _, err = self.sync(code=1)
        self.server.fault = lambda *_: None
        self.sync()
        self.assert_whole()

    def test_a_killed_trainer_loses_nothing_that_it_was_told_is_safe(self):
        seen = 0
        for attempt in range(4):
            process = self.start("train", SYNTHETIC, *QUICK, "--set", "train.duration=4000 steps",
                                 "--set", "checkpoint.every=200 steps")
            time.sleep(self.random.uniform(0.2, 3.0))
            process.kill()
            process.communicate()
            with self.server.lock:  # its last words may still be coming in
                points = sum(len(r["points"]) for r in self.server.runs.values())
            self.assertGreaterEqual(points, seen)
            seen = points
        self.run_it("train", SYNTHETIC, *QUICK, "--set", "train.duration=4000 steps",
                    "--set", "checkpoint.every=200 steps")
        self.sync()
        run = self.assert_whole()
        self.assertEqual(run["status"], "FINISHED")
        steps = {step for key, step, _, _ in run["points"] if key == "train/loss"}
        self.assertEqual(steps, set(range(1, 4001)))

    def test_a_run_stops_when_its_tag_asks_for_it(self):
        words = ["train", SYNTHETIC, *QUICK, "--set", "train.duration=10000000 steps"]
        process = self.start(*words)
        run = self.wait_for(lambda: [r for r in list(self.server.runs.values()) if r["points"]], what="a point")[0]
        run["tags"]["tiltyard.stop"] = "true"
        out, err = process.communicate(timeout=120)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("tiltyard.stop set in MLflow", out + err)
        self.assertEqual(run["tags"]["tiltyard.stopped"], "true")
        self.assertEqual(run["status"], "FINISHED")
        self.assertTrue(list(self.folder.rglob("step_*.h5")))

    def test_a_password_in_a_config_is_refused_and_not_shown(self):
        _, err = self.run_it("train", SYNTHETIC, "--set", "tracking.uri=http://me:s3cret@127.0.0.1:1", code=2)
        self.assertIn("MLFLOW_TRACKING_PASSWORD", err)
        self.assertNotIn("s3cret", err)
        self.assertEqual(self.files(), [])

    def test_a_place_that_is_none_is_refused_with_what_to_write(self):
        for uri in ("file:///tmp/mlruns", "./mlruns", "databricks", "sqlite:///"):
            _, err = self.run_it("train", SYNTHETIC, "--set", f"tracking.uri={uri}", code=2)
            self.assertIn("tracking.uri: ", err)
            self.assertIn("offline", err)
        self.assertEqual(self.files(), [])

    def test_a_live_run_is_left_to_its_own_process(self):
        process = self.start("train", SYNTHETIC, *QUICK, "--set", "train.duration=10000000 steps")
        self.wait_for(lambda: self.server.runs, what="a run")
        reports, _ = self.sync(code=0)
        self.assertTrue(reports[0]["is_live"])
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=120)
        self.assertEqual(process.returncode, 143)
        self.assertEqual(next(iter(self.server.runs.values()))["status"], "KILLED")


if __name__ == "__main__":
    unittest.main()
