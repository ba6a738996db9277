"""What users, files, disks and terminals do wrong: said once, with place and remedy, and nothing left behind."""
import errno
import fcntl
import gzip
import pty
import select
import sqlite3
import struct
import termios

from harness import *

LONG = ("--set", "train.duration=100000 steps", "--set", "checkpoint.every=50 steps", "--set", "eval.every=2000 steps")
SHORT = ("--set", "train.duration=30 steps", "--set", "checkpoint.every=10 steps", "--set", "eval.every=never")
ONE = (*SHORT, "--set", "checkpoint.keep=1", "--name", "mine")
SYNTHETIC_DATA = {"source": "synthetic"}


def config(layers=("flatten", "linear"), **sections):
    return {"data": dict(SYNTHETIC_DATA), "model": {"layers": list(layers)}, **sections}


class BadInput(Case):
    def reject(self, document, *wanted, words=(), code=2, ranks=()):
        """The command fails with exactly these words and leaves the folder as it was."""
        text = document if isinstance(document, str) else json.dumps(document, indent=1)
        (self.folder / "config.json").write_text(text)
        before = self.files()
        _, err = self.run_it("train", "config.json", *words, *ranks, code=code)
        for part in wanted:
            self.assertIn(part, err)
        self.assertEqual(self.files(), before, "what is refused must leave nothing behind")
        return err


class Configs(BadInput):
    def test_what_only_data_and_plan_can_know_has_a_place_and_leaves_no_trace(self):
        conv = {"type": "conv2d", "out": 4}
        for name, document, wanted in (
                ("kernel", config([{**conv, "kernel": 31, "padding": 0}, "flatten", "linear"]),
                 ("model.layers.0 (conv2d): a kernel of 31 does not fit",)),
                ("no flatten", config([conv, "linear"]), ("model.layers.1 (linear)", 'put "flatten" before it')),
                ("image wanted", config(["flatten", conv, "linear"]), ("model.layers.1 (conv2d)", "[channels, height")),
                ("width", config(["flatten", {"type": "linear", "out": 5}]), ("5 values a sample", "4 classes")),
                ("norm of one", config(["flatten", "batch_norm", "linear"], train={"global_batch_size": 8}),
                 ("model.layers.1 (batch_norm)", "of 1 value")),
                ("loss", config(loss="mse"), ("loss is mse", "use cross_entropy")),
                ("batch", config(train={"global_batch_size": 4096}), ("train.global_batch_size is 4096", "samples to")),
                ("warm-up", config(schedule={"type": "cosine", "warmup": "99999 steps"}),
                 ("schedule.warmup is 99999",)),
                ("no val", {**config(checkpoint={"best": "val/loss:min"}),
                            "data": {"source": "synthetic", "val_fraction": 0}},
                 ("checkpoint.best is", "no val samples")),
                ("memory", config(["flatten", {"type": "linear", "out": 16777216},
                                   {"type": "linear", "out": 16777216}, "linear"]), ("GiB a rank", "this host has")),
                ("test part", {**config(), "data": {"source": "synthetic", "test_fraction": 0.5}},
                 ("data.test_fraction is 0.5",))):
            with self.subTest(name):
                err = self.reject(document, *wanted)
                self.assertRegex(err, r"^error: config\.json:\d+:\d+: ")
                self.assertIn("^", err.splitlines()[2])
                self.assertEqual(err.count("error:"), 1, err)

    def test_check_says_what_train_would_say(self):
        (self.folder / "config.json").write_text(json.dumps(config(train={"global_batch_size": 4096})))
        _, err = self.run_it("check", "config.json", code=2)
        self.assertIn("train.global_batch_size is 4096", err)

    def test_names_that_leave_the_folder_are_refused(self):
        for key in ("experiment", "name"):
            for value in ("../../x", "a/b", "", ".x", "a\nb", "n" * 300):
                with self.subTest(key=key, value=value[:10]):
                    self.reject(config(**{key: value}), f"{key} is no name for a folder")
        for value in ("../x", "", "a\x1b[31mb", "n" * 300):
            with self.subTest(option=value[:10]):
                self.reject(config(), "plain folder name", words=("--name", value))
        self.reject(config(), "want the name of a folder", words=("--dir", ""))

    def test_all_contradictions_come_at_once_and_once_each(self):
        err = self.reject(config(train={"global_batch_size": 100, "early_stop": {"metric": "val/acc"}},
                                 checkpoint={"best": "f1"}, experiment="a/b"), "4 errors, nothing was run")
        self.assertEqual(err.count("error:"), 4, err)
        self.assertEqual(err.count("nothing was run"), 1, err)

    def test_a_key_of_another_variant_is_told_whose_it_is(self):
        self.reject(config(optimizer={"type": "adamw", "momentum": 0.9}), '"momentum" belongs to "sgd"')

    def test_sets_and_bases_are_named(self):
        (self.folder / "base.json").write_text('{\n "train": {"duraton": "1 epoch"}\n}')
        self.reject({"extends": "base.json", **config()}, "base.json:2:", "duraton", 'did you mean "duration"',
                    "--set lr=1", "optimizer.learning_rate", "2 errors", words=("--set", "lr=1"))
        self.reject({"extends": "config.json"}, "circle")
        self.reject(config(name="${env:NOT_SET_ANYWHERE}"), "NOT_SET_ANYWHERE is not set")

    def test_ranks_refuse_with_one_voice_and_no_trace(self):
        err = self.reject(config(), "3 ranks", ranks=("-n", "3"))
        self.assertEqual(err.count("error:"), 1, err)
        err = self.reject(config([{"type": "conv2d", "out": 4, "kernel": 31, "padding": 0}, "flatten", "linear"]),
                          "config.json:", ranks=("-n", "2"))
        self.assertEqual(err.count("error:"), 1, err)
        self.assertNotIn("rank 0", err)

    def test_a_config_that_is_no_file_is_a_config_error(self):
        for path in (self.folder, "/dev/null/x"):
            _, err = self.run_it("train", path, code=2)
            self.assertEqual(err.count("error:"), 1, err)

    def test_a_job_step_without_pmi_is_refused_with_the_cause(self):
        self.env.update(SLURM_STEP_NUM_TASKS="4", SLURM_PROCID="0")
        self.reject(config(), "without PMI", "--mpi=pmix", code=8)


