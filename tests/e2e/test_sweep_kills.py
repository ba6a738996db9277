"""`tiltyard sweep` under SIGKILL at any moment, again and again: what was told stays told, and the end is the same."""
from harness import *
import test_sweep


class Kills(test_sweep.Sweep):
    KILLS = int(os.environ.get("TILTYARD_KILLS", 200))

    def sit(self, cap, patience):
        """One sitting of at most so many seconds; whether it was killed."""
        process = self.start("sweep", "s.json", "--set", f"run_cap={cap}", "-j", self.random.choice([1, 2, 3]))
        try:
            _, err = process.communicate(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return True
        self.assertEqual(process.returncode, 0, err)
        return False

    def test_killed_again_and_again_it_is_the_same_sweep(self):
        self.file()
        kills, cap = 0, 8
        while kills < self.KILLS:
            was_killed = self.sit(cap, self.random.uniform(0.02, 0.8))
            kills += was_killed
            cap += 0 if was_killed else 8  # done too early: more trials
        self.assertFalse(self.sit(cap, 600))
        print(f"{kills} kills, {cap} trials", flush=True)
        killed, _ = self.run_it("sweep", "show", "s")
        self.run_it("sweep", "replay", "s")
        self.run_it("sweep", "s.json", "--set", f"run_cap={cap}", "-j", 2, "--dir", "whole", timeout=600)
        self.assertEqual(killed, self.run_it("sweep", "show", "s", "--dir", "whole")[0])

    def test_with_trials_that_wait_for_their_promotion_it_is_the_same_sweep_too(self):
        cap, kills = 24, 0
        self.file(pruner={"type": "asha", "eta": 2}, max_resource=4)
        while self.sit(cap, self.random.uniform(0.02, 0.8)):
            kills += 1
            if kills >= self.KILLS:
                self.assertFalse(self.sit(cap, 600))
                break
        print(f"{kills} kills, {cap} trials", flush=True)
        killed, _ = self.run_it("sweep", "show", "s")
        self.run_it("sweep", "replay", "s")
        self.run_it("sweep", "s.json", "--set", f"run_cap={cap}", "-j", 2, "--dir", "whole", timeout=600)
        self.assertEqual(killed, self.run_it("sweep", "show", "s", "--dir", "whole")[0])
        self.assertLessEqual({"paused", "done"}, {trial[1] for trial in self.trials()})
        logs = sorted((self.folder / "whole/sweeps/s/logs").glob("trial_*.log"))
        evaluations = [len(re.findall(r"^ +\d+\.\d\d +\d+ +[-\d]", log.read_text(), re.M)) for log in logs]
        self.assertEqual(evaluations, [int(trial[3]) for trial in self.trials()], "something was trained twice")


if __name__ == "__main__":
    unittest.main()
