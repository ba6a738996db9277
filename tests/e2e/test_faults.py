"""What goes wrong round a run: dead and stopped ranks, full disks, locks, damaged and missing files."""
import glob
import resource

from harness import *

LONG = ("--set", "train.duration=10000000 steps", "--set", "checkpoint.every=50 steps", "--set", "eval.every=500 steps")
DEADLINE = ("--set", "train.comm_deadline=3")


class Ranks(Case):
    HANGS = 40  # seconds after the fault: more than a busy machine needs, less than the deadline that is usual (60)

    def started(self, ranks, *words):
        process = self.start("train", SYNTHETIC, *LONG, *DEADLINE, *words, ranks=ranks)
        self.wait_for_checkpoint(process)
        return process, ranks_of(process.pid)

    def ended(self, process, pids):
        try:
            _, err = process.communicate(timeout=self.HANGS)
        except subprocess.TimeoutExpired:
            for pid in pids.values():
                os.kill(pid, signal.SIGKILL)
            process.kill()
            self.fail(f"the job did not end within {self.HANGS} s")
        self.assertNotEqual(process.returncode, 0)
        gone = lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids.values())
        self.wait_for(gone, self.HANGS, "no process left")
        return err

    def test_a_stopped_rank_is_named_and_the_others_end(self):
        process, pids = self.started(2)
        os.kill(pids[1], signal.SIGSTOP)
        err = self.ended(process, pids)
        self.assertIn("rank 1", err)

    def test_a_killed_rank_ends_the_job(self):
        process, pids = self.started(2)
        os.kill(pids[1], signal.SIGKILL)
        self.ended(process, pids)

    def test_f52_a_run_whose_rank_0_was_killed_is_killed_in_the_store_from_the_next_start_on(self):
        process, pids = self.started(2)
        os.kill(pids[0], signal.SIGKILL)
        self.ended(process, pids)
        self.assertEqual(self.query("select status from runs"), [("RUNNING",)])
        self.train("--name", "another")
        self.assertEqual(self.query("select status from runs order by start_time"), [("KILLED",), ("FINISHED",)])

    def test_a_job_suspended_longer_than_the_deadline_goes_on(self):
        process, pids = self.started(2)
        for pid in pids.values():
            os.kill(pid, signal.SIGSTOP)
        time.sleep(5)
        before = self.newest_step()
        for pid in pids.values():
            os.kill(pid, signal.SIGCONT)
        self.wait_for(lambda: self.newest_step() > before or process.poll() is not None, 60, "a new checkpoint")
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGUSR1)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 75)

    def newest_step(self):
        return max(int(p.stem.split("_")[1]) for p in self.folder.rglob("step_*.h5"))

    def test_no_shared_memory_is_left(self):
        before = set(glob.glob("/dev/shm/*"))
        process, pids = self.started(2)
        os.kill(pids[0], signal.SIGKILL)
        self.ended(process, pids)
        self.train("--dir", "next", ranks=2)  # the next start sweeps what the killed one could not
        left = lambda: set(glob.glob("/dev/shm/*")) - before
        self.wait_for(lambda: not left(), self.HANGS, f"an end of {left()}")  # another job's goes with it

    def test_more_ranks_than_the_batch_can_be_split_over_is_told(self):
        _, err = self.run_it("train", SYNTHETIC, ranks=3, code=2)
        self.assertIn("3 ranks", err)


class Files(Case):
    def test_a_file_size_limit_never_stops_training(self):
        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))
        process = self.start("train", SYNTHETIC, "--json", preexec_fn=limit)
        out, err = process.communicate(timeout=120)
        self.assertIn("checkpoint", err)
        self.assertIn('"key": "val/loss"', out)
        self.assertNotIn(process.returncode, (-signal.SIGXFSZ, -signal.SIGSEGV), err)
        self.assertGreaterEqual(process.returncode, 0, err)

    def test_a_second_process_on_the_same_run_is_told_to_try_again(self):
        process = self.start("train", SYNTHETIC, *LONG)
        self.wait_for_checkpoint(process)
        _, err = self.run_it("train", SYNTHETIC, *LONG, code=75)
        self.assertRegex(err, "another process|held|works on")
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)

    def test_a_folder_that_cannot_be_written_is_told_in_one_line(self):
        (self.folder / "runs").write_text("a file where a folder is wanted")
        _, err = self.run_it("train", SYNTHETIC, code=1)
        self.assertEqual(len([line for line in err.splitlines() if line.startswith("error:")]), 1, err)

    def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(self):
        words = ("--set", "train.duration=60 steps", "--set", "checkpoint.every=10 steps", "--set", "checkpoint.keep=3")
        want = self.train(*words, "--dir", "whole")["params_hash"]
        process = self.start("train", SYNTHETIC, *words, "--dir", "cut")
        self.wait_for(lambda: len(list((self.folder / "cut").rglob("step_*.h5"))) >= 2, what="two checkpoints")
        process.kill()
        process.communicate()
        newest = sorted((self.folder / "cut").rglob("step_*.h5"))[-1]
        data = bytearray(newest.read_bytes())
        data[len(data) // 2] ^= 1
        newest.write_bytes(data)
        out, err = self.run_it("train", SYNTHETIC, *words, "--dir", "cut", "--json")
        self.assertIn(newest.name, err)
        self.assertIn(want, out)

    def test_a_foreign_store_is_told_and_the_run_goes_on(self):
        (self.folder / "mlflow.db").write_bytes(b"not a database" * 100)
        out, err = self.run_it("train", SYNTHETIC, "--json")
        self.assertIn("mlflow.db", err)
        self.assertIn('"event": "done"', out)

    def test_truncated_data_is_rejected_with_file_and_reason(self):
        source = Path("/usr/share/datasets/fashion-mnist")
        found = [p for p in source.rglob("*") if p.is_file()] if source.exists() else []
        if not found:
            self.skipTest("Debian's dataset-fashion-mnist is not installed")
        target = self.folder / "set"
        target.mkdir()
        for path in found:
            shutil.copy(path, target / path.name)
        victim = next(p for p in target.iterdir() if "train-images" in p.name)
        victim.write_bytes(victim.read_bytes()[:100000])
        _, err = self.run_it("train", ROOT / "configs/fashion_mlp.json", "--set", f"data.source={target}", code=4)
        self.assertIn(victim.name, err)


if __name__ == "__main__":
    unittest.main()