def idx(path, dims, data, kind=8):
    path.write_bytes(struct.pack(">HBB", 0, kind, len(dims)) + b"".join(struct.pack(">I", d) for d in dims) + data)


class Data(BadInput):
    def images(self, n=100, labels=None):
        folder = self.folder / "set"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        idx(folder / "train-images-idx3-ubyte", (n, 8, 8), self.random.randbytes(n * 64))
        idx(folder / "train-labels-idx1-ubyte", (n,), bytes(i % 4 for i in range(n)) if labels is None else labels)
        return folder

    def reject_data(self, source, *wanted, code=4):
        document = config()
        document["data"] = {"source": str(source)}
        err = self.reject(document, *wanted, code=code)
        self.assertEqual(err.count("error:"), 1, err)

    def test_lying_idx_files_are_named_with_the_offset(self):
        images = "train-images-idx3-ubyte"
        for name, break_it, wanted in (
                ("short", lambda f: idx(f / images, (100, 8, 8), bytes(99 * 64)), (images + ":@4", "promises")),
                ("long", lambda f: idx(f / images, (100, 8, 8), bytes(101 * 64)),
                 (images + ":@6416", "follow the end")),
                ("huge", lambda f: idx(f / images, (2**32 - 1, 2**32 - 1, 2**32 - 1), b""), ("overflow",)),
                ("foreign", lambda f: (f / images).write_bytes(b"hello" * 100), (images + ":@0", "no IDX file")),
                ("header", lambda f: (f / images).write_bytes(b"\0\0\x08"), ("want 1 byte more",)),
                ("folder", lambda f: ((f / images).unlink(), (f / images).mkdir()), ("not a regular file",)),
                ("counts", lambda f: idx(f / "train-labels-idx1-ubyte", (50,), bytes(50)),
                 ("50 labels for 100 images",)),
                ("none", lambda f: idx(f / images, (0, 8, 8), b""), ("0 samples",)),
                ("missing", lambda f: (f / "train-labels-idx1-ubyte").unlink(), ("train-labels-idx",))):
            with self.subTest(name):
                folder = self.images()
                break_it(folder)
                self.reject_data(folder, *wanted)

    def test_tables_are_named_with_row_and_column(self):
        rows = [f"{self.random.random():.3f},{i % 7},{'cat' if i % 2 else 'dog'}\n" for i in range(100)]
        head = "a,b,y\n"
        for name, text, wanted in (
                ("ragged", head + "".join(rows[:9]) + "1,2\n" + "".join(rows[9:]),
                 (":11: the row has 2 cells, want 3",)),
                ("one class", head + "".join(f"{i},1,cat\n" for i in range(50)), ('of class "cat"',)),
                ("no rows", head, ("0 samples",)),
                ("nothing", "", ("is empty: 0 samples",)),
                ("quote", head + rows[0] + '1,"2,dog\n' + rows[1], ("never closed",)),
                ("latin", (head + "1,2,caf\xe9\n" * 50).encode("latin-1"), ("not UTF-8", "iconv")),
                ("missing target", head + rows[0] + "1,2,\n" + "".join(rows), ('is a missing value',)),
                ("infinite", head + "inf,2,dog\n" + "".join(rows), ("infinite number",)),
                ("names", "a,a,y\n" + "".join(rows), ('two columns are called "a"',)),
                ("binary", self.random.randbytes(4000), ("no known format",))):
            with self.subTest(name):
                path = self.folder / "table.csv"
                path.write_bytes(text if isinstance(text, bytes) else text.encode())
                self.reject_data(path, *wanted)
        squeezed = gzip.compress((head + "".join(rows)).encode())
        path = self.folder / "table.csv.gz"
        path.write_bytes(squeezed[:-60])
        self.reject_data(path, "cut off", "table.csv.gz:@")

    def test_what_is_no_data_is_refused(self):
        (self.folder / "damaged.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + self.random.randbytes(3000))
        self.reject_data(self.folder / "damaged.h5", "damaged")
        os.mkfifo(self.folder / "fifo.csv")
        self.reject_data(self.folder / "fifo.csv", "not a regular file")
        self.reject_data("/dev/zero", "not a regular file")
        self.reject_data("fashion-mnits", 'did you mean "fashion-mnist"', "config.json:", code=1)
        self.reject_data("nowhere.csv", "no file, folder or named set", code=1)

    def test_a_lonely_label_is_told(self):
        document = config(train={"duration": "1 epoch", "global_batch_size": 16})
        document["data"] = {"source": str(self.images(labels=bytes(255 if i == 57 else i % 4 for i in range(100))))}
        (self.folder / "config.json").write_text(json.dumps(document))
        _, err = self.run_it("train", "config.json")
        self.assertIn('"255"', err)

    def test_a_run_goes_on_with_its_own_data_only(self):
        table = self.folder / "table.csv"
        rows = [f"{self.random.random():.3f},{i % 7},{'cat' if i % 2 else 'dog'}\n" for i in range(200)]
        words = (ROOT / "configs/tabular.json", "--set", "data.source=table.csv", "--set", "train.duration=2 epochs",
                 "--name", "mine")
        table.write_text("a,b,y\n" + "".join(rows))
        self.run_it("train", *words)
        table.write_text("a,b,y\n" + "".join(rows[1:]))
        _, err = self.run_it("train", *words, code=4)
        self.assertIn("--fresh", err)


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

    def test_journals_are_cut_or_refused_and_never_crash(self):
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

    def test_no_store_can_fail_a_training(self):
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

    def test_a_moved_folder_goes_on_where_it_is(self):
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
    def small_disk(self, size):
        target = self.folder / "disk"
        target.mkdir(exist_ok=True)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", target], capture_output=True)
        if mounted.returncode:
            self.skipTest("no tmpfs can be mounted here: " + mounted.stderr.decode().strip())
        self.addCleanup(subprocess.run, ["umount", target], capture_output=True)
        return target

    def test_a_full_disk_is_told_and_made_good_by_the_same_command(self):
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


class Streams(Case):
    def test_a_reader_who_leaves_stops_nothing(self):
        process = self.start("train", SYNTHETIC, *SHORT, "--json")
        process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)

    def test_results_that_cannot_be_written_are_an_error(self):
        for words in (("--help",), ("--version",), ("schema",), ("train", SYNTHETIC, *SHORT)):
            with open("/dev/full", "w") as full:
                process = subprocess.run([BINARY, *words], stdout=full, stderr=subprocess.PIPE, text=True,
                                         cwd=self.folder, env=self.env, timeout=60)
            self.assertEqual(process.returncode, 1, words)
            self.assertIn(os.strerror(errno.ENOSPC), process.stderr)

    def test_closed_streams_get_no_words_into_files(self):
        for fd in (0, 1, 2):
            folder = self.folder / str(fd)
            process = self.start("train", SYNTHETIC, *SHORT, "--dir", folder, preexec_fn=lambda fd=fd: os.close(fd))
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0)
            for path in folder.rglob("*"):
                if path.is_file() and path.suffix != ".html":
                    self.assertNotIn(b"  epoch     step", path.read_bytes(), path)
            self.run_it("eval", next((folder / "runs/synthetic").iterdir()))

    def test_a_config_may_come_from_stdin(self):
        with open(SYNTHETIC) as text:
            process = subprocess.run([BINARY, "train", "-", *SHORT], stdin=text, capture_output=True, cwd=self.folder,
                                     env=self.env, timeout=60)
        self.assertEqual(process.returncode, 0, process.stderr)

    def test_every_line_of_json_is_json(self):
        self.train(*SHORT, "--name", "mine")
        for words in (("info",), ("data", "info", "synthetic"), ("check", SYNTHETIC), ("runs", "ls"),
                      ("runs", "show", "mine"), ("eval", "mine"), ("train", SYNTHETIC, *SHORT, "--name", "other")):
            out, _ = self.run_it(*words, "--json")
            self.assertTrue(out.strip(), words)
            for line in out.splitlines():
                self.assertIsInstance(json.loads(line), dict, words)

    def test_regression_has_no_accuracy(self):
        table = "a,b,y\n" + "".join(f"{i},{i % 7},{i * 1.5 + 0.25}\n" for i in range(200))
        (self.folder / "table.csv").write_text(table)
        done = self.train("--set", "data.source=table.csv", "--set", "train.duration=2 epochs",
                          config=str(ROOT / "configs/tabular.json"))
        self.assertIn("test/mean_absolute_error", done)
        self.assertNotIn("test/accuracy", done)

    def in_terminal(self, *words, seconds=None, columns=100, **env):
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
            os.chdir(self.folder)
            clean = {k: v for k, v in self.env.items() if k not in ("COLUMNS", "NO_COLOR")}
            os.execve(BINARY, [BINARY, *words], {**clean, "TERM": "xterm", **env})
        seen, end, interrupt = b"", time.monotonic() + 60, seconds and time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([fd], [], [], 0.1)[0]:
                try:
                    seen += os.read(fd, 65536)
                except OSError:
                    break
            if interrupt and time.monotonic() > interrupt:
                os.write(fd, b"\x03")
                interrupt = None
        os.close(fd)
        return seen.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_a_terminal_gets_one_redrawn_line_and_files_none(self):
        for ranks in ((), ("-n", "2")):
            shown, code = self.in_terminal("train", SYNTHETIC, *LONG, *ranks, seconds=2.5, columns=60)
            self.assertEqual(code, 130, shown)
            drawn = re.findall(r"\r(\[[=> ]{20}\][^\r]*)\x1b\[K", shown)
            self.assertGreater(len(drawn), 3, shown)
            self.assertLessEqual(max(map(len, drawn)), 59)
            self.assertIn("\x1b[1m", shown)
            self.assertRegex(shown, r"stopped at step \d+ \(.+\); the same command continues")
        _, err = self.run_it("train", SYNTHETIC, *SHORT, "--name", "file")
        self.assertNotIn("\r", err)
        self.assertNotIn("\x1b", err)

    def test_colour_is_where_somebody_looks(self):
        shown, _ = self.in_terminal("train", SYNTHETIC, *SHORT, "--name", "plain", NO_COLOR="1")
        self.assertNotRegex(shown, r"\x1b\[\d+m")
        shown, _ = self.in_terminal("train", SYNTHETIC, "--set", "seed=-1")
        self.assertIn("\x1b[31merror:", shown)
        out, _ = self.run_it("runs", "ls", "--color", "always")
        self.assertIn("\x1b[", out)
        out, _ = self.run_it("runs", "ls")
        self.assertNotIn("\x1b", out)

    def test_words_of_files_cannot_command_the_terminal(self):
        rows = "".join(f"{self.random.random():.3f},{i},{'x<b>' if i % 2 else chr(27) + ']0;title' + chr(7)}\n"
                       for i in range(200))
        (self.folder / "table.csv").write_text("a,b,y\n" + rows)
        self.run_it("train", ROOT / "configs/tabular.json", "--set", "data.source=table.csv", "--name", "mine",
                    "--set", "train.duration=2 epochs")
        out, _ = self.run_it("eval", "mine", "--color", "always")
        self.assertNotIn("\x1b]", out)
        self.assertNotIn("\x07", out)
        self.assertNotIn("x<b>", (self.folder / "runs/tabular/mine/report.html").read_text())


