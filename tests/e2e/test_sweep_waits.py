"""Groups of ranks that wait for a scheduler which is slow, stands still or is gone."""
import contextlib

from harness import *
import test_sweep

DEADLINE = 6
SHARED = {**test_sweep.SPACE, **test_sweep.SMALL, "eval.every": {"value": "20 steps"},
          "train.comm_deadline": {"value": DEADLINE}}


class Waits(test_sweep.Sweep):
    """Two groups of two ranks; group 0, which has the scheduler, is stopped in the middle."""

    def begun(self, folder, **more):
        """The sweep, with ranks by number, at a moment when none of its trials has come to its end: each has so many
        steps that there is one, however fast the machine is."""
        for steps in (400 * 4 ** i for i in range(6)):
            self.file(run_cap=3, resources={"ranks_per_trial": 2},
                      parameters={**SHARED, "train.duration": {"value": f"{steps} steps"}}, **more)
            process = self.start("sweep", "s.json", "--dir", folder, "-n", 4)
            self.wait_for(lambda: process.poll() is not None or self.saved(folder), what="a checkpoint")
            ranks = ranks_of(process.pid)
            self.addCleanup(self.end, process, ranks)
            if process.poll() is None and len(ranks) == 4 and self.freeze(folder, ranks):
                return process, ranks
            self.end(process, ranks)
            shutil.rmtree(self.folder / folder)
        self.fail("every trial ended before it could be stopped")

    def end(self, process, ranks):
        """A rank that is stopped would outlive its mpirun."""
        if process.poll() is not None:
            return
        for pid in ranks.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.communicate()

    def saved(self, folder):
        return sorted((self.folder / folder).glob("runs/*/*/checkpoints/step_*.h5"))

    def freeze(self, folder, ranks):
        """Stops group 0; true where group 1 then stands at an evaluation, for much longer than a rank waits for
        another: it saves nothing more."""
        for rank in 0, 1:
            os.kill(ranks[rank], signal.SIGSTOP)
        state = {"seen": None, "since": 0}

        def stands():
            now = self.saved(folder)
            if now != state["seen"]:
                state.update(seen=now, since=time.monotonic())
            return time.monotonic() > state["since"] + 2.5 * DEADLINE
        self.wait_for(stands, what="group 1 standing still")
        return len({path.parent for path in state["seen"]}) == 2

    def thaw(self, ranks, *those):
        for rank in those:
            os.kill(ranks[rank], signal.SIGCONT)

    def ended(self, process, code):
        out, err = process.communicate(timeout=280)
        self.assertEqual(process.returncode, code, f"{out}\n{err}")
        return err

    def shown(self, folder):
        return self.run_it("sweep", "show", "s", "--dir", folder)[0]

    def as_in_slots(self, folder):
        self.run_it("sweep", "s.json", "--dir", "slots", "--set", "resources.ranks_per_trial=1")
        self.assertEqual(self.shown(folder), self.shown("slots"))
        self.run_it("sweep", "replay", "s", "--dir", folder)

    def test_a_scheduler_that_stands_still_is_waited_for_beyond_the_deadline_of_ranks(self):
        process, ranks = self.begun("ranks")
        self.thaw(ranks, 1, 0)
        err = self.ended(process, 0)
        self.assertNotIn("is closed", err)
        self.as_in_slots("ranks")

    def test_where_rank_0_alone_stood_still_its_group_is_closed_and_the_other_goes_on(self):
        process, ranks = self.begun("ranks")
        self.thaw(ranks, 1)  # it waits for rank 0 in a step, and gives it up
        stat = Path(f"/proc/{ranks[1]}/stat")
        time.sleep(2 * DEADLINE)
        self.assertTrue(stat.exists(), "a member waits to be told that the sweep is over")
        self.thaw(ranks, 0)
        err = self.ended(process, 0)
        self.assertIn("group 0 (ranks 0 to 1) is closed", err)
        self.assertNotIn("group 1", err)
        self.as_in_slots("ranks")

    def test_without_rank_0_a_group_that_waits_for_its_answer_saves_and_leaves(self):
        process, ranks = self.begun("ranks")
        os.kill(ranks[0], signal.SIGKILL)
        self.thaw(ranks, 1)
        err = self.ended(process, 8)
        self.assertIn("the same command goes on", err)
        self.run_it("sweep", "s.json", "--dir", "ranks", "-n", 4)
        self.as_in_slots("ranks")


class Letters(test_sweep.Sweep):
    def test_a_trial_that_fits_in_no_letter_is_refused_with_the_bound(self):
        words = {"data.features": {"value": "age," * 20000}}
        _, err = self.run_it("sweep", self.file(parameters={**test_sweep.SPACE, **test_sweep.SMALL, **words}),
                             "-n", 2, code=2)
        self.assertIn("want <= 65536", err)
        self.assertIn("trial 0's parameters do not go into a letter", err)

    def test_a_group_that_cannot_write_its_trials_log_says_so(self):
        self.file(run_cap=2)
        logs = self.folder / "sweeps/s/logs"
        logs.mkdir(parents=True)
        for trial in range(2):
            (logs / f"trial_{trial:04}.log").mkdir()
        _, err = self.run_it("sweep", "s.json", "-n", 2, code=1)
        self.assertIn("Is a directory", err)


if __name__ == "__main__":
    unittest.main()
