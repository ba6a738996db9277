"""The shipped binary on simulated GPUs: clean under every schedule, and each function's calls that fail. What else
it has to do there is tests/e2e/test_gpu.py's."""
import os
import sqlite3
import subprocess
import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from harness import BINARY, SYNTHETIC, Case  # noqa: E402

SMALL = ["-s", "data.source=synthetic:256x1x8x8x4", "-s", "train.global_batch_size=16", "-s", "train.duration=3 steps"]
DEVICE = 8  # exit status

# function:n of CUDASIM_FAIL (n "last": its last call), exit status, whether the run had begun and so is FAILED.
BEFORE, DURING = False, True
FAILURES = [
    ("cudaGetDeviceCount:1", DEVICE, BEFORE),
    ("cudaSetDevice:1", DEVICE, BEFORE),
    ("cudaGetDeviceProperties:2", DEVICE, BEFORE),
    ("cudaMemGetInfo:1", DEVICE, BEFORE),
    ("cudaStreamCreateWithFlags:2", DEVICE, BEFORE),
    ("cudaEventCreateWithFlags:3", DEVICE, BEFORE),
    ("cudaMalloc:1", DEVICE, BEFORE),
    ("cudaMalloc:7", DEVICE, BEFORE),
    ("cudaMalloc:last", DEVICE, DURING),
    ("cudaMallocHost:1", DEVICE, BEFORE),
    ("cudaMallocHost:last", DEVICE, DURING),
    ("cudaMemsetAsync:3", DEVICE, BEFORE),
    ("cudaMemcpyAsync:1", DEVICE, BEFORE),
    ("cudaMemcpyAsync:40", DEVICE, DURING),
    ("cudaMemcpyAsync:last", DEVICE, DURING),
    ("cudaLaunchKernel:1", DEVICE, BEFORE),
    ("cudaLaunchKernel:60", DEVICE, DURING),
    ("cudaLaunchKernel:90:700", DEVICE, DURING),  # an illegal address: every later call fails as well
    ("cudaLaunchKernel:last", DEVICE, DURING),
    ("cudaEventRecord:1", DEVICE, DURING),
    ("cudaStreamWaitEvent:last", DEVICE, DURING),
    ("cudaStreamSynchronize:60", DEVICE, DURING),
    ("cublasLtCreate:1", DEVICE, BEFORE),
    ("cublasLtMatmul:3", DEVICE, DURING),
    ("cublasLtMatmul:last", DEVICE, DURING),
    ("cudnnCreate:1", DEVICE, BEFORE),
    ("cudnnBackendFinalize:1", DEVICE, BEFORE),
    ("cudnnBackendExecute:2", DEVICE, DURING),
    ("cudnnBackendExecute:last", DEVICE, DURING),
]


class Shipped(Case):
    def on_gpu(self, name, **settings):
        """Trains on the simulated GPU; returns the finished process and what was printed."""
        env = dict(self.env, LD_PRELOAD=os.environ["CUDASIM_LIBRARY"], **settings)
        words = [BINARY, "train", SYNTHETIC, "--fresh", "--name", name, "-s", "device=cuda", *SMALL]
        return subprocess.run(words, cwd=self.folder, env=env, capture_output=True, text=True, timeout=300, check=False)

    def params(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return next(line.split()[1] for line in done.stdout.splitlines() if line.strip().startswith("params"))

    def status_in_tracker(self, name):
        with sqlite3.connect(self.folder / "mlflow.db") as store:
            return [row[0] for row in store.execute("SELECT status FROM runs WHERE name = ?", [name])]

    def test_a_run_is_clean_and_the_same_under_every_schedule(self):
        first = None
        for schedule in ("in_order", "reverse", "one_warp", "random"):
            with self.subTest(schedule):
                done = self.on_gpu(schedule, CUDASIM_SCHEDULE=schedule)
                self.assertNotIn("cudasim:", done.stderr)
                first = first or self.params(done)
                self.assertEqual(self.params(done), first)

    def calls(self):
        done = self.on_gpu("traced", CUDASIM_TRACE="1")
        rows = [line.split()[2:] for line in done.stderr.splitlines() if line.startswith("cudasim: calls ")]
        return {function: int(count) for function, count in rows}

    def test_calls_that_fail_end_the_run_and_leave_nothing(self):
        calls = self.calls()
        for place, (failure, status, has_begun) in enumerate(FAILURES):
            with self.subTest(failure):
                failure = failure.replace("last", str(calls[failure.split(":")[0]]))
                done = self.on_gpu(f"run-{place}", CUDASIM_FAIL=failure)
                said = done.stderr.splitlines()
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertEqual([line for line in said if line.startswith("cudasim:") and "made call" not in line], [])
                self.assertEqual(len([line for line in said if line.startswith("error:")]), 1, done.stderr)
                self.assertEqual(self.status_in_tracker(f"run-{place}") if has_begun else [],
                                 ["FAILED"] if has_begun else [])


if __name__ == "__main__":
    unittest.main()