class Launcher(Case):
    def started(self, name="mine"):
        process = self.start("train", SYNTHETIC, *LONG, "--set", "train.comm_deadline=3", "-n", "2", "--name", name,
                             start_new_session=True)
        steps = f"runs/synthetic/{name}/checkpoints/step_*.h5"
        self.wait_for(lambda: list(self.folder.glob(steps)), what="a checkpoint")
        return process, ranks_of(process.pid)

    def gone(self, pids, seconds=10):
        def alive():
            return [pid for pid in pids.values() if Path(f"/proc/{pid}").exists()]

        self.wait_for(lambda: not alive(), seconds, "no process left")

    def newest(self):
        return max(int(p.stem.split("_")[1]) for p in self.folder.rglob("step_*.h5"))

    def test_signals_to_parent_or_group_save_and_answer_with_their_code(self):
        for name, code, send in (("int", 130, lambda p: p.send_signal(signal.SIGINT)),
                                 ("group", 130, lambda p: os.killpg(p.pid, signal.SIGINT)),
                                 ("hup", 143, lambda p: p.send_signal(signal.SIGHUP))):
            process, pids = self.started(name)
            send(process)
            _, err = process.communicate(timeout=30)
            self.assertEqual(process.returncode, code, err)
            self.assertIn("the same command continues", err)
            self.gone(pids)

    def test_ranks_whose_parent_was_killed_save_and_leave(self):
        process, pids = self.started()
        process.kill()
        process.communicate(timeout=30)
        self.gone(pids)
        out, _ = self.run_it("runs", "ls", "--json")
        self.assertEqual(json.loads(out)["state"], "killed")

    def test_a_killed_rank_is_named_once(self):
        process, pids = self.started()
        os.kill(pids[1], signal.SIGKILL)
        _, err = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 8, err)
        self.assertEqual(err.count("rank 1 ("), 1, err)
        self.assertIn("the same command continues", err)
        self.gone(pids)

    def test_a_suspended_job_suspends_its_ranks_and_goes_on(self):
        process, pids = self.started()
        process.send_signal(signal.SIGTSTP)

        def stopped():
            return all(Path(f"/proc/{pid}/stat").read_text().split()[2] == "T" for pid in pids.values())

        self.wait_for(stopped, 10, "ranks are stopped")
        before = self.newest()
        time.sleep(4)  # longer than the deadline
        self.assertTrue(stopped())
        process.send_signal(signal.SIGCONT)
        self.wait_for(lambda: self.newest() > before + 50 or process.poll() is not None, 30, "training goes on")
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 143)


