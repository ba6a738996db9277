"""What is wrong in configs, options and data: refused with its place and the remedy, and nothing left behind."""
import gzip
import struct

from harness import *

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
                ("top k", config(eval={"top_k": 5}), ("eval.top_k is 5, but the data have 4 classes",)),
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


if __name__ == "__main__":
    unittest.main()
