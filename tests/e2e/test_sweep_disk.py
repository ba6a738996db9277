"""`resources.disk`: the room that a sweep's checkpoints may take, and what it costs to keep to it."""
import fcntl
import sqlite3

from harness import *
import test_sweep

LINE = r"disk +(\S+ \S+) of (\S+ \S+): checkpoints of these trials are given up: ([\d, ]+)"


class Disk(test_sweep.Sweep):
    def asha(self, **more):
        return self.file(pruner={"type": "asha", "eta": 2}, max_resource=4, run_cap=16, window=3, **more)

    def checkpoints(self, folder="."):
        """Bytes of the checkpoints of each trial that has any; one with several names counts once."""
        sizes = {}
        for path in (self.folder / folder).glob("runs/*/*/**/*.h5"):
            trial = int(re.search(r"/s-(\d+)/", str(path)).group(1))
            sizes.setdefault(trial, {})[path.stat().st_ino] = path.stat().st_size
        return {trial: sum(files.values()) for trial, files in sizes.items()}

    def shown(self, folder):
        return self.run_it("sweep", "show", "s", "--dir", folder)

    def retrained(self, said):
        found = re.search(r"(\d+) trials? gave theirs up; (\d+) reports were trained again", said)
        return int(found.group(2)) if found else 0

    def evaluations(self, folder):
        logs = (self.folder / folder / "sweeps/s/logs").glob("trial_*.log")
        return sum(len(re.findall(r"^ +\d+\.\d\d +\d+ +[-\d]", log.read_text(), re.M)) for log in logs)

    def reports(self, shown):
        return sum(int(line.split()[3]) for line in shown.splitlines()[1:])

    def plain(self):
        """The same sweep without a bound: what it shows, and how large the checkpoints of a trial are."""
        self.run_it("sweep", self.asha(), "--dir", "plain")
        shown, said = self.shown("plain")
        self.assertEqual(self.evaluations("plain"), self.reports(shown))
        self.assertNotIn("gave theirs up", said)
        sizes = self.checkpoints("plain")
        self.assertEqual(len(sizes), 16)
        return shown, sizes

    def best(self, folder):
        return int(re.match(r"best +trial (\d+)", self.run_it("sweep", "best", "s", "--dir", folder)[0]).group(1))

    def expect_same(self, folder, shown):
        now, said = self.shown(folder)
        self.assertEqual(now, shown)
        self.assertIn("bit for bit", self.run_it("sweep", "replay", "s", "--dir", folder)[1])
        self.assertIn(self.best(folder), self.checkpoints(folder))
        self.assertTrue((self.folder / folder / "sweeps/s/test.json").exists())
        return said


class Kept(Disk):
    def test_decisions_are_the_same_and_so_much_is_kept(self):
        shown, sizes = self.plain()
        most = 4 * max(sizes.values())
        for n, way in enumerate(((), ("-j", 2), ("-n", 2))):
            with self.subTest(way):
                folder = f"kept-{n}"
                _, err = self.run_it("sweep", "s.json", *way, "--dir", folder, "--set", f"resources.disk={most} B")
                said = self.expect_same(folder, shown)
                kept = self.checkpoints(folder)
                self.assertLessEqual(sum(kept.values()), most)
                given_up = {int(n) for found in re.findall(LINE, err) for n in found[2].split(", ")}
                self.assertEqual(given_up, set(range(16)) - set(kept))
                self.assertNotIn("warning: the checkpoints take", err)
                if "-n" not in way:  # groups write no line an evaluation
                    self.assertEqual(self.evaluations(folder), self.reports(shown) + self.retrained(said))
                self.assertIn(f"of checkpoints, of {len(kept)} trial", said)

    def test_who_waits_without_its_checkpoints_begins_anew_and_that_is_counted(self):
        shown, _ = self.plain()
        _, err = self.run_it("sweep", "s.json", "--dir", "none", "--set", "resources.disk=1 kB")
        said = self.expect_same("none", shown)
        again = self.retrained(said)
        self.assertGreater(again, 0)
        self.assertEqual(self.evaluations("none"), self.reports(shown) + again)
        anew = re.findall(r"trial +\d+  begins anew, its checkpoints were given up: (\d+) reports", err)
        self.assertEqual(sum(map(int, anew)), again)
        self.assertEqual(len(re.findall("warning: the checkpoints take .* and resources.disk is 1000 B", err)), 1, err)
        self.assertEqual(set(self.checkpoints("none")), {self.best("none")})

    def test_killed_in_the_middle_it_goes_on_as_it_would_have(self):
        shown, _ = self.plain()
        words = ("sweep", "s.json", "-j", 2, "--dir", "killed", "--set", "resources.disk=50 kB")
        for _ in range(3):
            process = self.start(*words)
            lines = iter(process.stderr.readline, "")
            next((line for line in lines if "are given up" in line), None)  # or it has ended
            process.kill()
            process.communicate()
        self.run_it(*words)
        self.expect_same("killed", shown)
        self.assertLessEqual(sum(self.checkpoints("killed").values()), 50000)

    def test_what_was_given_up_and_not_yet_removed_goes_at_the_next_start(self):
        self.run_it("sweep", self.asha(), "--set", "resources.disk=50 kB", "--set", "run_cap=8")
        kept = self.checkpoints()
        gone = min(set(range(8)) - set(kept))
        run, = self.folder.glob(f"runs/*/s-{gone:04}")
        source = next(self.folder.glob("runs/*/*/checkpoints/step_*.h5"))
        for place in ("checkpoints", ".tmp-checkpoints"):
            (run / place).mkdir(exist_ok=True)
            shutil.copy(source, run / place / source.name)
        self.run_it("sweep", "s.json", "--set", "resources.disk=50 kB", "--set", "run_cap=8")
        self.assertEqual(self.checkpoints(), kept)
        self.assertFalse((run / ".tmp-checkpoints").exists())

    def test_a_bound_may_come_later_and_go_again(self):
        self.run_it("sweep", self.asha(), "--set", "run_cap=6")
        self.assertEqual(len(self.checkpoints()), 6)
        _, err = self.run_it("sweep", "s.json", "--set", "run_cap=6", "--set", "resources.disk=50 kB")
        self.assertRegex(err, LINE)
        self.assertLessEqual(sum(self.checkpoints().values()), 50000)
        self.run_it("sweep", "s.json", "--set", "run_cap=9")
        self.assertGreater(sum(self.checkpoints().values()), 50000)