class Signals(Case):
    def test_a_hang_up_saves_and_nohup_ignores_it(self):
        process = self.start("train", SYNTHETIC, *LONG, "--name", "hup")
        self.wait_for_checkpoint(process)
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=30)
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
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 143)

    def test_before_there_is_anything_to_save_a_signal_ends_it_at_once(self):
        for which, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 75)):
            process = self.start("train", SYNTHETIC, "--set", "data.source=synthetic:4000000x1x28x28x10")
            time.sleep(0.15)
            process.send_signal(which)
            process.communicate(timeout=10)
            self.assertIn(process.returncode, (code, -which), "its own code, or the default before it listens")
            self.assertEqual(self.files(), [])

    def test_ctrl_c_twice_ends_without_a_crash(self):
        process = self.start("train", SYNTHETIC, *LONG)
        self.wait_for_checkpoint(process)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)

    def test_where_it_stopped_is_where_it_is_listed(self):
        process = self.start("train", SYNTHETIC, *LONG, "--name", "mine")
        self.wait_for_checkpoint(process)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        step = int(re.search(r"stopped at step (\d+) \(interrupted\)", err).group(1))
        out, _ = self.run_it("runs", "ls", "--json")
        self.assertEqual(json.loads(out)["step"], step)


class Runs(Case):
    def test_a_run_is_found_by_folder_name_and_id_on_any_number_of_ranks(self):
        self.train(*SHORT, "--name", "mine")
        run_id = json.loads(self.run_it("runs", "show", "mine", "--json")[0])["run_id"]
        want = json.loads(self.run_it("eval", "mine", "--json")[0])
        for words in (("runs/synthetic/mine",), (run_id[:6],), (run_id,), ("mine", "-n", "2")):
            self.assertEqual(json.loads(self.run_it("eval", *words, "--json")[0]), want, words)
        out, _ = self.run_it("eval", "mine", "--split", "train", "--json")
        self.assertEqual(json.loads(out)["samples"], 3686)

    def test_a_shown_run_has_its_params_and_last_points(self):
        done = self.train(*SHORT, "--name", "mine")
        shown = json.loads(self.run_it("runs", "show", "mine", "--json")[0])
        self.assertEqual(shown["params"]["optimizer.type"], "adamw")
        self.assertEqual(shown["metrics"]["test/loss"]["value"], done["test/loss"])
        self.assertIn("artifacts/report.html", shown["files"])

    def test_a_run_that_is_not_there_is_answered_with_near_ones(self):
        self.train(*SHORT)
        _, err = self.run_it("eval", "tiny", code=1)
        self.assertRegex(err, r"did you mean tiny-[0-9a-f]{12}\?")
        _, err = self.run_it("eval", "tiny", "--split", "half", code=1)
        _, err = self.run_it("runs", "show", code=2)
        self.assertEqual(len(err.splitlines()), 1)

    def test_ui_installs_the_mlflow_that_the_tests_pin(self):
        out, _ = self.run_it("ui", "--help")
        pins = (ROOT / "tests/interop/requirements.txt").read_text()
        self.assertIn(re.search(r"(?m)^mlflow==\S+", pins).group(), out)


if __name__ == "__main__":
    unittest.main()
