"""Sweeps whose scheduler is killed at system calls drawn by chance."""
from harness import *

KILL_AT = Path(BINARY).resolve().parents[1] / "tests/e2e/kill_at"
UNWATCHED = 126  # what it exits with where this system lets nobody watch
ECHO = ["sh", "-c", "echo \"{\\\"loss\\\": $(echo $0 | cut -d= -f2)}\"", "${args}"]


class Echo(Case):
    """A sweep whose trials take no time: each says the parameter that it was given."""

    def file(self, **more):
        sweep = {"name": "s", "sampler": {"type": "tpe", "startup_trials": 3}, "run_cap": 1000, "seed": 5,
                 "command": ECHO, "metric": {"name": "loss"}, "parameters": {"x": {"min": -0.8, "max": 1.0}}}
        sweep.update(more)
        (self.folder / "s.json").write_text(json.dumps(sweep))
        return "s.json"

    def shown(self, *words):
        return self.run_it("sweep", "show", "s", *words)[0]

    def left_behind(self):
        """Processes of this test: they have its home."""
        mine, found = f"HOME={self.env['HOME']}".encode(), []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and mine in (entry / "environ").read_bytes().split(b"\0"):
                    found.append((entry.name, (entry / "cmdline").read_bytes()))
            except OSError:
                continue
        return found

    def expect_nobody(self):
        self.wait_for(lambda: not self.left_behind(), what=f"the end of {self.left_behind()}")


class Kills(Echo):
    KILLS = int(os.environ.get("TILTYARD_KILLS", 200))

    def setUp(self):
        super().setUp()
        self.told, self.open, self.reported, self.kills = {}, {}, set(), 0
        probe = self.start("--help", through=[KILL_AT, "0"])
        _, err = probe.communicate(timeout=120)
        if probe.returncode == UNWATCHED:
            self.skipTest("no process can be watched here: ptrace is refused")
        self.begins = int(re.search(r"(\d+) calls", err).group(1)) * 4 // 5  # little else than the program's start

    def killed(self, span, *words):
        """Runs it until a call of the `span` that follow the start of the program; what it printed, and whether it
        got so far."""
        process = self.start(*words, through=[KILL_AT, str(self.begins + self.random.randint(0, span))])
        out, err = process.communicate(timeout=120)
        self.assertIn(process.returncode, (0, 137), err)
        self.kills += process.returncode == 137
        return out, process.returncode == 137

    def ask(self):
        out, was_killed = self.killed(500, "sweep", "ask", "s.json")
        asked = json.loads(out) if out.endswith("\n") else {}
        if "trial" in asked:
            self.assertNotIn(asked["trial"], self.told, "given out again after its end was taken")
            self.open[asked["trial"]] = asked["params"]["x"]
        return asked.get("kind")

    def tell(self):
        trial = self.random.choice(sorted(self.open))
        x = self.open[trial]
        if trial not in self.reported:
            _, was_killed = self.killed(500, "sweep", "tell", "s", trial, x, "--step", 1)
            if was_killed:
                return
            self.reported.add(trial)
        _, was_killed = self.killed(500, "sweep", "tell", "s", trial, x)
        if was_killed:
            return  # recorded or not: only the end is told again
        self.told[trial] = self.open.pop(trial)

    def run_some(self):
        self.killed(1000, "sweep", "s.json")
        self.open.clear()  # it has taken them over

    def expect_told(self):
        self.run_it("sweep", "export", "s", "--output", "all.jsonl")
        trials = [json.loads(line) for line in (self.folder / "all.jsonl").read_text().splitlines()]
        self.assertEqual([t["trial"] for t in trials], list(range(len(trials))))
        for trial, x in self.told.items():
            self.assertEqual((trials[trial]["state"], trials[trial]["value"]), ("complete", x))
        return len(trials)

    def test_killed_at_any_call_it_is_the_sweep_that_was_never_killed(self):
        self.file()
        while self.kills < self.KILLS:
            if self.open and self.random.random() < 0.6:
                self.tell()
            elif self.random.random() < 0.1 or self.ask() != "trial":
                self.run_some()
            if self.told and self.random.random() < 0.1:
                self.expect_told()
        cap = f"run_cap={self.expect_told() + 2}"
        self.run_it("sweep", "s.json", "--set", cap)
        self.expect_told()
        self.expect_nobody()
        self.run_it("sweep", "replay", "s")
        self.run_it("sweep", "s.json", "--set", cap, "--dir", "whole")
        self.assertEqual(self.shown(), self.shown("--dir", "whole"))
        print(f"{self.kills} kills, {cap}, {len(self.told)} told by hand", flush=True)