class Protected(Disk):
    def surpassed(self, between):
        """A sweep whose trial 0 was the best one, is registered, and is it no more."""
        file = self.file(register={"model": "net"}, resources={"disk": "1 kB"}, run_cap=1)
        self.run_it("sweep", file)
        between()
        self.run_it("sweep", file, "--set", "run_cap=6")
        self.assertNotEqual(self.best("."), 0, "trial 0 was to be surpassed")
        self.run_it("eval", "models:/net/1", "--split", "test")

    def test_a_registered_version_needs_none(self):
        self.surpassed(lambda: None)
        self.assertEqual(set(self.checkpoints()), {self.best(".")})

    def test_the_run_that_a_registered_version_names_keeps_them(self):
        def name_run():
            with sqlite3.connect(self.folder / "mlflow.db") as store:
                store.execute("UPDATE model_versions SET run_id ="
                              " (SELECT run_uuid FROM runs WHERE name = 's-0000')")
        self.surpassed(name_run)
        self.assertEqual(set(self.checkpoints()), {0, self.best(".")})

    def test_a_run_that_somebody_works_on_keeps_them(self):
        self.run_it("sweep", self.file(run_cap=3))
        loser = min(set(range(3)) - {self.best(".")})
        run, = self.folder.glob(f"runs/*/s-{loser:04}")
        self.assertEqual(len(self.checkpoints()), 3)
        with open(run / "run.lease", "w") as lease:
            fcntl.flock(lease, fcntl.LOCK_EX)
            _, err = self.run_it("sweep", "s.json", "--set", "resources.disk=1 kB")
        self.assertEqual(set(self.checkpoints()), {loser, self.best(".")})
        self.assertEqual(err.count("warning: the checkpoints take"), 1, err)

    def test_what_was_given_up_and_is_in_use_again_stays_until_it_is_not(self):
        words = ("sweep", "s.json", "--set", "resources.disk=1 kB", "--set")
        self.run_it("sweep", self.file(run_cap=3))
        self.run_it(*words, "run_cap=3")
        kept = self.best(".")
        gone = min(set(range(3)) - {kept})
        run, = self.folder.glob(f"runs/*/s-{gone:04}")
        (run / "checkpoints").mkdir(exist_ok=True)
        shutil.copy(next(self.folder.glob("runs/*/*/checkpoints/step_*.h5")), run / "checkpoints")
        with open(run / "run.lease", "w") as lease:
            fcntl.flock(lease, fcntl.LOCK_EX)
            _, err = self.run_it(*words, "run_cap=5")
        self.assertEqual(set(self.checkpoints()), {gone, self.best(".")})
        self.assertEqual(err.count(f"trial {gone} gave its checkpoints up, and some are still there: "), 1, err)
        self.run_it(*words, "run_cap=5")
        self.assertEqual(set(self.checkpoints()), {self.best(".")})

    def test_another_programs_are_its_own(self):
        self.file(config=None, command=["true"], parameters=test_sweep.SPACE, resources={"disk": "1 GB"})
        _, err = self.run_it("sweep", "s.json", code=2)
        self.assertIn("another program's checkpoints are its own", err)
        self.assertFalse((self.folder / "sweeps").exists())


if __name__ == "__main__":
    unittest.main()
