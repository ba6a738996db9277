"""`tiltyard sweep` under one mpirun: groups of ranks train trials side by side, and rank 0 is one of them."""
from harness import *
import test_sweep

SPACE, SMALL = test_sweep.SPACE, test_sweep.SMALL
EVERY = 50  # steps to an evaluation, and a checkpoint


def long(steps):
    return {**SMALL, "train.duration": {"value": f"{steps} steps"}, "eval.every": {"value": f"{EVERY} steps"},
            "checkpoint.every": {"value": f"{EVERY} steps"}}


class Ranks(test_sweep.Sweep):
    def shown(self, folder):
        return self.run_it("sweep", "show", "s", "--dir", folder)[0]

    def on_ranks(self, n, folder, *words, **options):
        return self.run_it("sweep", "s.json", "--dir", folder, *words, ranks=n, **options)

    def started(self, ranks, steps=600, **more):
        """A sweep under -n whose rank 0 is stopped, each group amid a trial, in its first half: where a machine is
        too fast for that, trials are longer. So it stays: none goes on past an evaluation without rank 0's answer."""
        groups = ranks // more.get("resources", {}).get("ranks_per_trial", 1)
        for _ in range(6):
            process = self.start("sweep", self.file(parameters={**SPACE, **long(steps)}, **more), "-n", ranks)
            self.wait_for(lambda: process.poll() is not None or self.saved() >= groups, what="a checkpoint of each")
            self.ranks = ranks_of(process.pid)
            if self.is_amid(groups, steps):
                return process
            self.leave(process)
            steps *= 4
        self.fail(f"no stop of rank 0 came amid a trial of each group, up to {steps // 4} steps")

    def saved(self):
        return len({p.parent for p in self.folder.glob("runs/*/*/checkpoints/step_*.h5")})

    def is_amid(self, groups, steps):
        if 0 not in self.ranks:
            return False
        os.kill(self.ranks[0], signal.SIGSTOP)
        reports = [int(t[3]) for t in self.trials() if t[1] == "running"]
        return len(reports) == groups and all(1 <= n <= steps // EVERY // 2 for n in reports)

    def leave(self, process):
        """Ends a sweep of which nothing is wanted, unless it has failed."""
        for pid in self.ranks.values():
            os.kill(pid, signal.SIGKILL)
        out, err = process.communicate()
        self.assertTrue(self.ranks or process.returncode == 0, f"{out}\n{err}")
        for name in "sweeps", "runs":
            shutil.rmtree(self.folder / name)

    def go_on(self):
        os.kill(self.ranks[0], signal.SIGCONT)

    def is_signalled(self):
        """Whether rank 0, which is stopped, will find a SIGUSR1: what tiltyard -n makes of every signal."""
        pending = re.search(r"^ShdPnd:\s+(\S+)", Path(f"/proc/{self.ranks[0]}/status").read_text(), re.M).group(1)
        return int(pending, 16) >> (signal.SIGUSR1 - 1) & 1

    def ended(self, process, code):
        out, err = process.communicate(timeout=280)
        self.assertEqual(process.returncode, code, f"{out}\n{err}")
        return err


class Same(Ranks):
    def test_any_number_of_ranks_and_groups_is_the_same_sweep(self):
        self.run_it("sweep", self.file(run_cap=6), "--dir", "slots")
        expected = self.shown("slots")
        for ranks, each in (1, 1), (2, 1), (4, 1), (2, 2), (5, 2):
            with self.subTest(ranks=ranks, ranks_per_trial=each):
                folder = f"ranks-{ranks}-{each}"
                _, err = self.on_ranks(ranks, folder, "--set", f"resources.ranks_per_trial={each}")
                self.assertEqual(self.shown(folder), expected)
                self.assertEqual("1 rank is without work" in err, ranks % each != 0)
                self.assertIn("test    accuracy", err)
                self.run_it("sweep", "replay", "s", "--dir", folder)

    def test_decisions_of_a_pruner_are_the_same(self):
        self.run_it("sweep", self.file(run_cap=10, window=3, pruner={"type": "median", "startup_trials": 2}),
                    "--dir", "slots")
        expected = self.shown("slots")
        self.assertIn(" stopped ", expected)
        self.on_ranks(3, "ranks")
        self.assertEqual(self.shown("ranks"), expected)

    def test_it_starts_its_ranks_itself_and_they_stand_below_one_parent(self):
        import sqlite3
        self.run_it("sweep", self.file(), "-n", 2)
        store = sqlite3.connect(self.folder / "mlflow.db")
        parent, = store.execute("select run_uuid from runs where name='s'").fetchone()
        children = store.execute("select count(*) from tags where key='mlflow.parentRunId' and value=?", [parent])
        self.assertEqual(children.fetchone()[0], 4)
        _, err = self.run_it("sweep", "s.json", "-n", 2)
        self.assertIn("all trials are done", err)


class Failures(Ranks):
    def test_a_trial_that_fails_does_not_end_its_group(self):
        self.run_it("sweep", self.file(run_cap=6, parameters={
            **SPACE, **SMALL, "data.source": {"values": ["idx:/nowhere", "synthetic:512x1x8x8x4"]}}), "--dir", "slots")
        expected = self.shown("slots")
        self.assertIn(" failed ", expected)
        self.assertIn(" done ", expected)
        self.on_ranks(2, "ranks")
        states = [[line.split()[1] for line in text.splitlines()[1:]] for text in (expected, self.shown("ranks"))]
        self.assertEqual(states[0], states[1])

    def test_too_few_ranks_and_programs_that_are_no_ranks_are_refused_before_anything_is_made(self):
        self.file(resources={"ranks_per_trial": 3})
        _, err = self.run_it("sweep", "s.json", "-n", 2, code=2)
        self.assertIn("more than there are ranks (2)", err)
        self.file(config=None, command=["true"], parameters=SPACE)
        text = json.loads((self.folder / "s.json").read_text())
        del text["config"]
        (self.folder / "s.json").write_text(json.dumps(text))
        _, err = self.run_it("sweep", "s.json", "-n", 2, code=2)
        self.assertIn("no ranks of mpirun", err)
        self.assertFalse((self.folder / "sweeps").exists())

    def test_a_metric_that_nobody_logs_ends_the_sweep_with_its_ranks(self):
        _, err = self.run_it("sweep", self.file(metric={"name": "val/los"}), "-n", 3, code=2)
        self.assertIn('no metric "val/los"', err)


class Deaths(Ranks):
    def dies(self, victim, ranks, **more):
        process = self.started(ranks, run_cap=ranks + 1, **more)
        os.kill(self.ranks[victim], signal.SIGKILL)
        self.go_on()
        err = self.ended(process, 0)
        self.assertEqual([t[1] for t in self.trials()], ["done"] * (ranks + 1))
        self.assertEqual(len([line for line in err.splitlines() if re.match(r"trial +\d+ +lost", line)]), 1, err)
        self.assertIn("is closed", err)

    def test_the_others_go_on_and_the_trial_is_run_again_once(self):
        self.dies(1, 3)

    def test_a_member_of_a_group_takes_its_group_alone(self):
        self.dies(3, 4, resources={"ranks_per_trial": 2})

    def test_a_member_of_rank_0s_group_leaves_it_the_work_of_a_scheduler(self):
        self.dies(1, 4, resources={"ranks_per_trial": 2})

    def test_without_rank_0_the_sweep_ends_and_the_same_command_goes_on(self):
        process = self.started(2, run_cap=2)
        os.kill(self.ranks[0], signal.SIGKILL)
        err = self.ended(process, 8)
        self.assertIn("the same command goes on", err)
        self.run_it("sweep", "s.json", "-n", 2)
        self.assertEqual([t[1] for t in self.trials()], ["done"] * 2)


class Stops(Ranks):
    def stopped(self, which, code):
        process = self.started(2, run_cap=2)
        process.send_signal(which)
        self.wait_for(self.is_signalled, what="a signal to rank 0")
        self.go_on()
        err = self.ended(process, code)
        self.assertIn("2 trials save a checkpoint", err)
        self.assertEqual([t[1] for t in self.trials()], ["interrupted"] * 2)
        self.run_it("sweep", "s.json", "-n", 2)
        self.assertEqual([t[1] for t in self.trials()], ["done"] * 2)

    def test_usr1_is_a_preemption_and_the_same_command_goes_on(self):
        self.stopped(signal.SIGUSR1, 75)

    def test_ctrl_c(self):
        self.stopped(signal.SIGINT, 130)

    def test_sigterm(self):
        self.stopped(signal.SIGTERM, 143)

    def test_a_signal_that_one_rank_heard_is_for_all(self):
        process = self.started(2, steps=10**6, run_cap=2)  # rank 0 hears of it when rank 1 has saved
        os.kill(self.ranks[1], signal.SIGUSR1)
        self.go_on()
        self.ended(process, 75)
        self.assertEqual([t[1] for t in self.trials()], ["interrupted"] * 2)

    def test_it_is_asked_to_stop_from_elsewhere(self):
        process = self.started(2, run_cap=100)
        self.go_on()
        self.run_it("sweep", "stop", "s")
        self.ended(process, 75)


if __name__ == "__main__":
    unittest.main()
