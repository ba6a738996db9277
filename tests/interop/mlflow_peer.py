"""What tests of the client of MLflow servers share: a real server, our client at the end of two pipes, odd values."""
import ctypes
import functools
import hashlib
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import warnings

from peers import Peers, free_port


class MlflowPeers(Peers):
    """MLflow among them, which takes no orders from the environment here and keeps its warnings to itself."""

    def __enter__(self):
        super().__enter__()
        for name in [n for n in os.environ if n.startswith(("MLFLOW_", "AWS_")) or n.endswith("_proxy")]:
            del os.environ[name]
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        warnings.simplefilter("ignore")


def python_of(peer):
    """That of an older MLflow ("mlflow-3.0.1"), where `scripts/peers PEER` has brought it; else None."""
    told = os.environ.get("TILTYARD_" + peer.upper().replace("-", "_").replace(".", "_"))
    if told:
        return told
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    requirements = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"requirements-{peer}.txt")
    with open(requirements, "rb") as file:
        digest = hashlib.sha256(file.read()).hexdigest()[:12]
    venv = os.path.join(cache, "tiltyard", f"peers-{peer}-{digest}")
    return os.path.join(venv, "bin", "python") if os.path.exists(os.path.join(venv, "complete")) else None


def server_python():
    """Of the server that the suite is held against: the peers', or that of TILTYARD_TEST_SERVER ("mlflow-3.0.1")."""
    peer = os.environ.get("TILTYARD_TEST_SERVER")
    python = python_of(peer) if peer else sys.executable
    if not python:
        print(f"skipped: no {peer}; want `scripts/peers {peer}`")
        sys.exit(77)
    return python


def end_with_parent():
    """In the child: a test that is killed leaves no server behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


class MlflowServer:
    """One real `mlflow server` on loopback with a database and artifacts of its own."""

    def __init__(self, *options, env=None, python=None):
        self.folder = tempfile.mkdtemp(prefix="tiltyard-server-")
        self.python = python or server_python()
        self.options, self.env = options, {**os.environ, **(env or {})}
        self.port = free_port()
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, seconds=300):
        words = [self.python, "-m", "mlflow", "server", "--backend-store-uri", f"sqlite:///{self.folder}/mlflow.db",
                 "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1", *self.options]
        if not any(o.startswith("--artifacts-destination") or o.startswith("--default-artifact") for o in self.options):
            words += ["--artifacts-destination", f"{self.folder}/artifacts"]
        self.log = open(f"{self.folder}/server.log", "ab")
        self.process = subprocess.Popen(words, stdout=self.log, stderr=self.log, cwd=self.folder, env=self.env,
                                        start_new_session=True, preexec_fn=end_with_parent)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5) as answer:
                    if answer.status == 200:
                        return self
            except OSError:
                time.sleep(0.3)
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            raise AssertionError(f"mlflow server did not start\n{log.read()[-4000:]}")

    @functools.cached_property
    def version(self):
        with urllib.request.urlopen(f"{self.url}/version", timeout=60) as answer:
            return answer.read().decode()

    @property
    def is_newest(self):
        return self.python == sys.executable

    @property
    def major(self):
        """Logged models came with 3."""
        return int(self.version.split(".")[0])

    def stop(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, 15)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, 9)
                self.process.wait()
        self.log.close()

    def remove(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


class Refused(AssertionError):
    def __init__(self, name, answer):
        super().__init__(f"{name}: {answer}")
        self.answer = answer


class Probe:
    """Our client: probe.make_run(name=...) answers its dictionary, or raises Refused."""

    def __init__(self, program, url, patience="3", env=None):
        environment = {"HOME": "/nonexistent", "PATH": os.environ["PATH"], "MLFLOW_HTTP_REQUEST_TIMEOUT": "600"}
        for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS"):
            if name in os.environ:
                environment[name] = os.environ[name]
        environment.update(env or {})
        self.process = subprocess.Popen([program, url, patience], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=environment)
        self.errors = b""
        self.reader = threading.Thread(target=self.read_errors, daemon=True)
        self.reader.start()
        self.opened = json.loads(self.process.stdout.readline())["status"]

    def read_errors(self):
        for line in self.process.stderr:
            self.errors += line

    def try_call(self, name, /, **arguments):
        line = json.dumps({"call": name, **arguments}) + "\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            self.process.wait()
            self.reader.join()
            raise AssertionError(f"the probe died with {self.process.returncode}\n{self.errors.decode()}")
        return json.loads(answer)

    def __getattr__(self, name):
        def call(**arguments):
            answer = self.try_call(name, **arguments)
            if answer["status"] != "OK":
                raise Refused(name, answer)
            return answer
        return call

    def close(self):
        self.process.stdin.close()
        code = self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, *_):
        code = self.close()
        if code != 0 and self.opened == "OK":
            raise AssertionError(f"the probe ended with {code}\n{self.errors.decode()}")


def double_of(bits):
    return struct.unpack(">d", bytes.fromhex(bits))[0]


def bits_of(value):
    return struct.pack(">d", value).hex()
