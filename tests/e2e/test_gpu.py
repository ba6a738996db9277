"""The shipped binary on simulated GPUs: tests/cudasim is preloaded, the plug-in and the kernels are the real ones.
Every run also fails where the simulator reports anything: a race, a leak, a missing event (exit 99)."""
import sqlite3

from harness import *

SIMULATOR = os.environ["CUDASIM_LIBRARY"]
SMALL = ("--set", "data.source=synthetic:512x1x8x8x4", "--set", "train.global_batch_size=32",
         "--set", "data.val_fraction=0.125", "--set", "eval.every=10 steps", "--set", "checkpoint.every=5 steps",
         "--set", "tracking.log_every=1 step", "--name", "run")
CNN = str(ROOT / "configs/fashion_mnist.json")


class Gpu(Case):
    def simulated(self, **settings):
        env = dict(self.env, LD_PRELOAD=SIMULATOR, CUDASIM_SCHEDULE="random", CUDASIM_SEED=str(SEED % 1000))
        env.update({f"CUDASIM_{name.upper()}": str(value) for name, value in settings.items()})
        return env

    def on(self, device, folder, *words, steps=10, config=SYNTHETIC, ranks=0, **settings):
        """Trains; the last line's facts, with the curve of losses."""
        env = self.simulated(**settings) if device == "cuda" else self.env
        done = self.train(*SMALL, "--set", f"device={device}", "--set", f"train.duration={steps} steps", "--dir",
                          folder, *words, config=config, ranks=ranks, env=env, timeout=800)
        done["curve"] = self.curve(folder)
        return done

    def curve(self, folder):
        store = sqlite3.connect(self.folder / folder / "mlflow.db")
        return [v for (v,) in store.execute("select value from metrics where key='train/loss' order by step")]

    def assert_same_curve(self, a, b, relative):
        self.assertEqual(len(a), len(b))
        worst = max(abs(x - y) / abs(x) for x, y in zip(a, b))
        print(f"largest relative difference of {len(a)} losses: {worst:.2e}", flush=True)
        self.assertTrue(worst <= relative, f"{worst} > {relative}\n{a}\n{b}")


# The quickstart's net as its first steps are: the rate that its schedule begins with, all the same, and batch norm over
# the 32 samples that a shard of its batch of 256 has. (At the rates of a schedule squeezed into 20 steps, or with batch
# norm over 4 samples, the CPU differs from itself by 3e-4 when its learning rate changes by 1e-7.)
QUICKSTART = ("--set", "train.global_batch_size=32", "--set", "train.duration=20 steps", "--set",
              'schedule={"type": "constant"}', "--set", "optimizer.learning_rate=1.6e-4", "--set",
              "train.shards=1", "--set", "data.val_fraction=0.002", "--set", "eval.every=20 steps", "--set",
              "tracking.log_every=1 step", "--name", "run")


class Quickstart(Gpu):
    def test_its_net_follows_the_cpu_for_twenty_steps(self):
        self.run_it("train", CNN, *QUICKSTART, "--set", "device=cpu", "--dir", "c")
        _, err = self.run_it("train", CNN, *QUICKSTART, "--set", "device=cuda", "--dir", "g", env=self.simulated(),
                             timeout=800)
        print(err, flush=True)
        self.assert_same_curve(self.curve("c"), self.curve("g"), 1e-5)


class Curves(Gpu):
    def test_bf16_stays_within_its_band(self):
        cpu = self.on("cpu", "c")["curve"]
        self.assert_same_curve(cpu, self.on("cuda", "g", "--set", "train.precision=bf16")["curve"], 0.05)

    def test_tf32_stays_within_its_band(self):
        cpu = self.on("cpu", "c")["curve"]
        self.assert_same_curve(cpu, self.on("cuda", "g", "--set", "train.precision=tf32")["curve"], 0.01)


class Predictions(Gpu):
    """What a prediction counts is what a step does: calls that queue something, in a run of one step more."""

    QUEUEING = ("cudaLaunchKernel", "cudaMemcpyAsync", "cublasLtMatmul", "cudnnBackendExecute")

    def launches(self, folder, steps, words):
        _, err = self.run_it("train", SYNTHETIC, *SMALL, *words, "--set", "device=cuda", "--set",
                             f"train.duration={steps} steps", "--set", "checkpoint.every=50 steps", "--dir", folder,
                             env=self.simulated(trace=1))
        return sum(int(n) for n in re.findall(rf"cudasim: calls (?:{'|'.join(self.QUEUEING)}) (\d+)", err))

    def test_a_step_has_the_launches_that_are_predicted(self):
        for folder, *words in (["usual"], ["alone", "--set", "train.shards=1"],
                               ["bf16", "--set", "train.precision=bf16", "--set", 'optimizer={"type": "sgd"}']):
            out, _ = self.run_it("train", SYNTHETIC, *SMALL, *words, "--dry-run", "--gpu", "a100")
            predicted = int(re.search(r"in (\d+) launches", out).group(1))
            with self.subTest(words=words):
                more, fewer = (self.launches(f"{folder}{steps}", steps, words) for steps in (4, 3))
                self.assertEqual(more - fewer, predicted)


