"""Damaged files, stores that take nothing, full disks: said once, and made good by the same command."""
import errno
import sqlite3

from harness import *

SHORT = ("--set", "train.duration=30 steps", "--set", "checkpoint.every=10 steps", "--set", "eval.every=never")
ONE = (*SHORT, "--set", "checkpoint.keep=1", "--name", "mine")


class Damage(Case):
    def finished(self):
        self.train(*ONE)
        return self.folder / "runs/synthetic/mine"

    def state(self, name="mine"):
        out, _ = self.run_it("runs", "ls", "--json")
        return next(run["state"] for run in map(json.loads, out.splitlines()) if run["run"] == name)

    def test_looking_at_a_finished_run_leaves_it_finished(self):
        self.finished()
        _, err = self.run_it("train", SYNTHETIC, *ONE)
        self.assertIn("is finished", err)
        self.assertEqual(self.state(), "finished")
        with sqlite3.connect(self.folder / "mlflow.db") as store:
            self.assertEqual(store.execute("select status from runs").fetchall(), [("FINISHED",)])

    def test_damaged_checkpoints_are_passed_over_and_trained_again(self):
        run = self.finished()
        want = json.loads(self.run_it("eval", "mine", "--json")[0])
        path = next((run / "checkpoints").iterdir())
        good = path.read_bytes()
        cuts = [good[:n] for n in (0, 100, 511, 512, 3000, len(good) - 1)]
        cuts += [good + b"x", self.random.randbytes(4000)]
        flips = []
        for at in [0, 8, 64, 511, 512, 900] + [self.random.randrange(len(good)) for _ in range(6)]:
            flips.append(good[:at] + bytes([good[at] ^ 0x41]) + good[at + 1:])
        for number, content in enumerate(cuts + flips):
            path.write_bytes(content)
            _, err = self.run_it("eval", "mine", code=None)
            self.assertIn(path.name, err, number)
            self.assertRegex(err, "(?m)^error: ", number)
        self.run_it("train", SYNTHETIC, *ONE)
        self.assertEqual(json.loads(self.run_it("eval", "mine", "--json")[0]), want)

    def test_b25_journals_are_cut_or_refused_and_never_crash(self):
        run = self.finished()
        journal, again = run / "run.journal", ("train", SYNTHETIC, *ONE)
        good = journal.read_bytes()
        middle = bytearray(good)
        middle[len(middle) // 2] ^= 1
        for name, content, code in (("torn", good[:-7], 0), ("tail", good + bytes(100), 0),
                                    ("middle", bytes(middle), 6), ("foreign", b"hello world\n" * 99, 6)):
            with self.subTest(name):
                journal.write_bytes(content)
                _, listed = self.run_it("runs", "ls")
                _, err = self.run_it(*again, code=code)
                if code == 0:
                    self.assertEqual(self.state(), "finished")
                else:
                    self.assertIn("run.journal", listed)
                    self.assertNotIn("run.lease", listed)
                    self.assertEqual(err.count("run.journal"), 1, err)
                    self.assertIn("--fresh", err)
                self.run_it("runs", "rebuild", code=code)

    def test_a_damaged_config_of_a_run_is_told_and_written_anew(self):
        run = self.finished()
        path, again = run / "config.json", ("train", SYNTHETIC, *ONE)
        good = path.read_bytes()
        for content in (good[:200], b"", self.random.randbytes(300), None):
            path.unlink()
            if content is not None:
                path.write_bytes(content)
            self.run_it("eval", "mine", code=6)
            self.run_it(*again)
            self.assertEqual(path.read_bytes(), good)

    def test_e47_no_store_can_fail_a_training(self):
        self.finished()
        good = (self.folder / "mlflow.db").read_bytes()

        def flipped(path):
            content = bytearray(good)
            for _ in range(200):
                content[self.random.randrange(100, len(content))] ^= 0xff
            path.write_bytes(content)

        def newer(path):
            path.write_bytes(good)
            with sqlite3.connect(path) as store:
                store.execute("alter table runs rename column status to condition")

        for name, prepare in (("garbage", lambda p: p.write_bytes(self.random.randbytes(5000))), ("flipped", flipped),
                              ("cut", lambda p: p.write_bytes(good[:len(good) // 2])), ("folder", lambda p: p.mkdir()),
                              ("newer", newer), ("link", lambda p: p.symlink_to("/nonexistent/x"))):
            with self.subTest(name):
                folder = self.folder / name
                folder.mkdir()
                prepare(folder / "mlflow.db")
                out, err = self.run_it("train", SYNTHETIC, *SHORT, "--json", "--dir", folder)
                self.assertIn('"event": "done"', out)
                self.assertIn("mlflow.db", err)
                self.assertIn("runs rebuild", err)

    def test_a_store_locked_all_the_time_is_filled_later(self):
        self.finished()
        holder = sqlite3.connect(self.folder / "mlflow.db")
        holder.execute("begin exclusive")
        _, err = self.run_it("train", SYNTHETIC, *SHORT, "--name", "late")
        self.assertIn("locked", err)
        self.assertEqual(err.count("mlflow.db to take the rest of the run, at most"), 1, err)
        holder.rollback()
        self.run_it("runs", "rebuild")
        self.assertEqual(holder.execute("select status from runs where name = 'late'").fetchall(), [("FINISHED",)])
        holder.close()

    def test_e50_a_moved_folder_goes_on_where_it_is(self):
        (self.folder / "here").mkdir()
        self.run_it("train", SYNTHETIC, *SHORT, "--dir", "here")
        there = self.folder / "somewhere else, ünd"
        (self.folder / "here").rename(there)
        self.run_it("train", SYNTHETIC, *SHORT, "--dir", there, "--fresh")
        out, _ = self.run_it("runs", "ls", "--json", "--dir", there)
        runs = [json.loads(line) for line in out.splitlines()]
        self.assertEqual([run["state"] for run in runs], ["finished", "finished"])
        self.run_it("eval", runs[0]["run_id"][:8], "--dir", there)
        with sqlite3.connect(there / "mlflow.db") as store:
            for uri, in store.execute("select artifact_uri from runs"):
                self.assertTrue(uri.startswith(str(there)), uri)
                self.assertTrue(Path(uri).is_dir(), uri)


class Disks(Case):
    def test_b26_a_full_disk_is_told_and_made_good_by_the_same_command(self):
        want = self.train(*SHORT)["params_hash"]
        for size in ("16k", "64k", "400k"):
            with self.subTest(size):
                disk = self.small_disk(size)
                out, err = self.run_it("train", SYNTHETIC, *SHORT, "--json", "--dir", disk, code=None)
                saved = list(disk.rglob("step_000000000030.h5"))
                self.assertIn(want, out, "training itself goes on")
                self.assertTrue(saved or "could not be saved; make room" in err, err)
                subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
                self.run_it("train", SYNTHETIC, *SHORT, "--dir", disk)
                self.assertTrue(list(disk.rglob("step_000000000030.h5")))
                out, _ = self.run_it("runs", "ls", "--json", "--dir", disk)
                self.assertEqual(json.loads(out)["state"], "finished")
                subprocess.run(["umount", disk], check=True)

    def test_a_finished_run_where_nothing_can_be_written_is_told_to_be_finished(self):
        disk = self.small_disk("20m")
        want = self.train(*SHORT, "--name", "mine", "--dir", disk)["params_hash"]
        self.train(*SHORT, "--name", "cut", "--dir", disk)
        shutil.rmtree(disk / "runs/synthetic/cut/checkpoints")
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        for ranks in ((), ("-n", "2")):
            out, err = self.run_it("train", SYNTHETIC, *SHORT, "--name", "mine", "--dir", disk, "--json", *ranks)
            self.assertIn("is finished", err)
            self.assertEqual(json.loads(out)["params_hash"], want)
        for name in ("cut", "new"):  # there is something to do
            _, err = self.run_it("train", SYNTHETIC, *SHORT, "--name", name, "--dir", disk, code=1)
            self.assertIn(os.strerror(errno.EROFS), err)
            self.assertEqual(err.count("error:"), 1, err)

    def test_folders_that_take_nothing_are_told_in_one_line(self):
        (self.folder / "file").write_text("")
        words = [("file", "in the way"), ("file/below", "in the way"), ("/proc/nothing", "cannot create")]
        for folder, wanted in words:
            with self.subTest(folder):
                _, err = self.run_it("train", SYNTHETIC, "--dir", folder, code=1)
                self.assertIn(wanted, err)
                self.assertEqual(len(err.splitlines()), 1, err)

    def test_reading_from_a_folder_that_is_not_there_creates_none(self):
        self.run_it("runs", "ls", "--dir", "nowhere", code=1)
        self.run_it("runs", "rebuild", "--dir", "nowhere", code=1)
        self.run_it("eval", "x", "--dir", "nowhere", code=1)
        self.assertEqual(self.files(), [])


if __name__ == "__main__":
    unittest.main()