class Schedulers(Echo):
    def test_a_second_one_is_told_who_has_it_and_a_killed_one_is_followed_at_once(self):
        self.file(command=["sh", "-c", "echo '{\"loss\": 1}'; exec sleep 60"], run_cap=2)
        first = self.start("sweep", "s.json")
        self.wait_for(lambda: (self.folder / "sweeps/s/logs/trial_0000.log").exists(), what="a trial")
        for words in (("s.json",), ("tell", "s", 0, 1), ("ask", "s")):
            _, err = self.run_it("sweep", *words, code=75)
            self.assertRegex(err, rf"held by process {first.pid} on host \S+, last seen [\d.]+ s ago")
            self.assertEqual(err.count("error:"), 1, err)
        first.kill()
        first.communicate()
        self.run_it("sweep", "tell", "s", 0, 1)
        self.assertEqual(self.shown().splitlines()[1].split()[1], "done")
        self.assertFalse((self.folder / "sweeps/s/sweep.lease").exists())
        self.expect_nobody()


class Frozen(Echo):
    NO_LOCKS = [Path(KILL_AT).with_name("no_locks")]

    def follow(self):
        """Another scheduler, as soon as the first one's lease runs out."""
        def ran():
            process = self.start("sweep", "s.json", through=self.NO_LOCKS)
            _, err = process.communicate(timeout=120)
            self.assertIn(process.returncode, (0, 75), err)
            return process.returncode == 0
        self.wait_for(ran, seconds=120, what="the end of a lease")

    def test_one_that_stood_still_and_wakes_up_doubles_nothing_and_ends_with_one_line(self):
        self.file(command=["sh", "-c", "while ! test -e go; do sleep 0.05; done; echo '{\"loss\": 1}'"], run_cap=3)
        first = self.start("sweep", "s.json", through=self.NO_LOCKS)
        self.wait_for(lambda: (self.folder / "sweeps/s/logs/trial_0000.log").exists(), what="a trial")
        first.send_signal(signal.SIGSTOP)
        (self.folder / "go").touch()
        self.follow()
        shown = self.shown()
        self.assertEqual([line.split()[1] for line in shown.splitlines()[1:]], ["done"] * 3)
        first.send_signal(signal.SIGCONT)
        _, err = first.communicate(timeout=120)
        self.assertEqual(first.returncode, 75, err)
        self.assertEqual(err.count("sweep.lease"), 1, err)
        self.assertRegex(err.splitlines()[-1], r"^error: \S+sweep\.lease is not ours any more$")
        self.assertEqual(self.shown(), shown)
        self.run_it("sweep", "replay", "s")
        self.expect_nobody()


class LateWords(Echo):
    def expect_left_out(self, worker, why):
        before = self.shown()
        out, _ = self.run_it("sweep", "tell", "s", 0, 7, "--step", 1, "--worker", worker)
        self.assertEqual(json.loads(out), {"trial": 0, "answer": "stop", "reason": why})
        _, err = self.run_it("sweep", "tell", "s", 0, 7, "--worker", worker)
        self.assertEqual(err.strip(), f"trial 0: {why}; what is told now is left out")
        self.assertEqual(self.shown(), before)

    def test_of_a_trial_that_is_anothers_or_has_ended_they_change_nothing(self):
        self.file(run_cap=2)
        asked = json.loads(self.run_it("sweep", "ask", "s.json", "--worker", "a")[0])
        self.assertEqual(asked["trial"], 0)
        self.expect_left_out("b", "it is worker a's by now")
        self.run_it("sweep", "s.json")  # which nobody else runs: it takes the trial over
        self.expect_left_out("a", "it has ended: done")
        self.run_it("sweep", "replay", "s")