class Resuming(Gpu):
    """The device is no part of what a run is: the same command goes on elsewhere."""

    def interrupt(self, device, folder, steps=30, **options):
        """Trains until there is a checkpoint, then asks to leave; the device's own work is over by then."""
        env = self.simulated() if device == "cuda" else self.env
        process = self.start("train", SYNTHETIC, *SMALL, "--set", f"device={device}", "--set",
                             f"train.duration={steps} steps", "--dir", folder, env=env)
        self.wait_for(lambda: list((self.folder / folder).rglob("step_*.h5")) or process.poll() is not None)
        process.send_signal(signal.SIGUSR1)
        _, err = process.communicate(timeout=60)
        self.assertIn(process.returncode, (0, 75), err)

    def test_a_gpu_goes_on_where_it_was_bit_for_bit(self):
        whole = self.on("cuda", "whole", steps=30)["params_hash"]
        self.interrupt("cuda", "parts")
        self.assertEqual(self.on("cuda", "parts", steps=30)["params_hash"], whole)

    def test_only_other_numerics_are_warned_of(self):
        words = ("train", SYNTHETIC, *SMALL, "--set", "device=cuda", "--set", "train.duration=30 steps", "--dir")
        for folder, more, is_warned in (("same", {}, False), ("other", {"NVIDIA_TF32_OVERRIDE": "0"}, True)):
            self.interrupt("cuda", folder)
            _, err = self.run_it(*words, folder, env=dict(self.simulated(devices=2), **more), ranks=2)
            self.assertEqual("the same bits are not promised" in err, is_warned, err)

    def test_what_one_device_saved_another_continues(self):
        cpu = self.on("cpu", "whole", steps=30)["curve"]
        for first, then in (("cpu", "cuda"), ("cuda", "cpu")):
            self.interrupt(first, first)
            self.assertEqual(self.on(then, first, steps=30)["step"], 30)
            self.assert_same_curve(cpu, self.curve(first), 1e-5)

    def test_ctrl_c_saves_and_the_run_goes_on(self):
        process = self.start("train", SYNTHETIC, *SMALL, "--set", "device=cuda", "--set",
                             "train.duration=10000000 steps", "--dir", "int", env=self.simulated())
        self.wait_for_checkpoint(process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("the same command continues", err)


class Ranks(Gpu):
    def test_two_and_four_ranks_have_the_bits_of_one(self):
        one = self.on("cuda", "one")["params_hash"]
        for ranks in (2, 4):
            self.assertEqual(self.on("cuda", f"r{ranks}", ranks=ranks, devices=ranks)["params_hash"], one)

    def test_fast_sums_beside_the_backward_pass(self):
        cpu = self.on("cpu", "c", "--set", "train.reduction=fast", "--set", "train.micro_batch_size=16")["curve"]
        gpu = self.on("cuda", "g", "--set", "train.reduction=fast", ranks=2, devices=2)["curve"]
        self.assert_same_curve(cpu, gpu, 1e-5)

    def test_a_variable_that_lets_nccl_block_is_refused(self):
        env = dict(self.simulated(devices=2), NCCL_COMM_BLOCKING="1")
        _, err = self.run_it("train", SYNTHETIC, *SMALL, "--set", "device=cuda", "--dir", "x", ranks=2, code=8, env=env)
        self.assertIn("NCCL_COMM_BLOCKING", err)

    def test_two_ranks_on_one_gpu_are_refused_unless_asked_for(self):
        words = ("train", SYNTHETIC, *SMALL, "--set", "device=cuda", "--set", "train.duration=3 steps", "--dir", "x")
        _, err = self.run_it(*words, ranks=2, code=8, env=self.simulated(devices=1))
        self.assertIn("train.share_gpu", err)
        self.run_it(*words, "--set", "train.share_gpu=true", ranks=2, env=self.simulated(devices=1))

    def test_ranks_that_share_a_gpu_share_its_memory(self):
        layers = '["flatten", {"type": "linear", "out": 400000}, "linear"]'
        words = ("train", SYNTHETIC, *SMALL, "--set", "device=cuda", "--set", f"model.layers={layers}", "--dry-run")
        env = self.simulated(devices=1, memory=1600 << 20)
        self.run_it(*words, env=env)
        _, err = self.run_it(*words, "--set", "train.share_gpu=true", ranks=2, code=8, env=env)
        self.assertIn("which has 0.5 for each of the 2 ranks that share it", err)


class Victims(Gpu):
    """A rank is stopped or killed as it sums the first of two buckets, between two layers of the first
    backward pass; mpirun is asked to leave the others alone."""

    WIDE = ("--set", 'model.layers=["flatten", {"type": "linear", "out": 100000}, "linear"]', "--set",
            "train.reduction=fast", "--set", "train.comm_deadline=4", "--set", "device=cuda", "--dir", "x")

    # mpirun's own account of an abort is at times torn or of another rank: rank 0's code is noted by what started it,
    # which outlives the SIGTERM that mpirun sends after an abort.
    NOTED = ('if [ "$OMPI_COMM_WORLD_RANK" != 0 ]; then exec "$@"; fi; '
             'trap : TERM; "$@"; echo $? >code')

    def survivors(self, number):
        env = dict(self.simulated(devices=2, nccl_signal=f"1:1:{int(number)}"), OMPI_MCA_orte_enable_recovery="1",
                   OMPI_MCA_odls_base_sigkill_timeout="10")
        process = self.start("train", SYNTHETIC, *SMALL, *self.WIDE, ranks=2, env=env,
                             through=("sh", "-c", self.NOTED, "sh"))
        _, err = process.communicate(timeout=250)
        self.assertNotIn("cudasim:", err)
        self.assertEqual((self.folder / "code").read_text(), "8\n", err)
        return err

    def test_the_others_name_a_stopped_rank_and_end(self):
        self.assertRegex(self.survivors(signal.SIGSTOP), r"error: rank 1 \(.*\).* within 4 s: process is stopped \(T\)")

    def test_the_others_name_a_killed_rank_and_end(self):
        self.assertRegex(self.survivors(signal.SIGKILL), r"error: rank 1 \(.*\) died \(its process is gone\)")


class Refusals(Gpu):
    def refused(self, words, text, env, code=8):
        _, err = self.run_it("train", SYNTHETIC, *SMALL, "--dir", "x", *words, code=code, env=env)
        self.assertIn(text, err)
        self.assertEqual(err.count("error:"), 1, err)
        return err

    def test_without_a_driver_cuda_is_refused_and_auto_is_the_cpu(self):
        self.refused(["--set", "device=cuda"], "no GPU: there is no NVIDIA driver", self.env)
        _, err = self.run_it("train", SYNTHETIC, *SMALL, "--dir", "auto", "--set", "train.duration=1 steps")
        self.assertIn("auto is the cpu: no GPU: there is no NVIDIA driver", err)

    def test_without_the_plug_in_cuda_is_refused(self):
        env = dict(self.env, TILTYARD_CUDA_PLUGIN="/nowhere/plugin.so")
        self.refused(["--set", "device=cuda"], "/nowhere/plugin.so", env)

    def test_a_driver_that_is_too_old_is_told(self):
        self.refused(["--set", "device=cuda"], "no GPU: the NVIDIA driver is for CUDA",
                     self.simulated(fail="cudaGetDeviceCount:1:35"))

    def test_auto_takes_the_gpu(self):
        out, _ = self.run_it("info", env=self.simulated())
        self.assertIn("cuda:0, NVIDIA A100", out)
        done, err = self.run_it("train", SYNTHETIC, *SMALL, "--dir", "a", "--set", "train.duration=1 steps",
                                env=self.simulated())
        self.assertIn("cuda sm_80", err)

    def test_a_model_larger_than_the_memory_is_refused_before_the_first_step(self):
        layers = '["flatten", {"type": "linear", "out": 4000000}, "linear"]'
        err = self.refused(["--set", "device=cuda", "--set", f"model.layers={layers}"], "GiB of memory on cuda:0",
                           self.simulated(memory=512 << 20))
        self.assertIn("0.2 for it", err)
        self.assertFalse(list(self.folder.rglob("step_*.h5")))

    def test_bf16_wants_a_gpu_that_has_it(self):
        self.refused(["--set", "device=cuda", "--set", "train.precision=bf16"], "compute capability 7.5",
                     self.simulated(profile="t4"), code=2)
        self.refused(["--set", "device=cpu", "--set", "train.precision=bf16"], "fp32", self.env, code=2)


class Failures(Gpu):
    """Calls drawn by lot; tests/cudasim/test_shipped.py has each function's."""

    def run_with(self, fault, folder, ranks=0, devices=1):
        process = self.start("train", SYNTHETIC, *SMALL, "--set", "device=cuda", "--set", "train.duration=3 steps",
                             "--dir", folder, ranks=ranks,
                             env=self.simulated(fail=fault, schedule="in_order", devices=devices))
        _, err = process.communicate(timeout=200)
        return process.returncode, err

    def calls(self):
        """How many calls of the libraries a run makes, by the simulator's trace."""
        _, err = self.run_it("train", SYNTHETIC, *SMALL, "--set", "device=cuda", "--set", "train.duration=3 steps",
                             "--dir", "calls", env=self.simulated(trace=1, schedule="in_order"))
        return int(re.search(r"cudasim: calls any (\d+)", err).group(1))

    def status(self, folder):
        path = self.folder / folder / "mlflow.db"
        return sqlite3.connect(path).execute("select status from runs").fetchall() if path.exists() else []

    def test_whatever_call_fails_the_run_is_failed_with_one_line_and_nothing_leaks(self):
        total = self.calls()
        points = sorted(self.random.sample(range(1, total), 8))
        for n in points:
            folder = f"f{n}"
            code, err = self.run_with(f"any:{n}", folder)
            with self.subTest(call=n, of=total):
                self.assertIn(code, (0, 8), err)  # 0: a call whose failure changes nothing, at the end
                if code == 8:
                    self.assertEqual(err.count("error:"), 1, err)
                    self.assertIn(self.status(folder), ([], [("FAILED",)]), err)


if __name__ == "__main__":
    unittest.main()
