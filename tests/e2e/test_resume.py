"""Killed, signalled, continued: the same bits as never interrupted."""
from harness import *

LONG = ("--set", "train.duration=300 steps", "--set", "checkpoint.every=5 steps", "--set", "eval.every=50 steps")
ENDLESS = ("--set", "train.duration=10000000 steps", "--set", "checkpoint.every=5 steps", "--set", "eval.every=never")
POINTS = int(os.environ.get("TILTYARD_KILL_POINTS", "12"))


class Resume(Case):
    def reference(self, words=LONG):
        return self.train(*words, "--dir", "whole")["params_hash"]

    def newest(self, folder):
        found = sorted((self.folder / folder).rglob("step_*.h5"))
        return int(found[-1].stem.split("_")[1]) if found else 0

    def interrupt(self, folder, at_step, which, ranks=0, words=LONG):
        process = self.start("train", SYNTHETIC, *words, "--dir", folder, ranks=ranks)
        self.wait_for(lambda: self.newest(folder) >= at_step or process.poll() is not None, what=f"step {at_step}")
        time.sleep(self.random.random() * 0.03)
        process.send_signal(which)
        process.communicate(timeout=60)
        return process.returncode

    def test_killed_at_random_moments_continues_bit_for_bit(self):
        want = self.reference()
        for point in range(POINTS):
            folder = f"kill{point}"
            self.interrupt(folder, self.random.randrange(5, 250), signal.SIGKILL)
            self.assertEqual(self.train(*LONG, "--dir", folder)["params_hash"], want, f"point {point}")

    def test_killed_between_its_last_checkpoint_and_its_test_it_is_tested_by_the_same_command(self):
        done = self.train("--dir", "late")
        run = self.folder / done["run"]
        journal = run / "run.journal"
        whole = self.metrics(run)
        for cut in (journal.stat().st_size - 1, len(journal.read_bytes().split(b"test/")[0])):
            with open(journal, "r+b") as file:
                file.truncate(cut)
            (run / "report.html").unlink()
            again = self.train("--dir", "late", ranks=2)
            self.assertNotIn("was_done", again)
            for key in ("test/accuracy", "params_hash"):
                self.assertEqual(again[key], done[key])
            self.assertTrue((run / "report.html").exists())
            self.assertEqual(self.metrics(run), whole)

    def metrics(self, run):
        out, _ = self.run_it("runs", "show", run, "--json")
        shown = json.loads(out)
        self.assertEqual(shown["state"], "finished")
        return {k: v for k, v in shown["metrics"].items() if not k.startswith("system/")}  # of the machine, not the run

    def test_two_ranks_then_one_then_four_give_the_bits_of_one(self):
        want = self.reference()
        self.interrupt("mixed", 50, signal.SIGUSR1, ranks=2)
        self.interrupt("mixed", 150, signal.SIGUSR1)
        done = self.train(*LONG, "--dir", "mixed", ranks=4)
        self.assertEqual(done["params_hash"], want)

    def test_signals_save_and_exit_with_their_codes(self):
        for which, code in ((signal.SIGUSR1, 75), (signal.SIGUSR2, 75), (signal.SIGINT, 130), (signal.SIGTERM, 143)):
            folder = f"signal{int(which)}"
            self.assertEqual(self.interrupt(folder, 5, which, words=ENDLESS), code)
            out, _ = self.run_it("runs", "ls", "--dir", folder)
            self.assertIn("killed", out)

    def test_our_own_launcher_passes_ctrl_c_on_and_saves(self):
        for steps in 3000, 30000, 300000:  # more, where a machine ends before it is told
            longer = (*LONG, "--set", f"train.duration={steps} steps", "--set", "checkpoint.every=50 steps")
            process = self.start("train", SYNTHETIC, *longer, "--dir", f"launched{steps}", "-n", "2")
            self.wait_for(lambda: self.newest(f"launched{steps}") >= 5, what="a checkpoint")
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=60)
            if process.returncode != 0:
                break
        self.assertEqual(process.returncode, 130, err)
        self.assertIn("the same command continues", err)
        self.assertEqual(self.train(*longer, "--dir", f"launched{steps}")["params_hash"], self.reference(longer))

    def test_points_are_never_doubled_by_resuming(self):
        import sqlite3
        self.interrupt("once", 40, signal.SIGKILL)
        self.train(*LONG, "--dir", "once")
        store = sqlite3.connect(self.folder / "once/mlflow.db")
        doubled = store.execute("select key, step, count(*) from metrics where key not like 'system/%' "
                                "group by key, step having count(*) > 1").fetchall()
        self.assertEqual(doubled, [])

    def test_a_killed_run_is_shown_as_killed_by_the_next_start(self):
        self.interrupt("dead", 20, signal.SIGKILL, words=ENDLESS)
        self.train("--set", "seed=99", "--dir", "dead")
        out, _ = self.run_it("runs", "ls", "--dir", "dead")
        self.assertIn("killed", out)


if __name__ == "__main__":
    unittest.main()
