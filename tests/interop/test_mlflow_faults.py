"""Our client and a real MLflow server on bad days: lost answers, errors, outages: test_mlflow_faults.py PROBE."""
import email.utils
import threading
import time
import uuid

from client_case import NOW, Case, main
from fault_proxy import Drop, ResetMidBody, Say, SayAfter, Trickle, Unheard


class Faults(Case):
    env = {"MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1"}

    def setUp(self):
        super().setUp()
        self.run_id = self.new_run()["id"]
        self.proxy = self.start_proxy()
        self.bad = self.start_probe(self.proxy.url, "6")

    def test_b18_a_lost_answer_of_log_batch_doubles_nothing(self):
        for fault in (Drop(), ResetMidBody(), SayAfter(502, "bad gateway"), Unheard()):
            self.proxy.fault("POST", "log-batch", fault)
            key = type(fault).__name__
            self.bad.log_batch(run_id=self.run_id, metrics=[[f"{key}/{i % 50}", i, NOW + i, i] for i in range(1000)],
                               params={f"{key}{i}": "v" for i in range(100)})
            total = sum(len(self.history(self.run_id, f"{key}/{i}")) for i in range(50))
            self.assertEqual(total, 1000, key)
        self.assertEqual(len(self.peer.get_run(self.run_id).data.params), 400)

    def test_b19_a_lost_answer_with_many_keys_doubles_nothing(self):
        self.proxy.fault("POST", "log-batch", Drop(), times=2)
        self.bad.log_batch(run_id=self.run_id, metrics=[[f"k{i}", i, NOW, 0] for i in range(350)])
        data = self.peer.get_run(self.run_id).data
        self.assertEqual(len(data.metrics), 350)
        self.assertTrue(all(len(self.history(self.run_id, f"k{i}")) == 1 for i in range(0, 350, 25)))

    def test_b20_a_lost_answer_of_a_creation_makes_one(self):
        experiment = self.new_experiment()
        faults = (Drop(), ResetMidBody(), Unheard(), SayAfter(504, "gateway timeout"), Say(500, "no"))
        for i, fault in enumerate(faults):
            self.bad.version()  # the connection is kept: a second sending on it must not be libcurl's
            self.proxy.fault("POST", "runs/create", fault, times=2)
            self.new_run(self.bad, experiment_id=experiment)
            self.assertEqual(len(self.peer.search_runs([experiment])), i + 1, type(fault).__name__)
        root = self.bad.get_run(id=self.run_id)["run"]["artifact_uri"]
        self.probe.make_registered(name=f"m-{experiment}")
        for i, fault in enumerate(faults):
            self.bad.version()
            self.proxy.fault("POST", "model-versions/create", fault, times=2)
            version = self.bad.make_version(name=f"m-{experiment}", uid=uuid.uuid4().hex, source=root,
                                            run_id=self.run_id)["version"]
            self.assertEqual(version["version"], str(i + 1))
        for i, fault in enumerate(faults if self.has_models() else ()):
            self.bad.version()
            self.proxy.fault("POST", "logged-models", fault)
            self.proxy.fault("POST", "logged-models", fault, after=1)
            self.bad.make_model(experiment_id=experiment, uid=uuid.uuid4().hex, name="net", run_id=self.run_id)
            self.assertEqual(len(self.peer.search_logged_models([experiment])), i + 1, type(fault).__name__)

    def test_b20_a_lost_answer_of_a_named_creation_is_read(self):
        name = f"named-{uuid.uuid4().hex}"
        self.proxy.fault("POST", "experiments/create", Drop())
        made = self.bad.make_experiment(name=name)["id"]
        self.assertEqual(made, self.peer.get_experiment_by_name(name).experiment_id)
        self.proxy.fault("POST", "registered-models/create", Drop())
        self.bad.make_registered(name=name)
        self.assertEqual(self.peer.get_registered_model(name).name, name)

    def test_b20_a_lost_answer_about_an_output_is_no_refusal(self):
        if not self.has_models():
            return
        experiment = self.peer.get_run(self.run_id).info.experiment_id
        for step, fault in enumerate((Drop(), ResetMidBody(), SayAfter(504, "gateway timeout"))):
            model = self.probe.make_model(experiment_id=experiment, uid=uuid.uuid4().hex, name="net")["model"]
            self.proxy.fault("POST", "runs/outputs", fault)
            self.bad.log_output(run_id=self.run_id, model_id=model["id"], step=step)
        outputs = self.peer.get_run(self.run_id).outputs.model_outputs
        self.assertEqual(sorted(o.step for o in outputs), [0, 1, 2])
        self.assertEqual(self.proxy.count("POST", "runs/outputs"), 6)
        unknown = self.refused(self.bad, "log_output", run_id=uuid.uuid4().hex, model_id=model["id"], step=0)
        self.assertEqual(unknown["status"], "ERR_NOT_FOUND")

    def test_b21_retry_after_is_waited_for(self):
        for as_date in (False, True):
            until = int(time.time()) + 4
            header = email.utils.formatdate(until, usegmt=True) if as_date else "2"
            answer = Say(429, '{"error_code": "REQUEST_LIMIT_EXCEEDED"}', {"Retry-After": header})
            self.proxy.fault("POST", "log-batch", answer)
            begin = time.monotonic()
            self.bad.log_batch(run_id=self.run_id, tags={"t": header})
            if as_date:
                self.assertGreaterEqual(time.time(), until)
            else:
                self.assertGreaterEqual(time.monotonic() - begin, 2)
        impatient = self.start_probe(self.proxy.url, "none")
        self.proxy.fault("POST", "log-batch", Say(429, "{}", {"Retry-After": "600"}))
        self.assertEqual(impatient.try_call("log_batch", run_id=self.run_id, tags={"t": "x"})["status"], "ERR_BUSY")
        before = len(self.proxy.seen)
        answer = impatient.try_call("log_batch", run_id=self.run_id, tags={"t": "x"})
        self.assertIn("not asked again before", answer["message"])
        self.assertEqual(len(self.proxy.seen), before)

    def test_b22_bursts_of_errors_are_outlasted_or_told(self):
        for status in (408, 500, 502, 503, 504):
            self.proxy.fault("POST", "log-batch", Say(status, "busy", content_type="text/plain"), times=3)
            self.bad.log_batch(run_id=self.run_id, metrics=[[f"s{status}", status, NOW, 0]])
            self.assertEqual(len(self.history(self.run_id, f"s{status}")), 1)
        self.proxy.clear()
        self.proxy.fault("POST", "log-batch", Say(503, '{"error_code": "TEMPORARILY_UNAVAILABLE", "message": "down"}'),
                         times=1000)
        answer = self.start_probe(self.proxy.url, "2").try_call("log_batch", run_id=self.run_id, tags={"a": "b"})
        self.assertEqual((answer["status"], answer["http"]), ("ERR_BUSY", 503))
        self.assertEqual(answer["code"], "TEMPORARILY_UNAVAILABLE")
        self.assertIn("down", answer["message"])
        self.assertEqual(self.proxy.count("POST", "log-batch"), 3)
        self.proxy.clear()
        self.proxy.fault("POST", "log-batch", Say(401, '{"error_code": "UNAUTHENTICATED"}'))
        answer = self.bad.try_call("log_batch", run_id=self.run_id, tags={"a": "b"})
        self.assertEqual((answer["status"], answer["is_denied"]), ("ERR_FAILED", True))
        self.assertEqual(self.proxy.count("POST", "log-batch"), 1)

    def test_b22_an_outage_and_a_restart_are_outlasted(self):
        self.proxy.stop()
        again = threading.Timer(3, self.proxy.start)
        again.start()
        endless = self.start_probe(self.proxy.url, "endless")
        endless.log_batch(run_id=self.run_id, metrics=[["after", 1, NOW, 0]])
        again.join()
        self.assertEqual(len(self.history(self.run_id, "after")), 1)

    def test_b27_a_deadline_ends_all_patience(self):
        endless = self.start_probe("http://127.0.0.1:9", "endless")
        endless.deadline(ms=1500)
        answer = endless.try_call("log_batch", run_id=self.run_id, tags={"a": "b"})
        self.assertEqual(answer["status"], "ERR_BUSY")
        time.sleep(1.6)
        self.assertIn("is over", endless.try_call("version")["message"])

    def test_b28_a_server_that_trickles_is_given_up(self):
        self.proxy.fault("POST", "log-batch", Trickle(seconds=60))
        quick = self.start_probe(self.proxy.url, "3", {"MLFLOW_HTTP_REQUEST_TIMEOUT": "3"})
        quick.log_batch(run_id=self.run_id, metrics=[["slow", 1, NOW, 0]])
        self.assertEqual(len(self.history(self.run_id, "slow")), 1)
        self.assertGreaterEqual(self.proxy.count("POST", "log-batch"), 2)
        self.proxy.fault("POST", "log-batch", Trickle(seconds=60))
        endless = self.start_probe(self.proxy.url, "endless")
        endless.deadline(ms=5000)
        answer = endless.try_call("log_batch", run_id=self.run_id, tags={"a": "b"})
        self.assertEqual((answer["status"], answer["is_unknown"]), ("ERR_BUSY", True), answer)


if __name__ == "__main__":
    main()
