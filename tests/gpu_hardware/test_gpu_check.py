"""scripts/gpu-check where there is no GPU, and with runtimes that claim this and that, on made-up tests."""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
RUNTIME = "int cudaGetDeviceCount(int *n) {{ *n = {count}; return {error}; }}\n" \
          "int cudaDriverGetVersion(int *n) {{ *n = {version}; return 0; }}\n"
RUN = str(ROOT / "tests/cudasim/run")

# A tiltyard that trains 2048000 samples a second, and has no bf16.
TILTYARD = """
case "$*" in
    info*) echo '{"gpus": [{"model": "NVIDIA H100 80GB HBM3"}]}' ;;
    *--dry-run*--gpu*h100*) echo "  step         0.250 ms in 40 launches" ;;
    *precision=bf16*) echo bf16 is wrong >&2; exit 8 ;;
    train*) echo '{"event": "done", "samples_per_s": 2048000}' ;;
esac
"""


class GpuCheck(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.rows = []

    def runtime(self, count=1, error=0, version=13000):
        """A library that answers as a CUDA runtime would."""
        library = self.folder / "runtime.so"
        source = RUNTIME.format(count=count, error=error, version=version)
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-", "-o", library], input=source, text=True, check=True)
        return str(library)

    def row(self, name, *command, options=(), environment="CUDASIM_HANG_SECONDS=3", labels="gpu"):
        """A test as ty_gpu_test registers it; options None: one that does not run on the simulator."""
        run = [] if options is None else [RUN, "--library", "libcudasim.so", *options, "--"]
        words = " ".join(f'"{word}"' for word in [*run, *command])
        self.rows.append(f'add_test({name} {words})\n'
                         f'set_tests_properties({name} PROPERTIES ENVIRONMENT "{environment}" LABELS "{labels}" '
                         f'SKIP_RETURN_CODE 77)\n')

    def script(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n" + text)
        path.chmod(0o755)
        return path

    def check(self, *words, preload="", code=0, tiltyard="echo a tiltyard\n", **environment):
        build = self.folder / "build"
        self.script(build / "cli/tiltyard", tiltyard)
        (build / "CTestTestfile.cmake").write_text("".join(self.rows))
        plain = {k: v for k, v in os.environ.items() if k not in ("LD_PRELOAD", "TY_TEST_DEVICE")}
        words = words or ("--quick",)
        done = subprocess.run([ROOT / "scripts/gpu-check", "--no-build", "--build", build, *words],
                              env=plain | {"LD_PRELOAD": preload} | environment, capture_output=True, text=True)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        report = build / "gpu-report.md"
        return done.stdout + done.stderr, report.read_text() if report.exists() else None

    def test_without_a_gpu_it_says_what_is_missing_and_exits_8(self):
        said, report = self.check(code=8)
        self.assertRegex(said, r"^scripts/gpu-check: no GPU: .*(libcuda|driver)")
        self.assertEqual(said.count("\n"), 1)
        self.assertIsNone(report)

    def test_a_driver_that_is_too_old_is_told_with_the_version_wanted(self):
        said, _ = self.check(preload=self.runtime(version=12040), code=8)
        self.assertIn("too old: it knows CUDA 12.4, want 13.0", said)

    def test_devices_that_are_hidden_are_told(self):
        said, _ = self.check(preload=self.runtime(count=0), code=8, CUDA_VISIBLE_DEVICES="")
        self.assertIn('no device (CUDA_VISIBLE_DEVICES is "")', said)
        said, _ = self.check(preload=self.runtime(error=999), code=8)
        self.assertIn("error 999", said)

    def test_rows_of_the_simulator_run_without_it(self):
        self.row("gpu.relu", "sh", "-c", "test $TY_TEST_DEVICE = cuda && test -z $CUDASIM_HANG_SECONDS && exit 0")
        self.row("gpu.absent", "sh", "-c", "exit 77")
        self.row("kernels.cpu", "false", options=None)
        self.row("gpu.zoo", "false", labels="gpu;simulated")
        self.row("gpu.fails", "false", environment="CUDASIM_FAIL=cudaMalloc:1")
        self.row("gpu.api", "/build/tests/cudasim/test_api")
        said, report = self.check(preload=self.runtime())
        self.assertIn("| gpu.relu | passed |", report)
        self.assertIn("| gpu.absent | skipped |", report)
        self.assertIn("all passed", report)
        self.assertIn("a simulator, no hardware", report)
        for name in ("kernels.cpu", "gpu.zoo", "gpu.fails", "gpu.api"):
            self.assertNotIn(name, said + report)

    def test_one_command_on_many_simulated_gpus_runs_once(self):
        for profile in ("t4", "a100", "h100"):
            self.row(f"gpu.relu_{profile}", "true", options=("--profile", profile, "--schedules", "8"))
        _, report = self.check(preload=self.runtime())
        self.assertEqual(report.count("passed |"), 1)

    def test_a_failure_is_in_the_report_with_its_last_words_and_exits_1(self):
        self.row("gpu.relu", "sh", "-c", "echo 3 differs from 4; exit 1")
        self.row("gpu.gone", "/nowhere/program")
        _, report = self.check(preload=self.runtime(), code=1)
        self.assertIn("| gpu.relu | failed |", report)
        self.assertIn("3 differs from 4", report)
        self.assertIn("| gpu.gone | failed |", report)
        self.assertIn("something failed", report.splitlines()[0])

    def test_more_ranks_or_devices_than_gpus_are_skipped_with_the_reason(self):
        self.script(self.folder / "mpirun", 'printf "%s\\n" "$*" >>"$(dirname "$0")/calls"\n')
        path = f"{self.folder}:{os.environ['PATH']}"
        self.row("gpu.two", "program", options=("--ranks", "2", "--devices", "2"))
        self.row("gpu.four", "program", options=("--ranks", "4", "--devices", "4"))
        self.row("gpu.peers", "true", options=("--devices", "2"))
        _, report = self.check(preload=self.runtime(count=1), PATH=path)
        self.assertIn("| gpu.four | skipped | 0.0 | needs 4 GPUs, one a rank; here are 1 |", report)
        self.assertIn("| gpu.peers | skipped |", report)
        _, report = self.check(preload=self.runtime(count=8), PATH=path)
        self.assertIn("| gpu.four on 8 GPUs | passed |", report)
        self.assertEqual((self.folder / "calls").read_text().splitlines(),
                         [f"--oversubscribe -np {n} program" for n in (2, 4, 8)])

    def test_the_checker_goes_over_each_program_with_each_tool(self):
        self.script(self.folder / "compute-sanitizer", 'test "$2" != racecheck\n')
        self.row("gpu.relu", "true")
        _, report = self.check("--torch", "/nowhere/python", preload=self.runtime(), code=1, tiltyard=TILTYARD,
                               PATH=f"{self.folder}:{os.environ['PATH']}")
        for tool in ("memcheck", "initcheck", "synccheck"):
            self.assertIn(f"| {tool}: gpu.relu | passed |", report)
        self.assertIn("| racecheck: gpu.relu | failed |", report)

    def test_step_times_stand_beside_the_prediction_and_what_is_missing_has_its_reason(self):
        self.row("gpu.relu", "true")
        python = self.script(self.folder / "python", "echo has no CUDA >&2; exit 1\n")
        _, report = self.check("--torch", python, preload=self.runtime(), tiltyard=TILTYARD)
        self.assertIn("batch 1024, on NVIDIA H100 80GB HBM3", report)
        self.assertIn("| fp32 | 500 | 250 | 2.00x | - | - |", report)
        self.assertIn("- ours in bf16: bf16 is wrong", report)
        self.assertIn("- PyTorch in tf32: has no CUDA", report)
        python = self.script(self.folder / "python", "echo 1000.0\n")
        _, report = self.check("--torch", python, preload=self.runtime(), tiltyard=TILTYARD)
        self.assertIn("| fp32 | 500 | 250 | 2.00x | 1,000 | 2.00x |", report)

    def test_nothing_to_run_is_an_error(self):
        said, _ = self.check(preload=self.runtime(), code=1)
        self.assertIn("has no test for the GPU", said)


if __name__ == "__main__":
    unittest.main(verbosity=2)
