"""Our client against a real MLflow server, read back by MLflow's own client: test_mlflow_client.py PROBE.

Runs under the python of TILTYARD_PEERS_PYTHON where that is set. Exit 77: MLflow is missing there.
"""
import base64
import email.utils
import hashlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import uuid
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fault_proxy import Drop, Endless, FaultProxy, ResetMidBody, Say, SayAfter, Trickle, Unheard  # noqa: E402
from mlflow_peer import MlflowServer, Probe, bits_of, double_of, go_to_peers  # noqa: E402

go_to_peers()
warnings.simplefilter("ignore")
try:
    import mlflow
    from mlflow.tracking import MlflowClient
except ImportError as why:
    print(f"skipped: {why}; want TILTYARD_PEERS_PYTHON=$(scripts/peers)")
    sys.exit(77)

PROGRAM = None
SERVER = None
NOW = 1_700_000_000_000
DOUBLE_MAX = sys.float_info.max


def setUpModule():
    global SERVER
    SERVER = MlflowServer().start()
    mlflow.set_tracking_uri(SERVER.url)


def tearDownModule():
    SERVER.remove()


class Case(unittest.TestCase):
    patience, env = "3", None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tiltyard-client-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.peer = MlflowClient(SERVER.url)
        self.probe = self.start_probe(SERVER.url)

    def start_probe(self, url, patience=None, env=None):
        probe = Probe(PROGRAM, url, patience or self.patience, env or self.env)
        self.addCleanup(probe.close)
        return probe

    def start_proxy(self, **options):
        proxy = FaultProxy(SERVER.url, **options).start()
        self.addCleanup(proxy.stop)
        return proxy

    def new_experiment(self):
        return self.probe.make_experiment(name=f"e-{uuid.uuid4().hex}")["id"]

    def new_run(self, probe=None, **more):
        wanted = {"experiment_id": self.new_experiment(), "uid": uuid.uuid4().hex, "name": "one", "user": "me",
                  "start_ms": NOW, **more}
        return (probe or self.probe).make_run(**wanted)["run"]

    def refused(self, probe, name, /, **arguments):
        answer = probe.try_call(name, **arguments)
        self.assertNotEqual(answer["status"], "OK", f"{name} {str(arguments)[:200]}")
        return answer

    def file(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def history(self, run_id, key):
        return sorted((m.step, m.timestamp, bits_of(m.value)) for m in self.peer.get_metric_history(run_id, key))


class Wire(Case):
    def test_a01_experiments_are_made_once_and_found(self):
        name = f"expériment {uuid.uuid4().hex}"
        first = self.probe.make_experiment(name=name, tags={"mlflow.note.content": "a *note*"})
        again = self.probe.make_experiment(name=name, tags={"mlflow.note.content": "another"})
        self.assertEqual(first["id"], again["id"])
        seen = self.peer.get_experiment_by_name(name)
        self.assertEqual((seen.experiment_id, seen.tags["mlflow.note.content"]), (first["id"], "a *note*"))
        self.probe.tag_experiment(id=first["id"], key="owner", value="we")
        self.assertEqual(self.peer.get_experiment(first["id"]).tags["owner"], "we")
        missing = self.refused(self.probe, "find_experiment", name="no such experiment")
        self.assertEqual((missing["status"], missing["code"]), ("ERR_NOT_FOUND", "RESOURCE_DOES_NOT_EXIST"))
        self.peer.delete_experiment(first["id"])
        deleted = self.refused(self.probe, "make_experiment", name=name)
        self.assertEqual(deleted["status"], "ERR_ARG")
        self.assertIn("is deleted on the server", deleted["message"])

    def test_a02_runs_live_through_their_statuses(self):
        run = self.new_run(tags={"mlflow.source.name": "tiltyard"})
        seen = self.peer.get_run(run["id"])
        self.assertEqual((seen.info.run_name, seen.info.status, seen.info.start_time), ("one", "RUNNING", NOW))
        self.assertEqual(seen.data.tags["mlflow.source.name"], "tiltyard")
        for status in ("SCHEDULED", "FAILED", "KILLED", "FINISHED"):
            self.probe.update_run(id=run["id"], run_status=status, end_ms=NOW + 5)
            self.assertEqual(self.peer.get_run(run["id"]).info.status, status)
        self.assertEqual(self.peer.get_run(run["id"]).info.end_time, NOW + 5)
        self.probe.update_run(id=run["id"], run_status="RUNNING", name="renamed")
        seen = self.peer.get_run(run["id"])
        self.assertEqual((seen.info.status, seen.info.run_name), ("RUNNING", "renamed"))
        wrong = self.refused(self.probe, "update_run", id=run["id"], run_status="DONE")
        self.assertTrue(wrong["is_unsent"], wrong)
        self.probe.delete_run(id=run["id"])
        self.assertEqual(self.peer.get_run(run["id"]).info.lifecycle_stage, "deleted")

    def test_a02_a_uid_is_one_run_however_often_it_is_made(self):
        experiment, uid = self.new_experiment(), uuid.uuid4().hex
        ids = {self.new_run(experiment_id=experiment, uid=uid)["id"] for _ in range(3)}
        other = self.start_probe(SERVER.url)
        ids.add(self.new_run(other, experiment_id=experiment, uid=uid)["id"])
        self.assertEqual(len(ids), 1)
        self.assertEqual(len(self.peer.search_runs([experiment])), 1)
        self.peer.delete_run(ids.pop())
        gone = self.refused(self.probe, "make_run", experiment_id=experiment, uid=uid, name="one", start_ms=NOW)
        self.assertEqual(gone["status"], "ERR_ARG")

    def test_a03_doubles_round_trip_bit_exact(self):
        values = [0.1, 1 / 3, math.pi, 5e-324, 2.2250738585072014e-308, 0.0, DOUBLE_MAX, -DOUBLE_MAX, 1e22, 1e23,
                  123456789.12345679, 1.0, -1.0, 2.0**53 + 2, 4.35, 0.30000000000000004, 1e-310]
        run = self.new_run()["id"]
        self.probe.log_batch(run_id=run, metrics=[["exact", v, NOW + i, i] for i, v in enumerate(values)])
        want = sorted((i, NOW + i, bits_of(v)) for i, v in enumerate(values))
        self.assertEqual(self.history(run, "exact"), want)
        ours = self.probe.read_history(run_id=run, key="exact")["points"]
        self.assertEqual(sorted(map(tuple, ours)), want)
        proxy = self.start_proxy()  # SQLite has one zero; what is sent has two
        self.start_probe(proxy.url).log_batch(run_id=run, metrics=[["zero", -0.0, NOW, 0]])
        sent = json.loads(proxy.seen[-1].body)["metrics"][0]["value"]
        self.assertEqual(bits_of(sent), bits_of(-0.0))

    def test_a04_nan_and_infinities_are_no_zeros(self):
        run = self.new_run()["id"]
        proxy = self.start_proxy()
        self.start_probe(proxy.url).log_batch(
            run_id=run, metrics=[["n", "nan", NOW, 1], ["p", "inf", NOW, 1], ["m", "-inf", NOW, 1]])
        self.assertTrue(math.isnan(self.peer.get_metric_history(run, "n")[0].value))
        self.assertEqual(self.peer.get_metric_history(run, "p")[0].value, DOUBLE_MAX)
        self.assertEqual(self.peer.get_metric_history(run, "m")[0].value, -DOUBLE_MAX)
        self.assertTrue(math.isnan(double_of(self.probe.get_run(id=run)["run"]["metrics"]["n"])))
        sent = proxy.seen[-1].body
        self.assertIn(b'"NaN"', sent)
        self.assertNotIn(b":NaN", sent)
        self.assertNotIn(b"Infinity,", sent.replace(b'"Infinity"', b"").replace(b'"-Infinity"', b""))

    def test_a05_steps_may_be_negative_and_huge(self):
        run, steps = self.new_run()["id"], [-5, 0, 1, 2**31, 2**53 + 1, 2**62]
        self.probe.log_batch(run_id=run, metrics=[["s", 1.5, NOW, step] for step in steps])
        self.assertEqual([p[0] for p in self.history(run, "s")], steps)
        early = self.refused(self.probe, "log_batch", run_id=run, metrics=[["s", 1, -1, 0]])
        self.assertTrue(early["is_unsent"], early)

    def test_a06_keys_that_a_server_refuses_are_refused_before(self):
        good = ["a", "train/loss", "a.b-c_d e:f", "é", "日本", "0", "a/b/c", "x" * 250]
        bad = ["", "a@b", "a%b", "a=b", "a[b]", "a\n", "../x", "/x", "x/", "a//b", ".", "..", "a/./b", "x" * 251]
        run = self.new_run()["id"]
        self.probe.log_batch(run_id=run, metrics=[[k, 1, NOW, 0] for k in good], params={k: "v" for k in good},
                             tags={k: "v" for k in good})
        data = self.peer.get_run(run).data
        for key in good:
            self.assertEqual((data.metrics[key], data.params[key], data.tags[key]), (1, "v", "v"))
        for key in bad:
            for what in ({"metrics": [[key, 1, NOW, 0]]}, {"params": {key: "v"}}, {"tags": {key: "v"}}):
                answer = self.refused(self.probe, "log_batch", run_id=run, **what)
                self.assertEqual((answer["status"], answer["is_unsent"]), ("ERR_ARG", True), repr(key))
            if key != "a\n":  # a trap of the server's: it takes that one
                with self.assertRaises(Exception, msg=repr(key)):
                    self.peer._tracking_client.store.log_batch(run, [mlflow.entities.Metric(key, 1, NOW, 0)], [], [])

    def test_a07_values_that_a_server_would_cut_are_refused(self):
        run = self.new_run()["id"]
        self.probe.log_batch(run_id=run, params={"p": "é" * 6000}, tags={"t": "é" * 8000})
        data = self.peer.get_run(run).data
        self.assertEqual((len(data.params["p"]), len(data.tags["t"])), (6000, 8000))
        for what in ({"params": {"q": "x" * 6001}}, {"tags": {"u": "x" * 8001}}):
            self.assertTrue(self.refused(self.probe, "log_batch", run_id=run, **what)["is_unsent"])

    def test_a08_big_batches_go_out_in_pieces(self):
        run, proxy = self.new_run()["id"], self.start_proxy()
        probe = self.start_probe(proxy.url)
        probe.log_batch(run_id=run, metrics=[["one", i, NOW, i] for i in range(1001)])
        self.assertEqual(proxy.count("POST", "log-batch"), 2)
        self.assertEqual(len(self.history(run, "one")), 1001)
        proxy.clear()
        probe.log_batch(run_id=run, metrics=[[f"k{i}", i, NOW, 0] for i in range(101)],
                        params={f"p{i}": "v" for i in range(101)}, tags={f"t{i}": "v" for i in range(101)})
        data = self.peer.get_run(run).data
        self.assertEqual(len([k for k in data.metrics if k[0] == "k"]), 101)
        self.assertEqual(len(data.params), 101)
        self.assertEqual(len([t for t in data.tags if t[0] == "t" and t[1:].isdigit()]), 101)
        for request in proxy.seen:
            body = json.loads(request.body)
            self.assertLessEqual(len({m["key"] for m in body.get("metrics", [])}), 100)
            self.assertLessEqual(len(body.get("params", [])), 100)
            self.assertLessEqual(len(body.get("tags", [])), 100)
            self.assertLessEqual(sum(len(body.get(k, [])) for k in ("metrics", "params", "tags")), 1000)
        probe.log_batch(run_id=run)  # nothing is nothing
        probe.log_batch(run_id=run, metrics=[["mixed", i, NOW, i] for i in range(900)],
                        params={f"m{i}": "v" for i in range(90)}, tags={f"m{i}": "v" for i in range(90)})
        self.assertEqual(len(self.history(run, "mixed")), 900)

    def test_a09_a_param_keeps_its_value(self):
        run = self.new_run()["id"]
        self.probe.log_batch(run_id=run, params={"lr": "0.1"})
        self.probe.log_batch(run_id=run, params={"lr": "0.1"})
        answer = self.refused(self.probe, "log_batch", run_id=run, params={"lr": "0.2"})
        self.assertEqual((answer["status"], answer["http"]), ("ERR_ARG", 400))
        self.assertEqual(answer["code"], "INVALID_PARAMETER_VALUE")
        self.assertFalse(answer["is_unsent"])
        self.assertEqual(self.peer.get_run(run).data.params["lr"], "0.1")

    def test_a10_data_sets_are_inputs(self):
        run = self.new_run()["id"]
        dataset = {"name": "fashion", "digest": "0123456789abcdef", "source_type": "local", "source": '{"uri": "data"}',
                   "schema": '{"mlflow_colspec": []}', "profile": '{"num_rows": 60000}', "context": "training"}
        for _ in range(2):
            self.probe.log_inputs(run_id=run, datasets=[dataset, {**dataset, "name": "other", "context": "test"}])
        inputs = {i.dataset.name: i for i in self.peer.get_run(run).inputs.dataset_inputs}
        self.assertEqual(sorted(inputs), ["fashion", "other"])
        self.assertEqual(inputs["fashion"].dataset.digest, "0123456789abcdef")
        self.assertEqual(inputs["fashion"].dataset.profile, '{"num_rows": 60000}')
        self.assertEqual([(t.key, t.value) for t in inputs["other"].tags], [("mlflow.data.context", "test")])
        experiment = self.peer.get_run(run).info.experiment_id
        found = self.peer.search_runs([experiment], "dataset.digest = '0123456789abcdef'")
        self.assertEqual([r.info.run_id for r in found], [run])
        long = self.refused(self.probe, "log_inputs", run_id=run, datasets=[{**dataset, "digest": "x" * 37}])
        self.assertTrue(long["is_unsent"], long)

    def test_a11_long_curves_are_read_by_pages(self):
        run, n, proxy = self.new_run()["id"], 23456, self.start_proxy()
        probe = self.start_probe(proxy.url)
        probe.log_batch(run_id=run, metrics=[["long", i / 7, NOW + i, i] for i in range(n)])
        points = probe.read_history(run_id=run, key="long")["points"]
        self.assertEqual(sorted(map(tuple, points)), [(i, NOW + i, bits_of(i / 7)) for i in range(n)])
        asked = [r.path for r in proxy.seen if "get-history" in r.path]
        self.assertEqual(len(asked), 3)
        self.assertTrue(all("max_results=" in path for path in asked), asked)
        self.assertEqual(probe.read_history(run_id=run, key="none")["points"], [])

    def test_a12_runs_are_searched_with_quoted_keys(self):
        experiment = self.new_experiment()
        runs = [self.new_run(experiment_id=experiment, name=f"r{i}")["id"] for i in range(3)]
        for i, run in enumerate(runs):
            self.probe.log_batch(run_id=run, metrics=[["val/acc", i / 2, NOW, 0]], params={"a.b": str(i)})
        found = self.probe.search_runs(experiment_ids=[experiment], filter="metrics.`val/acc` >= 0.5", max=10)["runs"]
        self.assertEqual({r["id"] for r in found}, set(runs[1:]))
        found = self.probe.search_runs(experiment_ids=[experiment], filter="params.`a.b` = '0'", max=10)["runs"]
        self.assertEqual([(r["id"], r["params"]) for r in found], [(runs[0], {"a.b": "0"})])
        self.assertEqual(len(self.probe.search_runs(experiment_ids=[experiment], max=2)["runs"]), 2)
        wrong = self.refused(self.probe, "search_runs", experiment_ids=[experiment], filter="a OR b", max=2)
        self.assertEqual(wrong["status"], "ERR_ARG")

    def test_a13_answers_that_are_none_of_mlflow_are_one_line(self):
        run, proxy = self.new_run()["id"], self.start_proxy()
        probe = self.start_probe(proxy.url)
        cases = [
            (Say(404, "<html><body>nope</body></html>", content_type="text/html"), "ERR_NOT_FOUND", "no such call"),
            (Say(403, "Invalid Host header", content_type="text/plain"), "ERR_FAILED", "Invalid Host header"),
            (Say(200, "<html>login here</html>", content_type="text/html"), "ERR_FAILED", "is the URI right"),
            (Say(200, '{"run": ['), "ERR_FAILED", "is the URI right"),
            (Say(200, "[1, 2]"), "ERR_FAILED", "want a JSON object"),
            (Say(200, '{"run": 7}'), "ERR_FAILED", "lacks what was asked for"),
            (Say(200, '{"run": {"info": {"run_id": "../../etc"}}}'), "ERR_FAILED", "lacks"),
            (Say(200, "[" * 100000), "ERR_FAILED", "is the URI right"),
            (Say(200, " " * (5 << 20) + "{}"), "ERR_FAILED", "4 MiB"),
            (Endless(), "ERR_FAILED", "4 MiB"),
            (Say(400, '{"error_code": "BAD_REQUEST", "message": "a\\u001b[31m\\n\\nb"}'), "ERR_ARG", "a [31m b"),
            (Say(302, "", {"Location": "http://example.org/api/2.0/mlflow/runs/get"}), "ERR_FAILED", "redirect"),
            (Say(200, "", {}), "ERR_FAILED", "lacks"),
        ]
        for fault, status, words in cases:
            proxy.fault("GET", "runs/get", fault)
            answer = self.refused(probe, "get_run", id=run)
            self.assertEqual(answer["status"], status, answer["message"])
            self.assertIn(words, answer["message"])
            self.assertNotIn("\n", answer["message"])
            self.assertNotIn("\x1b", answer["message"])
            self.assertLess(len(answer["message"]), 800)
        proxy.fault("POST", "log-batch", Say(200, b""))  # an empty 200 is an empty object
        probe.log_batch(run_id=run, tags={"a": "b"})
        self.assertEqual(probe.get_run(id=run)["run"]["id"], run)

    def test_a14_prefixes_slashes_and_capitals_are_kept_and_cleaned(self):
        proxy = self.start_proxy(prefix="/team/mlflow")
        for url in (proxy.url, proxy.url + "/", proxy.url + "//", proxy.url.replace("http://127", "HTTP://127")):
            self.assertEqual(self.start_probe(url).version()["version"], mlflow.__version__)
        run = self.new_run(self.start_probe(proxy.url))
        local = self.file("f", b"abc")
        self.start_probe(proxy.url).upload(root=run["artifact_uri"], path="f", local=local)
        self.assertEqual([f.path for f in self.peer.list_artifacts(run["id"])], ["f"])

    def test_a14_redirects_within_the_server_are_followed_by_reading_only(self):
        run, proxy = self.new_run()["id"], self.start_proxy()
        probe = self.start_probe(proxy.url)
        place = f"/api/2.0/mlflow/runs/get?run_id={run}"
        proxy.fault("GET", "runs/get", Say(302, "", {"Location": place}))
        self.assertEqual(probe.get_run(id=run)["run"]["id"], run)
        proxy.fault("GET", "runs/get", Say(301, "", {"Location": place}), times=20)
        self.assertIn("circles", self.refused(probe, "get_run", id=run)["message"])
        proxy.clear()
        proxy.fault("POST", "log-batch", Say(302, "", {"Location": "/elsewhere"}))
        self.assertIn("redirect", self.refused(probe, "log_batch", run_id=run, tags={"a": "b"})["message"])
        self.assertEqual(proxy.count("*", "elsewhere"), 0)

    def test_a14_a_redirect_elsewhere_takes_no_credentials_along(self):
        other, proxy = self.start_proxy(), self.start_proxy()
        env = {"MLFLOW_TRACKING_TOKEN": "canary-token"}
        probe = self.start_probe(proxy.url, env=env)
        proxy.fault("GET", "runs/get", Say(307, "", {"Location": f"{other.url}/api/2.0/mlflow/runs/get?run_id=x"}))
        answer = self.refused(probe, "get_run", id="x")
        self.assertEqual(answer["status"], "ERR_FAILED")
        self.assertIn(f"127.0.0.1:{other.port}", answer["message"])
        self.assertEqual(other.seen, [])

    def test_a14_a_proxy_from_the_environment_is_used(self):
        proxy = self.start_proxy()
        env = {"http_proxy": f"http://127.0.0.1:{proxy.port}"}
        elsewhere = SERVER.url.replace("127.0.0.1", "tracking.invalid")
        answer = self.start_probe(elsewhere, "none", env).try_call("version")
        self.assertEqual([r.path for r in proxy.seen], [f"{elsewhere}/version"], answer)
        answer = self.start_probe(elsewhere, "none", {**env, "no_proxy": "tracking.invalid"}).try_call("version")
        self.assertEqual(answer["status"], "ERR_BUSY")
        self.assertEqual(len(proxy.seen), 1)

    def test_a16_no_request_has_an_origin_or_is_chunked(self):
        proxy = self.start_proxy()
        probe = self.start_probe(proxy.url)
        run = self.new_run(probe)
        probe.log_batch(run_id=run["id"], metrics=[["a", 1, NOW, 0]])
        for size in (0, 1, 3 << 20):
            probe.upload(root=run["artifact_uri"], path=f"f{size}", local=self.file("f", b"x" * size))
        for request in proxy.seen:
            self.assertIsNone(request.headers["Origin"], request)
            self.assertIsNone(request.headers["Transfer-Encoding"], request)
            if request.method in ("POST", "PUT"):
                self.assertEqual(request.headers["Content-Length"], str(len(request.body)), request)
            self.assertIn("tiltyard", request.headers["User-Agent"])
        self.assertIsNone(proxy.seen[0].headers["X-MLFLOW-WORKSPACE"])

    def test_a17_the_workspace_is_a_header(self):
        proxy = self.start_proxy()
        self.start_probe(proxy.url, "none", {"MLFLOW_WORKSPACE": "team-a"}).try_call("find_experiment", name="x")
        self.assertEqual(proxy.seen[0].headers["X-MLFLOW-WORKSPACE"], "team-a")


class Credentials(Case):
    def sent(self, url=None, env=None):
        proxy = self.start_proxy()
        url = url(proxy) if url else proxy.url
        probe = self.start_probe(url, "none", env)
        answer = probe.try_call("find_experiment", name="nothing")
        self.assertNotIn("canary", str(answer))
        core = probe.core_limit()["core_bytes"]
        probe.process.stdin.close()
        probe.process.wait()
        probe.reader.join()
        self.assertNotIn(b"canary", probe.errors)
        return proxy.seen[0].headers["Authorization"] if proxy.seen else None, core

    def test_a15_basic_and_bearer(self):
        basic = "Basic " + base64.b64encode("ü:canary@1".encode()).decode()
        user = {"MLFLOW_TRACKING_USERNAME": "ü", "MLFLOW_TRACKING_PASSWORD": "canary@1"}
        token = {"MLFLOW_TRACKING_TOKEN": "canary-token"}
        self.assertEqual(self.sent(env=user), (basic, 0))
        self.assertEqual(self.sent(env=token), ("Bearer canary-token", 0))
        self.assertEqual(self.sent(env={**user, **token}), (basic, 0))
        self.assertEqual(self.sent(env={"MLFLOW_TRACKING_USERNAME": "alone"})[0], None)
        in_uri = self.sent(url=lambda p: f"http://%C3%BC:canary%401@127.0.0.1:{p.port}", env=token)
        self.assertEqual(in_uri, (basic, 0))

    def test_a15_the_credentials_file(self):
        os.makedirs(f"{self.folder}/.mlflow")
        path = f"{self.folder}/.mlflow/credentials"
        with open(path, "w", encoding="utf-8") as file:
            file.write("[other]\nmlflow_tracking_username = no\n[mlflow]\n# a note\n"
                       "mlflow_tracking_username = me\nmlflow_tracking_password = canary=1\n")
        os.chmod(path, 0o600)
        want = "Basic " + base64.b64encode(b"me:canary=1").decode()
        self.assertEqual(self.sent(env={"HOME": self.folder})[0], want)
        os.chmod(path, 0o644)
        probe = self.start_probe(SERVER.url, env={"HOME": self.folder})
        self.assertEqual(probe.opened, "ERR_FAILED")
        probe.process.wait()
        probe.reader.join()
        self.assertIn(b"may be read by others (mode 644)", probe.errors)
        self.assertNotIn(b"canary", probe.errors)

    def make_certificate(self, name):
        path = f"{self.folder}/{name}.pem"
        words = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1"
        subprocess.run([*words.split(), "-keyout", path + ".key", "-out", path], check=True, capture_output=True)
        with open(path, "ab") as out, open(path + ".key", "rb") as key:
            out.write(key.read())
        return path

    def test_a15_certificates_are_checked(self):
        ours, other = self.make_certificate("ours"), self.make_certificate("other")
        proxy = self.start_proxy(certificate=ours)
        call = lambda env: self.start_probe(proxy.url, "3", env).try_call("version")
        for env in ({}, {"MLFLOW_TRACKING_SERVER_CERT_PATH": other}):
            answer = call(env)
            self.assertEqual(answer["status"], "ERR_FAILED", answer)  # at once: no retry makes it better
            self.assertIn("certificate", answer["message"])
        self.assertEqual(call({"MLFLOW_TRACKING_SERVER_CERT_PATH": ours})["version"], mlflow.__version__)
        self.assertEqual(call({"MLFLOW_TRACKING_INSECURE_TLS": "true"})["version"], mlflow.__version__)
        missing = self.start_probe(proxy.url, env={"MLFLOW_TRACKING_SERVER_CERT_PATH": "/nonexistent"})
        self.assertEqual(missing.opened, "ERR_NOT_FOUND")
        plain = self.start_probe(SERVER.url.replace("http:", "https:"), "none").try_call("version")
        self.assertEqual(plain["status"], "ERR_BUSY")


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
        self.probe.make_registered(name=f"m-{experiment}")
        for i, fault in enumerate(faults):
            self.bad.version()
            self.proxy.fault("POST", "logged-models", fault)
            self.proxy.fault("POST", "logged-models", fault, after=1)
            model = self.bad.make_model(experiment_id=experiment, uid=uuid.uuid4().hex, name="net",
                                        run_id=self.run_id)["model"]
            self.proxy.fault("POST", "model-versions/create", fault, times=2)
            version = self.bad.make_version(name=f"m-{experiment}", uid=uuid.uuid4().hex,
                                            source=f"models:/{model['id']}", model_id=model["id"])["version"]
            self.assertEqual(version["version"], str(i + 1))
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
        endless.deadline(ms=2000)
        answer = endless.try_call("log_batch", run_id=self.run_id, tags={"a": "b"})
        self.assertEqual((answer["status"], answer["is_unknown"]), ("ERR_BUSY", True), answer)


class Artifacts(Case):
    def setUp(self):
        super().setUp()
        run = self.new_run()
        self.run_id, self.root = run["id"], run["artifact_uri"]

    def download(self, path):
        with open(self.peer.download_artifacts(self.run_id, path, self.folder), "rb") as file:
            return file.read()

    def test_c29_files_of_all_sizes_arrive_whole(self):
        for size in (0, 1, 1 << 20, 64 << 20):
            data = hashlib.shake_128(str(size).encode()).digest(min(size, 1 << 20)) * max(1, size >> 20)
            data = data[:size]
            local = self.file(f"up-{size}", data)
            self.probe.upload(root=self.root, path=f"sizes/{size}.bin", local=local)
            self.assertEqual(hashlib.sha256(self.download(f"sizes/{size}.bin")).digest(), hashlib.sha256(data).digest())
            back = os.path.join(self.folder, f"back-{size}")
            self.probe.download(root=self.root, path=f"sizes/{size}.bin", local=back)
            with open(back, "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).digest(), hashlib.sha256(data).digest())
        self.assertEqual([f for f in os.listdir(self.folder) if f.startswith(".tmp")], [])

    def test_c30_odd_names(self):
        good = ["a b.txt", "100%.txt", "c+d.txt", "grüße/日本.txt", "~x", "a:b", "a&b=c", "quote'\"", "x;y", "%z"]
        local = self.file("f", b"content")
        for name in good:
            self.probe.upload(root=self.root, path=f"odd/{name}", local=local)
            self.assertEqual(self.download(f"odd/{name}"), b"content", name)
            self.probe.download(root=self.root, path=f"odd/{name}", local=f"{self.folder}/back")
        bad = ["", "../x", "a/../b", "/etc/passwd", "a//b", "a#b", "a%41", "a\nb", "a\\b", ".", "x" * 256]
        for name in bad:
            answer = self.refused(self.probe, "upload", root=self.root, path=name, local=local)
            self.assertEqual((answer["status"], answer["is_unsent"]), ("ERR_ARG", True), repr(name))

    def test_c30_names_that_a_server_lists_are_not_believed(self):
        proxy = self.start_proxy()
        listing = ('{"files": [{"path": "../../x", "file_size": 1}, {"path": "..", "is_dir": true},'
                   ' {"path": "a\\u0001b"}, {"path": "good", "file_size": "7"}, {"path": 7}, {"path": "a\\\\b"}]}')
        proxy.fault("GET", "mlflow-artifacts/artifacts", Say(200, listing))
        files = self.start_probe(proxy.url).list_files(root=self.root, path="")["files"]
        self.assertEqual(sorted(f[0] for f in files), ["good", "x"])

    def test_c31_a_tree_is_listed(self):
        for path in ("top", "a/one", "a/two", "a/b/three"):
            self.probe.upload(root=self.root, path=path, local=self.file("f", path.encode()))
        listed = lambda path: sorted(map(tuple, self.probe.list_files(root=self.root, path=path)["files"]))
        self.assertEqual(listed(""), [("a", True, 0), ("top", False, 3)])
        self.assertEqual(listed("a"), [("a/b", True, 0), ("a/one", False, 5), ("a/two", False, 5)])
        self.assertEqual(listed("nowhere"), [])
        missing = self.refused(self.probe, "download", root=self.root, path="nowhere/x", local=f"{self.folder}/x")
        self.assertEqual(missing["status"], "ERR_NOT_FOUND")
        self.assertFalse(os.path.exists(f"{self.folder}/x"))

    def test_c32_an_upload_that_came_out_short_is_told(self):
        proxy = self.start_proxy()
        probe = self.start_probe(proxy.url)
        local = self.file("f", b"x" * 1000)
        proxy.fault("PUT", "/artifacts/", Say(200, "{}"))
        answer = self.refused(probe, "upload", root=self.root, path="lost", local=local)
        self.assertEqual(answer["status"], "ERR_INTEGRITY")
        proxy.fault("GET", "/artifacts?", Say(200, '{"files": [{"path": "short", "file_size": 0}]}'))
        self.assertIn("want 1000", self.refused(probe, "upload", root=self.root, path="short", local=local)["message"])
        for fault in (Drop(), ResetMidBody(), Say(503, "no")):
            proxy.fault("PUT", "/artifacts/", fault)
            probe.upload(root=self.root, path="again", local=local)
            self.assertEqual(self.download("again"), b"x" * 1000)
        for fault in (ResetMidBody(), Unheard(), Say(503, "half a page that must not end in the file")):
            proxy.fault("GET", "/artifacts/", fault)
            probe.download(root=self.root, path="again", local=f"{self.folder}/back")
            with open(f"{self.folder}/back", "rb") as file:
                self.assertEqual(file.read(), b"x" * 1000)

    def test_c33_without_parts_a_big_file_goes_at_once(self):
        proxy = self.start_proxy()
        probe = self.start_probe(proxy.url, env={"MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": "1000"})
        for name in ("one", "two"):
            probe.upload(root=self.root, path=name, local=self.file("f", b"y" * 2000))
            self.assertEqual(self.download(name), b"y" * 2000)
        self.assertEqual(proxy.count("POST", "mpu/create"), 1)  # the answer is remembered
        self.assertEqual(proxy.count("PUT", "/artifacts/"), 2)

    def test_c35_a_folder_of_the_server_is_told_apart(self):
        local = self.file("f", b"here")
        for root in ("/srv-nowhere/mlruns/1/abc/artifacts", "file:///srv-nowhere/mlruns/1/abc/artifacts"):
            answer = self.refused(self.probe, "upload", root=root, path="f", local=local)
            self.assertEqual(answer["status"], "ERR_ARG")
            self.assertIn("--serve-artifacts", answer["message"])
        os.makedirs(f"{self.folder}/mlruns")
        root = f"{self.folder}/mlruns/1/abc/artifacts"
        self.probe.upload(root=root, path="a/f", local=local)
        self.assertEqual(self.probe.list_files(root="file://" + root, path="a")["files"], [["a/f", False, 4]])
        self.probe.download(root=root, path="a/f", local=f"{self.folder}/back")
        for root in ("gs://bucket/x", "dbfs:/x", "wasbs://c@a/x", "mlruns/1/abc/artifacts", "ftp://x/y"):
            answer = self.refused(self.probe, "upload", root=root, path="f", local=local)
            self.assertIn("--serve-artifacts", answer["message"])
        for root in ("mlflow-artifacts://elsewhere:1/x", "http://elsewhere/api/2.0/mlflow-artifacts/artifacts/x"):
            self.assertIn("another server", self.refused(self.probe, "list_files", root=root, path="")["message"])


class Models(Case):
    def make_model(self, **more):
        run = self.new_run()
        wanted = {"experiment_id": run["experiment_id"], "uid": uuid.uuid4().hex, "name": "net", "run_id": run["id"],
                  "type": "onnx", **more}
        return run, self.probe.make_model(**wanted)["model"]

    def test_d36_a_logged_model_is_made_filled_and_finished(self):
        params = {f"p{i}": str(i) for i in range(250)}
        run, model = self.make_model(params=params, tags={"kind": "best"})
        self.probe.upload(root=model["artifact_uri"], path="MLmodel", local=self.file("MLmodel", b"flavors: {}\n"))
        self.assertEqual(self.peer.get_logged_model(model["id"]).status.value, "PENDING")
        self.probe.finalize_model(id=model["id"], is_ready=True)
        self.probe.tag_model(id=model["id"], tags={"more": "tags"})
        for _ in range(2):
            self.probe.log_output(run_id=run["id"], model_id=model["id"], step=7)
        self.probe.log_batch(run_id=run["id"], metrics=[["test/acc", 0.5, NOW, 7, model["id"], "fashion", "abc"]])
        seen = self.peer.get_logged_model(model["id"])
        self.assertEqual((seen.status.value, seen.source_run_id, seen.model_type), ("READY", run["id"], "onnx"))
        self.assertEqual(seen.params, params)
        self.assertEqual((seen.tags["kind"], seen.tags["more"]), ("best", "tags"))
        self.assertEqual([(m.key, m.value, m.dataset_name) for m in seen.metrics], [("test/acc", 0.5, "fashion")])
        outputs = self.peer.get_run(run["id"]).outputs.model_outputs
        self.assertEqual([(o.model_id, o.step) for o in outputs], [(model["id"], 7)])
        ours = self.probe.get_model(id=model["id"])["model"]
        self.assertEqual((ours["model_status"], ours["params"]), ("LOGGED_MODEL_READY", params))
        _, failed = self.make_model()
        self.probe.finalize_model(id=failed["id"], is_ready=False)
        self.assertEqual(self.peer.get_logged_model(failed["id"]).status.value, "FAILED")
        for name in ("a/b", "a:b", "a.b", "a%b", 'a"b', ""):
            answer = self.refused(self.probe, "make_model", experiment_id=run["experiment_id"], uid="u", name=name)
            self.assertTrue(answer["is_unsent"], name)

    def test_d42_the_registry_keeps_versions_tags_and_aliases(self):
        run, model = self.make_model()
        name = f"net {uuid.uuid4().hex}"
        for _ in range(2):
            self.probe.make_registered(name=name, description="what it is", tags={"team": "a"})
        version = self.probe.make_version(name=name, uid="v1", source=f"models:/{model['id']}", run_id=run["id"],
                                          model_id=model["id"], description="first", tags={"gate": "passed"})["version"]
        self.assertEqual((version["version"], version["model_id"]), ("1", model["id"]))
        second = self.probe.make_version(name=name, uid="v2", source=f"models:/{model['id']}")["version"]
        self.assertEqual(second["version"], "2")
        self.probe.describe_version(name=name, version="1", description="**better**")
        self.probe.describe_registered(name=name, description="now this")
        self.probe.tag_version(name=name, version="1", key="k", value="x" * 10000)
        self.probe.tag_registered(name=name, key="k", value="v")
        self.probe.tag_registered(name=name, key="team")  # no value: removed
        self.probe.set_alias(name=name, alias="champion", version="1")
        self.probe.set_alias(name=name, alias="challenger", version="2")
        seen = self.peer.get_model_version(name, "1")
        self.assertEqual((seen.description, seen.run_id, seen.tags["gate"]), ("**better**", run["id"], "passed"))
        self.assertEqual(len(seen.tags["k"]), 10000)
        registered = self.peer.get_registered_model(name)
        self.assertEqual(registered.aliases, {"champion": "1", "challenger": "2"})
        self.assertEqual((registered.tags, registered.description), ({"k": "v"}, "now this"))
        self.assertEqual(self.probe.get_registered(name=name)["registered"]["aliases"], registered.aliases)
        self.probe.set_alias(name=name, alias="champion", version="2")
        self.assertEqual(self.probe.get_alias(name=name, alias="champion")["version"]["version"], "2")
        self.probe.delete_alias(name=name, alias="challenger")
        gone = self.refused(self.probe, "get_alias", name=name, alias="challenger")
        self.assertEqual(gone["status"], "ERR_NOT_FOUND")
        found = self.probe.search_versions(filter=f"name = '{name}'", max=10)["list"]
        self.assertEqual([v["version"] for v in found], ["2", "1"])
        self.assertEqual(self.probe.version_root(name=name, version="1")["root"], model["artifact_uri"])
        self.assertIn(name, [r["name"] for r in self.probe.search_registered(max=1000)["list"]])
        self.probe.tag_version(name=name, version="1", key="k")
        self.assertNotIn("k", self.peer.get_model_version(name, "1").tags)
        self.probe.delete_version(name=name, version="2")
        self.assertEqual(self.refused(self.probe, "get_version", name=name, version="2")["status"], "ERR_NOT_FOUND")
        self.probe.delete_registered(name=name)
        self.assertEqual(self.refused(self.probe, "get_registered", name=name)["status"], "ERR_NOT_FOUND")

    def test_d42_names_and_aliases_that_would_not_work_are_refused(self):
        for name in ("", "a/b", "a:b", "a@b", "a'b", "x" * 257):
            self.assertTrue(self.refused(self.probe, "make_registered", name=name)["is_unsent"], name)
        self.probe.make_registered(name="fine")
        for alias in ("", "latest", "v1", "V12", "a b", "a.b", "x" * 256):
            answer = self.refused(self.probe, "set_alias", name="fine", alias=alias, version="1")
            self.assertTrue(answer["is_unsent"], alias)

    def test_d42_eight_clients_make_versions_1_to_8(self):
        _, model = self.make_model()
        name = f"many-{uuid.uuid4().hex}"
        self.probe.make_registered(name=name)
        probes = [self.start_probe(SERVER.url, "7") for _ in range(8)]
        made = [None] * 8

        def make(i):
            answer = probes[i].make_version(name=name, uid=f"u{i}", source=f"models:/{model['id']}")
            made[i] = answer["version"]["version"]

        threads = [threading.Thread(target=make, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(map(int, made)), list(range(1, 9)))


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
