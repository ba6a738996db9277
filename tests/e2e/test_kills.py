"""A process that records to a server, killed at random moments, again and again: what the journal has is on the server
in the end, once, although answers got lost on the way."""
import threading

from fake_mlflow import FakeServer
from harness import *

KILLS = int(os.environ.get("TILTYARD_KILLS", "200"))
PROBE = Path(BINARY).resolve().parents[1] / "tests/tracking/event_probe"


class Kills(Case):
    def setUp(self):
        super().setUp()
        self.server = FakeServer()
        self.addCleanup(self.server.close)
        self.env.update(MLFLOW_TRACKING_URI=self.server.url, MLFLOW_HTTP_REQUEST_MAX_RETRIES="3",
                        MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR="0")
        self.server.fault = lambda *_: "drop" if self.random.random() < 0.05 else None

    def tell_until_killed(self, step):
        """Feeds a logging process from step on and kills it meanwhile; the step it came to."""
        probe = subprocess.Popen([PROBE, self.folder, "killed", "one"], stdin=subprocess.PIPE, env=self.env,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        killer = threading.Timer(0.02 + 0.3 * self.random.random() ** 2, probe.kill)
        killer.start()
        try:
            while True:
                for step in range(step, step + 20):
                    event = {"kind": "metric", "time_ns": 1_700_000_000_000_000_000 + step * 1_000_000, "step": step,
                             "key": "k", "value": step}
                    probe.stdin.write(json.dumps(event).encode() + b"\n")
                probe.stdin.flush()
                step += 1
                time.sleep(0.005)
        except BrokenPipeError:
            return step + 1
        finally:
            killer.join()
            probe.wait()
            try:
                probe.stdin.close()
            except BrokenPipeError:
                pass

    def journal(self):
        self.run_it("runs", "export", "one", "--output", "told.csv")
        lines = (self.folder / "told.csv").read_text().splitlines()
        (self.folder / "told.csv").unlink()
        return lines

    def on_server(self):
        with self.server.lock:  # the last words of one that was killed may still be coming in
            runs = list(self.server.runs.values())
            self.assertLessEqual(len(runs), 1, "one run, however often its creation was not answered")
            return [(step, value) for run in runs for key, step, value, _ in run["points"] if key == "k"]

    def test_200_kills_lose_nothing_and_double_nothing(self):
        step, before, kills = 0, 0, 0
        while kills < KILLS or before <= KILLS and kills < 10 * KILLS:  # a slow machine's processes come to less
            step = self.tell_until_killed(step)
            kills += 1
            points = self.on_server()
            self.assertGreaterEqual(len(points), before, "what the server had, it has")
            self.assertEqual(len(points), len(set(points)), "doubled")
            before = len(points)
        self.server.fault = lambda *_: None
        out, _ = self.run_it("sync", "--json")
        report = json.loads(out.splitlines()[0])
        points = self.on_server()
        self.assertTrue(report["is_complete"], report)
        self.assertEqual(report["points"]["all"], len(points))
        self.assertEqual(len(points), len(set(points)), "doubled")
        told = [line.split(",") for line in self.journal() if ",k," in line]
        self.assertEqual(len(told), len(points))
        self.assertGreater(before, KILLS, "the server was fed meanwhile, too")
        self.assertEqual(self.server.violations, [])
        print(f"{kills} kills, {len(points)} points, {before} of them before the last sync", flush=True)


if __name__ == "__main__":
    unittest.main()