class Enqueued(Echo):
    """Points for a sweep that runs: its trials wait for a file."""
    WAITS = ["sh", "-c", "while ! test -e go; do sleep 0.05; done; echo '{\"loss\": 1}'"]

    def points(self):
        self.run_it("sweep", "export", "s", "--output", "all.jsonl")
        return [json.loads(line)["params"]["x"] for line in (self.folder / "all.jsonl").read_text().splitlines()]

    def begin(self, *words):
        process = self.start("sweep", "s.json", *words)
        self.wait_for(lambda: (self.folder / "sweeps/s/logs/trial_0000.log").exists(), what="a trial")
        return process

    def enqueue(self, x):
        _, err = self.run_it("sweep", "enqueue", "s", f"x={x}")
        self.assertEqual(err.strip(), "queued; the running sweep takes it at its next trial")

    def test_it_takes_points_as_it_runs(self):
        self.file(command=self.WAITS, run_cap=4)
        sweep = self.begin()
        self.enqueue(0.25)
        self.enqueue(0.5)
        _, err = self.run_it("sweep", "enqueue", "s", "x=7", code=2)
        self.assertIn("x is never 7", err)
        self.assertRegex(self.run_it("sweep", "show", "s")[1],
                         r"queue   2 points wait to be tried next\n +x=0\.25\n +x=0\.5\n")
        for words in ("ask", "s"), ("tell", "s", 0, 1):
            _, err = self.run_it("sweep", *words, code=75)
            self.assertRegex(err, r"another process runs this sweep: .*\btry again.*`tiltyard sweep stop s`")
        (self.folder / "go").touch()
        _, err = sweep.communicate(timeout=120)
        self.assertEqual(sweep.returncode, 0, err)
        self.assertEqual(self.points()[1:3], [0.25, 0.5])
        self.assertEqual(list((self.folder / "sweeps/s/queue").iterdir()), [])
        self.run_it("sweep", "replay", "s")

    def test_the_next_one_takes_what_a_killed_one_left(self):
        self.file(command=self.WAITS, run_cap=4)
        sweep = self.begin()
        self.enqueue(0.25)
        sweep.kill()
        sweep.communicate()
        (self.folder / "go").touch()
        self.run_it("sweep", "s.json")
        self.assertEqual(self.points()[1], 0.25)
        self.run_it("sweep", "replay", "s")
        self.expect_nobody()


class Disks(Echo):
    def test_a_full_disk_ends_it_in_one_line_and_the_same_command_goes_on(self):
        words = ("sweep", self.file(run_cap=40))
        self.run_it(*words, "--dir", "whole")
        disk = self.small_disk("64m")
        self.run_it(*words, "--set", "run_cap=4", "--dir", disk)
        told = self.shown("--dir", disk)
        free = os.statvfs(disk)
        (disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_bsize))
        _, err = self.run_it(*words, "--dir", disk, code=1)
        self.assertIn(os.strerror(28), err)
        self.assertEqual(err.count("error:"), 1, err)
        self.assertEqual(self.shown("--dir", disk).splitlines()[:5], told.splitlines()[:5])
        (disk / "ballast").unlink()
        self.run_it(*words, "--dir", disk)
        self.assertEqual(self.shown("--dir", disk), self.shown("--dir", "whole"))
        self.expect_nobody()

    def test_a_trial_that_finds_no_room_has_not_failed(self):
        sweep = {"config": SYNTHETIC, "run_cap": 3, "seed": 5, "sampler": "random", "metric": {"name": "val/loss"},
                 "parameters": {"optimizer.learning_rate": {"min": 1e-3, "max": 1e-1, "log": True},
                                "model": {"value": {"layers": ["flatten", {"type": "linear", "out": 1024}, "linear"]}},
                                "train.duration": {"value": "1 epoch"}}}
        (self.folder / "s.json").write_text(json.dumps(sweep))
        self.run_it("sweep", "s.json", "--dir", "whole")
        for way in ((), ("-j", 2), ("-n", 2)):
            disk = self.small_disk("100m")
            free = os.statvfs(disk)
            (disk / "ballast").write_bytes(bytes(free.f_bavail * free.f_bsize - (1 << 19)))
            _, err = self.run_it("sweep", "s.json", *way, "--dir", disk, code=1)
            self.assertRegex(err, f"error: trial [012]: .*({os.strerror(28)}|make room)")
            self.assertNotIn("failed", self.shown("--dir", disk))
            (disk / "ballast").unlink()
            self.run_it("sweep", "s.json", *way, "--dir", disk)
            self.assertEqual(self.shown("--dir", disk), self.shown("--dir", "whole"))
            subprocess.run(["umount", disk], check=True)
            disk.rmdir()
        self.expect_nobody()


if __name__ == "__main__":
    unittest.main()
