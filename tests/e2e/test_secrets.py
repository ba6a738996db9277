"""A canary in every place where a credential may stand: nothing that the program says, writes or logs has it."""
import itertools

from fake_mlflow import FakeServer
from harness import *

CANARY = "canary7f3a91"
QUICK = ["--set", "train.duration=40 steps", "--set", "tracking.exit_wait=60", "--set", "checkpoint.every=10 steps"]
FEW = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0"}


class Secrets(Case):
    def setUp(self):
        super().setUp()
        self.server = FakeServer()
        self.addCleanup(self.server.close)
        self.said, self.numbers = [], itertools.count()
        home = self.folder / "home"
        (home / ".mlflow").mkdir(parents=True)
        file = home / ".mlflow/credentials"
        file.write_text(f"[mlflow]\nmlflow_tracking_username = {CANARY}user\nmlflow_tracking_password = {CANARY}file\n")
        file.chmod(0o600)
        self.env.update(FEW)

    def places(self):
        """The environments that hold a secret, by the place it is in."""
        url, in_url = self.server.url, self.server.url.replace("://", f"://me:{CANARY}%40url@")
        yield "token", {"MLFLOW_TRACKING_URI": url, "MLFLOW_TRACKING_TOKEN": CANARY}
        yield "password", {"MLFLOW_TRACKING_URI": url, "MLFLOW_TRACKING_USERNAME": f"{CANARY}-me",
                           "MLFLOW_TRACKING_PASSWORD": CANARY}
        yield "uri", {"MLFLOW_TRACKING_URI": in_url, "MLFLOW_REGISTRY_URI": in_url}
        yield "file", {"MLFLOW_TRACKING_URI": url}
        yield "aws", {"MLFLOW_TRACKING_URI": url, "AWS_ACCESS_KEY_ID": "me", "AWS_SECRET_ACCESS_KEY": CANARY,
                      "AWS_SESSION_TOKEN": f"{CANARY}-session"}

    def do(self, *words, codes=(0,), **options):
        """Runs a command and keeps what it says; the code is one of codes."""
        process = self.start(*words, **options)
        out, err = process.communicate(timeout=300)
        self.said += [out, err]
        self.assertIn(process.returncode, codes, f"{words}\n{out}\n{err}")

    def commands(self, env):
        name = f"run{next(self.numbers)}"
        self.do("check", SYNTHETIC, env=env)
        self.do("info", env=env)
        self.do("train", "-v", "-v", SYNTHETIC, *QUICK, "--name", name, "--json", env=env)
        self.do("sync", "-v", "-v", "--status", env=env, codes=(0, 75))
        self.do("sync", "-v", "-v", env=env)
        self.do("models", "ls", env=env, codes=(0, 1, 75))
        self.do("runs", "show", name, env=env)
        self.do("runs", "export", name, "--output", f"{name}.jsonl", env=env)

    def assert_kept(self):
        """No output and no file but the credentials' own holds the canary."""
        for text in self.said:
            self.assertNotIn(CANARY, text)
        for path in self.folder.rglob("*"):
            if path.is_file() and path.name != "credentials":
                self.assertNotIn(CANARY.encode(), path.read_bytes(), path)

    def assert_used(self, what):
        """The test would notice nothing if no secret was there: each reaches the server, in its header."""
        sent = [headers.get("Authorization", "") for headers in self.server.headers]
        if what != "aws":
            self.assertTrue(any(sent), what)
        self.server.headers.clear()

    def test_no_place_of_a_credential_shows_it(self):
        for what, secret in self.places():
            with self.subTest(what):
                self.commands({**self.env, **secret})
                self.assert_used(what)
                self.assert_kept()
        told = repr([self.server.runs, self.server.models])
        self.assertNotIn(CANARY, told)
        for name, content in self.server.files.items():
            self.assertNotIn(CANARY.encode(), content, name)

    def test_a_server_that_says_it_back_or_sends_it_away_learns_nothing_more(self):
        for fault in (401, 403, 500, 404, "down"):
            for what, secret in self.places():
                with self.subTest(fault=fault, place=what):
                    self.server.fault = lambda *_: fault
                    env = {**self.env, **secret}
                    words = ("--set", "tracking.exit_wait=0", "--name", f"bad{next(self.numbers)}")
                    self.do("train", "-v", "-v", SYNTHETIC, "--set", "train.duration=5 steps", *words, env=env)
                    self.do("sync", "-v", "-v", env=env, codes=(0, 1, 75))
                    self.do("models", "-v", "ls", env=env, codes=(1, 2, 75))
                    self.assert_kept()

    def test_a_secret_in_a_config_or_on_the_command_line_is_refused_without_being_repeated(self):
        uri = f"http://me:{CANARY}@127.0.0.1:9/"
        config = self.folder / "home/config.json"
        tracking = '"seed": 7, "tracking": {"uri": "%s"},' % uri
        config.write_text(Path(SYNTHETIC).read_text().replace('"seed": 7,', tracking))
        for command in ("check", "train"):
            self.do(command, SYNTHETIC, "--set", f"tracking.uri={uri}", codes=(2,))
            self.do(command, config, codes=(2,))
        config.unlink()
        self.assert_kept()

    def test_no_core_is_written_while_a_secret_is_in_memory(self):
        import resource
        env = {**self.env, "MLFLOW_TRACKING_URI": self.server.url, "MLFLOW_TRACKING_TOKEN": CANARY}
        allow = lambda: resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        process = self.start("train", SYNTHETIC, "--set", "train.duration=10000000 steps", env=env, preexec_fn=allow)
        self.wait_for_checkpoint(process)
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +")
        process.send_signal(signal.SIGSEGV)
        self.said += process.communicate(timeout=60)
        self.assertEqual(process.returncode, -signal.SIGSEGV)
        self.assert_kept()


if __name__ == "__main__":
    unittest.main()
