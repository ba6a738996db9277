"""A real server that is away while runs are recorded, and comes back: test_outages.py TILTYARD EVENT_PROBE."""
import json
import os
import random
import subprocess
import threading
import time

from delivery_case import ROOT, SEED, Case, Story, Way, main
from fault_proxy import Drop, FaultProxy, Pass, ResetMidBody, Say, SayAfter, Unheard

CONFIG = os.path.join(ROOT, "configs", "synthetic.json")
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"}


class Held(Say):
    """No answer before the test says so."""

    def __init__(self):
        super().__init__(503)
        self.is_reached, self.is_over = threading.Event(), threading.Event()

    def answer(self, handler, proxy, body):
        self.is_reached.set()
        self.is_over.wait(120)
        super().answer(handler, proxy, body)


class Meet(Pass):
    """Passes two requests on once both are there; one that stays alone, after a while and without the other."""

    def __init__(self):
        self.barrier = threading.Barrier(2, timeout=60)

    def answer(self, handler, proxy, body):
        try:
            self.barrier.wait()
        except threading.BrokenBarrierError:
            pass
        super().answer(handler, proxy, body)


class Outages(Case):
    server_options = ("--workers", "2")  # as many, or more, are what `mlflow server` starts by itself

    def setUp(self):
        super().setUp()
        self.proxy = FaultProxy(self.server.url).start()
        self.addCleanup(self.proxy.stop)

    def assert_whole(self, run, experiment):
        """The server has what an embedded store makes of the same journal, each point once."""
        store = f"sqlite:///{self.folder}/other.db"
        self.sync(run, "--to", store)
        there = Way(self.server.url, experiment)
        self.assert_same_as_store(there, Way(store, experiment))
        for key, points in there.histories.items():
            self.assertEqual(len({step for step, _, _ in points}), len(points), f"{key} doubled")
        return there

    def train(self, experiment):
        words = ["train", CONFIG, "--dir", self.folder, "--json", "--set", f"experiment={experiment}", "--set",
                 "tracking.log_every=1 step", "--set", "tracking.exit_wait=0"]
        env = {**os.environ, "MLFLOW_TRACKING_URI": self.proxy.url, "HOME": self.folder,
               "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        done = subprocess.run([self.tiltyard, *words], capture_output=True, text=True, cwd=self.folder, env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        (run,) = os.listdir(f"{self.folder}/runs/{experiment}")
        return f"{self.folder}/runs/{experiment}/{run}", done.stderr

    def test_b23_a_server_that_is_away_for_the_whole_training_gets_all_of_it_by_sync(self):
        """The outage lasts as long as the training, seconds: ten minutes of it are tests/tracking/test_retry.c's, on a
        clock of its own. What is kept does not depend on the length, since nobody but the journal keeps it."""
        experiment = f"away-{SEED}"
        self.proxy.stop()
        run, said = self.train(experiment)
        self.assertIn("tiltyard sync ", said)
        (report,) = self.sync(run, env=IMPATIENT, code=75)
        self.assertEqual(report["points"]["acknowledged"], 0)
        self.assertGreater(report["points"]["all"], 500)
        self.assertEqual(self.proxy.seen, [], "it was away")
        # It comes back as servers do: not all at once.
        for path in ("experiments/create", "runs/create", "log-batch", "log-inputs", "runs/update", "artifacts/"):
            for fault in (Say(503, "starting"), Drop(), Unheard(), SayAfter(502, "bad gateway"), ResetMidBody()):
                self.proxy.fault("*", path, fault)
        self.proxy.start()
        report = self.sync_models(run, env={"MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"})
        whole = self.assert_whole(run, experiment)
        self.assertEqual(sum(map(len, whole.histories.values())), report["points"]["all"])
        self.proxy.clear()
        self.sync_models(run)
        self.assertEqual([r for r in self.proxy.seen if r.method != "GET"], [], "a second sync has nothing to say")

    def test_b23_an_outage_in_the_middle_of_a_run_loses_and_doubles_nothing(self):
        """Seconds, during which the run goes on and tells as much again as before and after."""
        experiment = f"middle-{SEED}"
        story = Story(random.Random(SEED))
        probe = self.start_probe(experiment, self.proxy.url)
        story.sitting(300, 0)
        self.feed(probe, story, slice(0, 100))
        self.wait_until(lambda: self.proxy.count("POST", "log-batch") > 0)
        self.proxy.stop()
        before = len(self.proxy.seen)
        self.feed(probe, story, slice(100, 200))
        time.sleep(3)
        self.assertEqual(len(self.proxy.seen), before)
        self.proxy.fault("POST", "log-batch", Drop())
        self.proxy.start()
        self.feed(probe, story, slice(200, None))
        probe.stdin.close()
        self.assertEqual(probe.wait(300), 0)
        self.assert_whole(f"{self.folder}/runs/{experiment}/one", experiment)

    def test_g54_telling_a_point_waits_for_no_server(self):
        """By order, not by time: thousands of points are told while the answer to one request is still out."""
        held, experiment = Held(), f"held-{SEED}"
        self.addCleanup(held.is_over.set)
        self.proxy.fault("*", "/", held, times=10**6)
        probe = self.start_probe(experiment, self.proxy.url)
        story = Story(random.Random(SEED))
        story.tell("start", from_step=0)
        self.feed(probe, story, slice(None))
        self.assertTrue(held.is_reached.wait(60))
        points = Story(random.Random(SEED))
        for step in range(20000):
            points.tell("metric", step=step, key="train/loss", value=step)
        self.feed(probe, points, slice(None))
        probe.stdin.close()
        self.assertEqual(len(probe.stdout.readline().strip()), 32, "told to the end")
        self.assertEqual(len(self.proxy.seen), 1)
        self.assertFalse(held.is_over.is_set())
        self.proxy.clear()
        held.is_over.set()
        self.assertEqual(probe.wait(300), 0)
        (report,) = self.sync()
        self.assertEqual((report["is_complete"], report["points"]["acknowledged"]), (True, 20000))

    def batches(self):
        """How many points each request of the proxy's has, in order."""
        return [len(json.loads(r.body)["metrics"]) for r in self.proxy.seen if "log-batch" in r.path]

    def test_g55_points_go_out_a_thousand_at_a_time_and_hardly_one_twice(self):
        """What a server's speed allows is reached by full batches over a kept connection, and by not beginning anew."""
        n, experiment = 12345, f"many-{SEED}"
        story = Story(random.Random(SEED))
        story.tell("start", from_step=0)
        for step in range(n):
            story.tell("metric", step=step, key="train/loss", value=step / 7)
        self.tell(story, experiment, "offline")
        run = f"{self.folder}/runs/{experiment}/one"
        self.proxy.fault("POST", "log-batch", Say(503, "busy"), times=10**6, after=6)
        (report,) = self.sync(run, "--to", self.proxy.url, env=IMPATIENT, code=75)
        self.assertGreater(report["points"]["acknowledged"], 5000)
        first = self.batches()[:6]
        self.proxy.clear()
        self.sync(run)
        rest = self.batches()
        self.assertLess(sum(first) + sum(rest), n + 1000)
        self.assertTrue(all(size >= 998 for size in first[1:] + rest[:-1]), (first, rest))
        self.assertEqual(len({r.client for r in self.proxy.seen}), 1, "one connection")
        whole = self.assert_whole(run, experiment)
        self.assertEqual(len(whole.histories["train/loss"]), n)

    def test_g55_what_is_much_goes_out_over_two_connections_and_is_the_same_for_it(self):
        """Curves with their latest values, as MLflow shows them in tables, also where answers are lost on the way. The
        first request of points is not answered before a second one is there."""
        n, experiment = 2000, f"both-{SEED}"
        story = Story(random.Random(SEED))
        story.tell("start", from_step=0)
        for step in range(n):
            for key in ("train/loss", "train/rate", "train/norm", "val/loss"):
                story.tell("metric", step=step, key=key, value=step / 7)
        self.tell(story, experiment, "offline")
        run = f"{self.folder}/runs/{experiment}/one"
        meeting = Meet()
        self.proxy.fault("POST", "log-batch", meeting, times=2)
        for after, fault in ((0, Drop()), (2, Say(503, "busy")), (4, ResetMidBody()), (5, Unheard())):
            self.proxy.fault("POST", "log-batch", fault, after=after)
        (report,) = self.sync(run, "--to", self.proxy.url, env={"MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"})
        self.assertTrue(report["is_complete"])
        self.assertFalse(meeting.barrier.broken, "no two requests were under way at once")
        whole = self.assert_whole(run, experiment)
        self.assertEqual({key: len(points) for key, points in whole.histories.items()},
                         {key: n for key in ("train/loss", "train/rate", "train/norm", "val/loss")})

    def test_b22_a_server_that_is_started_anew_gets_the_rest(self):
        story = Story(random.Random(SEED))
        story.sitting(50, 0)
        self.tell(story, "restarted", self.server.url)
        self.server.stop()
        rest = Story(random.Random(SEED + 2))
        rest.time_ns, rest.steps = story.time_ns, story.steps
        for i in range(20):
            rest.tell("metric", step=1000 + i, key="late", value=i)
        self.tell_briefly(rest)
        try:
            self.assertFalse(self.sync(env=IMPATIENT, code=75)[0]["is_complete"])
        finally:
            self.server.start()
        self.sync_models()
        way = Way(self.server.url, "restarted")
        self.assertEqual(len(way.histories["late"]), 20)

    def tell_briefly(self, story):
        """Against a server that is down: killed instead of waiting for it, when the journal has had time."""
        probe = self.start_probe("restarted", self.server.url)
        story.tell("sleep", ms=2500)
        self.feed(probe, story, slice(None))
        probe.stdin.close()
        self.assertEqual(len(probe.stdout.readline().strip()), 32, "told to the end")
        probe.kill()
        probe.wait()


if __name__ == "__main__":
    main()
