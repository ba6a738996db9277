"""Ctrl-C, hang-ups, kills and suspensions, of one process and of ranks below a launcher: saved, and its own code."""
from harness import *

LONG = ("--set", "train.duration=10000000 steps", "--set", "checkpoint.every=50 steps", "--set",
        "eval.every=2000 steps")
HANGS = 240  # seconds after which it will never end; it would train for hours


class Launcher(Case):
    def started(self, name="mine"):
        process = self.start("train", SYNTHETIC, *LONG, "--set", "train.comm_deadline=3", "-n", "2", "--name", name,
                             start_new_session=True)
        steps = f"runs/synthetic/{name}/checkpoints/step_*.h5"
        self.wait_for(lambda: list(self.folder.glob(steps)), what="a checkpoint")
        return process, ranks_of(process.pid)

    def gone(self, pids):
        def alive():
            return [pid for pid in pids.values() if Path(f"/proc/{pid}").exists()]

        self.wait_for(lambda: not alive(), HANGS, "no process left")

    def newest(self):
        return max(int(p.stem.split("_")[1]) for p in self.folder.rglob("step_*.h5"))

    def test_signals_to_parent_or_group_save_and_answer_with_their_code(self):
        for name, code, send in (("int", 130, lambda p: p.send_signal(signal.SIGINT)),
                                 ("group", 130, lambda p: os.killpg(p.pid, signal.SIGINT)),
                                 ("hup", 143, lambda p: p.send_signal(signal.SIGHUP))):
            process, pids = self.started(name)
            send(process)
            _, err = process.communicate(timeout=HANGS)
            self.assertEqual(process.returncode, code, err)
            self.assertIn("the same command continues", err)
            self.gone(pids)

    def test_ranks_whose_parent_was_killed_save_and_leave(self):
        process, pids = self.started()
        process.kill()
        process.communicate(timeout=HANGS)
        self.gone(pids)
        out, _ = self.run_it("runs", "ls", "--json")
        self.assertEqual(json.loads(out)["state"], "killed")

    def test_a_killed_rank_is_named_once(self):
        process, pids = self.started()
        os.kill(pids[1], signal.SIGKILL)
        _, err = process.communicate(timeout=HANGS)
        self.assertEqual(process.returncode, 8, err)
        self.assertEqual(err.count("rank 1 ("), 1, err)
        self.assertIn("the same command continues", err)
        self.gone(pids)

    def test_a_suspended_job_suspends_its_ranks_and_goes_on(self):
        process, pids = self.started()
        process.send_signal(signal.SIGTSTP)

        def stopped():
            return all(Path(f"/proc/{pid}/stat").read_text().split()[2] == "T" for pid in pids.values())

        self.wait_for(stopped, HANGS, "ranks are stopped")
        before = self.newest()
        time.sleep(4)  # longer than the deadline
        self.assertTrue(stopped())
        process.send_signal(signal.SIGCONT)
        self.wait_for(lambda: self.newest() > before + 50 or process.poll() is not None, HANGS, "training goes on")
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=HANGS)
        self.assertEqual(process.returncode, 143)


class Signals(Case):
    def test_a_hang_up_saves_and_nohup_ignores_it(self):
        process = self.start("train", SYNTHETIC, *LONG, "--name", "hup")
        self.wait_for_checkpoint(process)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=HANGS)
        self.assertEqual(process.returncode, 143)

        def ignore():
            signal.signal(signal.SIGHUP, signal.SIG_IGN)

        process = self.start("train", SYNTHETIC, *LONG, "--name", "nohup", preexec_fn=ignore)
        steps = "runs/synthetic/nohup/checkpoints/step_*.h5"
        self.wait_for(lambda: list(self.folder.glob(steps)), what="a checkpoint")
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=HANGS)
        self.assertEqual(process.returncode, 143)

    def test_before_there_is_anything_to_save_a_signal_ends_it_at_once(self):
        for which, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 75)):
            process = self.start("train", SYNTHETIC, "--set", "data.source=synthetic:4000000x1x28x28x10")
            time.sleep(0.15)
            process.send_signal(which)
            process.communicate(timeout=HANGS)
            self.assertIn(process.returncode, (code, -which), "its own code, or the default before it listens")
            self.assertEqual(self.files(), [])

    def test_ctrl_c_twice_ends_without_a_crash(self):
        process = self.start("train", SYNTHETIC, *LONG)
        self.wait_for_checkpoint(process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=HANGS)
        self.assertEqual(process.returncode, 130)

    def test_where_it_stopped_is_where_it_is_listed(self):
        process = self.start("train", SYNTHETIC, *LONG, "--name", "mine")
        self.wait_for_checkpoint(process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=HANGS)
        step = int(re.search(r"stopped at step (\d+) \(interrupted\)", err).group(1))
        out, _ = self.run_it("runs", "ls", "--json")
        self.assertEqual(json.loads(out)["step"], step)


if __name__ == "__main__":
    unittest.main()
