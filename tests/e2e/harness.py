"""Starts the real binary in a folder of its own and reads what it leaves behind."""
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

BINARY = os.environ.get("TILTYARD", str(Path(__file__).resolve().parents[2] / "build/release/cli/tiltyard"))
ROOT = Path(__file__).resolve().parents[2]
SYNTHETIC = str(ROOT / "configs/synthetic.json")
SEED = int(os.environ.get("TILTYARD_TEST_SEED", random.SystemRandom().randrange(10**9)))
# In every test's environment, and nowhere in what the test leaves behind.
CANARY = "canary-in-every-credential"
SECRETS = dict.fromkeys(("MLFLOW_TRACKING_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), CANARY)
MPI = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


class Case(unittest.TestCase):
    """A test with a working folder; says the seed, so that a random failure can be had again."""

    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED} (TILTYARD_TEST_SEED repeats it)", flush=True)

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="tiltyard-e2e-"))
        self.random = random.Random(SEED)
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("OMPI_", "PMI", "SLURM_", "MLFLOW_"))}
        self.env.update(MPI, **SECRETS, HOME=str(self.folder / "home"))
        for name in ("CI", "COLUMNS", "LINES", "NO_COLOR", "XDG_CACHE_HOME"):
            self.env.pop(name, None)

    def tearDown(self):
        told = [str(path) for path in self.folder.rglob("*") if self.tells_secrets(path)]
        shutil.rmtree(self.folder, ignore_errors=True)
        self.assertEqual(told, [], "files with a secret of the environment")

    @staticmethod
    def tells_secrets(path):
        try:
            return path.is_file() and CANARY.encode() in path.read_bytes()
        except OSError:  # gone, or on a disk that is
            return False

    def start(self, *words, ranks=0, through=(), **options):
        command = [*through, BINARY, *map(str, words)]
        if ranks:
            command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-n", str(ranks), *command]
        options.setdefault("env", self.env)
        return subprocess.Popen(command, cwd=options.pop("cwd", self.folder), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, **options)

    def run_it(self, *words, ranks=0, code=0, timeout=300, **options):
        process = self.start(*words, ranks=ranks, **options)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            self.fail(f"{words} did not end within {timeout} s\n{out}\n{err}")
        if code is not None:
            self.assertEqual(process.returncode, code, f"{words}\nstdout: {out}\nstderr: {err}")
        self.assertNotIn(CANARY, out + err, words)
        return out, err

    def train(self, *words, config=SYNTHETIC, **options):
        """Trains to the end and returns the last JSON line: step, params_hash, run, metrics."""
        out, _ = self.run_it("train", config, "--json", *words, **options)
        return json.loads([line for line in out.splitlines() if '"event": "done"' in line][-1])

    def small_disk(self, size):
        """A file system of this size in a folder of the test's; only root may mount one."""
        disk = self.folder / "disk"
        disk.mkdir(exist_ok=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", disk], capture_output=True)
        if mounted.returncode:
            self.skipTest("no tmpfs can be mounted here: " + mounted.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", disk], capture_output=True)
        return disk

    def query(self, text, *values, store="mlflow.db"):
        with sqlite3.connect(self.folder / store) as store:
            return store.execute(text, values).fetchall()

    def files(self):
        return sorted(str(p.relative_to(self.folder)) for p in self.folder.rglob("*") if "home" not in p.parts)

    def wait_for_checkpoint(self, process):
        """The first checkpoint; a process that ends before has failed, and its words are shown."""
        def seen():
            has_ended = process.poll() is not None
            found = list(self.folder.rglob("step_*.h5"))
            if has_ended and not found:
                self.fail(f"ended with {process.returncode} before a checkpoint\n{process.communicate()}")
            return found
        return self.wait_for(seen, what="a checkpoint")

    def wait_for(self, condition, seconds=240, what="condition"):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            result = condition()
            if result:
                return result
            time.sleep(0.01)
        self.fail(f"{what} did not come true within {seconds} s")


def ranks_of(parent_pid):
    """The tiltyard processes below a mpirun (or tiltyard -n) process, by rank."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name = (entry / "comm").read_text().strip()
            environ = (entry / "environ").read_bytes().split(b"\0")
            if name == "tiltyard" and is_below(int(entry.name), parent_pid):
                rank = [v for v in environ if v.startswith(b"OMPI_COMM_WORLD_RANK=")]
                if rank:
                    found[int(rank[0].split(b"=")[1])] = int(entry.name)
        except (OSError, ValueError):
            continue
    return found


def is_below(pid, ancestor):
    while pid > 1:
        if pid == ancestor:
            return True
        try:
            pid = int(re.search(r"^PPid:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M).group(1))
        except (OSError, AttributeError):
            return False
    return False


__all__ = ["Case", "BINARY", "ROOT", "SYNTHETIC", "SEED", "MPI", "ranks_of", "signal", "os", "json", "time", "re",
           "subprocess", "Path", "unittest", "shutil"]
