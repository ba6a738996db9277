"""How our client reaches an MLflow server, and what it takes from one: test_mlflow_connection.py PROBE."""
import base64
import os
import subprocess

from client_case import NOW, Case, main
from fault_proxy import Endless, Say


class Connection(Case):
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
            self.assertEqual(self.start_probe(url).version()["version"], self.server.version)
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
        elsewhere = self.server.url.replace("127.0.0.1", "tracking.invalid")
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
        probe = self.start_probe(self.server.url, env={"HOME": self.folder})
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
        self.assertEqual(call({"MLFLOW_TRACKING_SERVER_CERT_PATH": ours})["version"], self.server.version)
        self.assertEqual(call({"MLFLOW_TRACKING_INSECURE_TLS": "true"})["version"], self.server.version)
        missing = self.start_probe(proxy.url, env={"MLFLOW_TRACKING_SERVER_CERT_PATH": "/nonexistent"})
        self.assertEqual(missing.opened, "ERR_NOT_FOUND")
        plain = self.start_probe(self.server.url.replace("http:", "https:"), "none").try_call("version")
        self.assertEqual(plain["status"], "ERR_BUSY")


if __name__ == "__main__":
    main()
