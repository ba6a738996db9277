"""What a model says of new files: all formats in and out, as evaluation had it, whole or not at all, continued."""
import csv
import gzip
import math
import random
import struct

from harness import *

COLOURS = ("red", "green", "blue")


def table(path, rows, seed, header="size,colour,weight,kind"):
    """Rows of a table whose kind can be learned; every third weight is missing."""
    draw = random.Random(seed)
    with open(path, "w") as out:
        out.write(header + "\n" if header else "")
        for i in range(rows):
            size, colour, weight = draw.uniform(0, 10), draw.choice(COLOURS), draw.gauss(0, 1)
            kind = "cat" if size + 3 * (colour == "red") + weight > 6 else "dog"
            out.write(f"{size:.4f},{colour},{'' if i % 3 == 0 else f'{weight:.4f}'},{kind}\n")



def idx(path, dims, data, kind=8):
    path.write_bytes(struct.pack(">HBB", 0, kind, len(dims)) + b"".join(struct.pack(">I", d) for d in dims) + data)


class Predict(Case):
    def train_table(self, *words, rows=600):
        table(self.folder / "train.csv", rows, 1)
        table(self.folder / "test.csv", 333, 2)
        config = {"experiment": "e", "data": {"source": "train.csv", "test_source": "test.csv", "val_fraction": 0.2},
                  "model": {"layers": [{"type": "linear", "out": 16}, "relu", "batch_norm", "linear"]},
                  "train": {"duration": "3 epochs", "global_batch_size": 32}}
        (self.folder / "config.json").write_text(json.dumps(config))
        return self.train("--name", "m", *words, config="config.json")

    def train_images(self):
        """8x8 images of bytes, four classes; the test part is what is predicted."""
        folder = self.folder / "set"
        folder.mkdir()
        for part, n in (("train", 256), ("t10k", 100)):
            labels = bytes(i * 7 % 4 for i in range(n))
            pixels = b"".join(bytes((label * 60 + self.random.randrange(40)) for _ in range(64)) for label in labels)
            idx(folder / f"{part}-images-idx3-ubyte", (n, 8, 8), pixels)
            idx(folder / f"{part}-labels-idx1-ubyte", (n,), labels)
        config = {"data": {"source": "set", "val_fraction": 0.2},
                  "train": {"duration": "2 epochs", "global_batch_size": 32},
                  "model": {"layers": [{"type": "conv2d", "out": 4}, "relu", "max_pool", "flatten", "linear"]}}
        (self.folder / "images.json").write_text(json.dumps(config))
        self.train("--name", "i", config="images.json")
        return folder / "t10k-images-idx3-ubyte"

    def predict(self, *words, **options):
        return self.run_it("predict", *words, **options)

    def rows(self, name):
        with open(self.folder / name, newline="") as file:
            return list(csv.DictReader(file))

    def read(self, name):
        return (self.folder / name).read_bytes()

    def assert_only(self, *names):
        """No temporaries are left, and nothing else has been made."""
        found = [f for f in self.files() if not f.startswith(("runs", "mlflow.db", "set"))]
        self.assertEqual(sorted(names), found)


class Results(Predict):
    def test_csv_json_lines_and_hdf5_say_the_same(self):
        self.train_table()
        for name in ("out.csv", "out.jsonl", "out.h5"):
            self.predict("m", "--input", "test.csv", "--output", name, "--probabilities", "--logits")
        rows = self.rows("out.csv")
        lines = [json.loads(line) for line in self.read("out.jsonl").splitlines()]
        self.assertEqual(len(rows), 333)
        self.assertEqual([row["prediction"] for row in rows], [line["prediction"] for line in lines])
        for i, (row, line) in enumerate(zip(rows, lines)):
            self.assertEqual((int(row["index"]), line["index"]), (i, i))
            self.assertEqual(line["probabilities"], {k: float(row["probability_" + k]) for k in ("cat", "dog")})
            self.assertEqual(line["logits"], {k: float(row["logit_" + k]) for k in ("cat", "dog")})
            best = max(line["logits"], key=line["logits"].get)
            self.assertEqual(best, row["prediction"])
            e = {k: math.exp(v) for k, v in line["logits"].items()}
            for k in e:
                self.assertAlmostEqual(e[k] / sum(e.values()), line["probabilities"][k], places=6)
        self.assertEqual(self.array("out.h5", "prediction"), [("cat", "dog").index(r["prediction"]) for r in rows])
        logits = [float(row["logit_" + k]) for row in rows for k in ("cat", "dog")]
        for got, want in zip(self.array("out.h5", "logits", float), logits):
            self.assertAlmostEqual(got, want, delta=1e-5 * abs(want) + 1e-6)

    def array(self, name, path, kind=int):
        out = subprocess.run(["h5dump", "-y", "-w", "1", "-m", "%.9g", "-d", path, str(self.folder / name)],
                             capture_output=True, text=True, check=True).stdout
        return [kind(v) for v in re.findall(r"[-+.\de]+", out.split("DATA {")[1])]

    def test_predictions_are_what_eval_counted(self):
        self.train_table()
        out, _ = self.run_it("eval", "m", "--json")
        evaluated = json.loads(out)
        self.predict("m", "-i", "test.csv", "-o", "out.csv", "--probabilities", "--keep", "kind")
        rows = self.rows("out.csv")
        self.assertEqual(evaluated["samples"], len(rows))
        hits = sum(row["kind"] == row["prediction"] for row in rows)
        self.assertEqual(hits / len(rows), evaluated["accuracy"])
        loss = sum(-math.log(float(row["probability_" + row["kind"]])) for row in rows) / len(rows)
        self.assertAlmostEqual(loss, evaluated["loss"], places=5)

    def test_threads_batch_sizes_and_ranks_change_no_byte(self):
        self.train_table()
        for name in "abc":
            table(self.folder / f"{name}.csv", 700, name)
        inputs = ("--input", "a.csv", "b.csv", "c.csv", "--probabilities")
        self.predict("m", *inputs, "--output", "one", "--set", "train.threads=1")
        for name, words, options in (("threads", ("--set", "train.threads=3"), {}),
                                     ("batch", ("--batch-size", "33", "--set", "train.threads=2"), {}),
                                     ("two", (), {"ranks": 2}), ("four", (), {"ranks": 4}), ("own", ("-n", "2"), {})):
            with self.subTest(name):
                self.predict("m", *inputs, "--output", name, *words, **options)
                for file in ("a.csv", "b.csv", "c.csv"):
                    self.assertEqual(self.read(f"one/{file}"), self.read(f"{name}/{file}"))

    def test_every_name_of_a_model_is_the_same_model(self):
        done = self.train_table()
        run = self.folder / done["run"] if "run" in done else self.folder / "runs/e/m"
        best = next(iter(run.glob("artifacts/checkpoints/best.h5")))
        shutil.copy(best, self.folder / "copy.h5")
        out, _ = self.run_it("runs", "show", "m", "--json")
        run_id = json.loads(out)["run_id"]
        first, _ = self.predict("m", "-i", "test.csv")
        shutil.move(self.folder / "train.csv", self.folder / "elsewhere.csv")
        package = next(iter(run.glob("models/m-*")))
        self.run_it("models", "register", "m", "--name", "flow", "--alias", "champion")
        for model in (run, "runs/e/m", run_id, run_id[:8], best, "copy.h5", package, package / "model.onnx",
                      "models:/flow/1", "models:/flow@champion", "models:/" + package.name):
            with self.subTest(model):
                out, _ = self.predict(model, "-i", "test.csv")
                self.assertEqual(first, out)

    def test_eval_takes_a_model_by_every_name_too(self):
        self.train_table()
        best = self.folder / "runs/e/m/artifacts/checkpoints/best.h5"
        package = next(iter(self.folder.glob("runs/e/m/models/m-*")))
        want, _ = self.run_it("eval", "m", "--json")
        for model, options in ((best, {}), (package, {}), (package / "model.onnx", {"ranks": 2})):
            with self.subTest(model):
                out, _ = self.run_it("eval", model, "--json", **options)
                self.assertEqual(want, out)
        _, err = self.run_it("eval", best, "--last", code=2)
        self.assertIn("is no run", err)
        table(self.folder / "train.csv", 600, 7)
        _, err = self.run_it("eval", best, code=4)
        self.assertIn("is not what the checkpoint was trained on", err)

    def test_images_come_as_idx_hdf5_or_csv(self):
        images = self.train_images()
        with open(images, "rb") as file, gzip.open(self.folder / "images.gz", "wb") as out:
            pixels = file.read()
            out.write(pixels)
            pixels = pixels[16:]
        (self.folder / "raw").write_bytes(pixels)
        (self.folder / "how").write_text("PATH images\nINPUT-CLASS UIN\nINPUT-SIZE 8\nRANK 3\n"
                                         "DIMENSION-SIZES 100 8 8\nOUTPUT-CLASS UIN\nOUTPUT-SIZE 8\n")
        subprocess.run(["h5import", "raw", "-c", "how", "-o", "images.h5"], cwd=self.folder, check=True)
        with open(self.folder / "images.csv", "w") as out:
            for i in range(100):
                out.write(",".join(map(str, pixels[64 * i:64 * i + 64])) + "\n")
        self.predict("i", "-i", images, "-o", "want.csv", "--logits")
        for name in ("images.gz", "images.h5", "images.csv"):
            with self.subTest(name):
                self.predict("i", "-i", name, "-o", "got.csv", "--logits")
                self.assertEqual(self.read("want.csv"), self.read("got.csv"))
        out, _ = self.run_it("eval", "i", "--json")
        labels = (self.folder / "set/t10k-labels-idx1-ubyte").read_bytes()[8:]
        hits = sum(int(row["prediction"]) == label for row, label in zip(self.rows("want.csv"), labels))
        self.assertEqual(hits / 100, json.loads(out)["accuracy"])

    def test_numbers_come_in_the_targets_own_units(self):
        with open(self.folder / "n.csv", "w") as out:
            out.write("x,price\n")
            for i in range(512):
                out.write(f"{i / 50},{1000 + 300 * (i / 50)}\n")
        (self.folder / "n.json").write_text(json.dumps(
            {"data": {"source": "n.csv", "val_fraction": 0.1, "task": "regression"}, "model": {"layers": ["linear"]},
             "optimizer": {"type": "sgd", "learning_rate": 0.1},
             "train": {"duration": "60 epochs", "global_batch_size": 64}}))
        self.train("--name", "n", config="n.json")
        self.predict("n", "-i", "n.csv", "-o", "out.csv", "--keep", "price")
        for row in self.rows("out.csv"):
            self.assertAlmostEqual(float(row["prediction"]), float(row["price"]), delta=60)
        _, err = self.predict("n", "-i", "n.csv", "--logits", code=2)
        self.assertIn("the model predicts numbers", err)

    def test_a_pipe_in_and_a_pipe_out(self):
        self.train_table()
        self.predict("m", "-i", "test.csv", "-o", "out.csv")
        with open(self.folder / "test.csv", encoding="utf-8") as file:
            out, err = self.predict("m", "--input", "-", stdin=file)
        self.assertEqual(self.read("out.csv").decode(), out)
        self.assertRegex(err, r"samples/s")
        command = f"cat test.csv | {BINARY} predict m -i - --format jsonl -q | head -2"
        done = subprocess.run(["bash", "-o", "pipefail", "-c", command], cwd=self.folder, env=self.env,
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([json.loads(line)["index"] for line in done.stdout.splitlines()], [0, 1])
        self.assert_only(".out.csv.origin", "config.json", "out.csv", "test.csv", "train.csv")

    def test_columns_are_kept_and_others_ignored(self):
        self.train_table()
        (self.folder / "new.csv").write_text('id,weight,colour,size\n"a, ""b""",1,red,2\nc,,blue,9\n')
        out, _ = self.predict("m", "-i", "new.csv", "--keep", "id", "--keep", "2")
        self.assertEqual([row[:3] for row in csv.reader(out.splitlines())],
                         [["index", "id", "2"], ["0", 'a, "b"', "1"], ["1", "c", ""]])
        out, _ = self.predict("m", "-i", "new.csv", "--keep", "id", "--format", "jsonl")
        self.assertEqual(json.loads(out.splitlines()[0])["id"], 'a, "b"')


class Refusals(Predict):
    def refuse(self, *words, says=(), code=4, model="m"):
        before = self.files()
        out, err = self.predict(model, *words, code=code)
        for part in says:
            self.assertIn(part, err)
        self.assertEqual(err.count("error:"), 1, err)
        self.assertEqual(out, "")
        self.assertEqual(self.files(), before, "what is refused must leave nothing behind")

    def test_files_that_are_not_like_the_trainings(self):
        self.train_table()
        idx(self.folder / "image", (2, 8, 8), bytes(128))
        for text, *says in (("size,colour,weight\n1,red,2\n1,mauve,2\n", "x.csv:3:2", '"mauve"', '"colour"'),
                            ("size,weight\n1,2\n", "x.csv:1", 'no column "colour"'),
                            ("size,colour,weight\nbig,red,2\n", "x.csv:2:1", '"big"'),
                            ("size,colour,weight\n", "0 samples"), ("", "empty")):
            with self.subTest(text):
                (self.folder / "x.csv").write_text(text)
                self.refuse("-i", "x.csv", "-o", "out.csv", says=says)
        self.refuse("-i", "image", "-o", "out.csv", says=("want CSV",))
        self.refuse("-i", "nowhere.csv", "-o", "out.csv", says=("nowhere.csv",), code=1)
        out, _ = self.predict("m", "-i", "-", "--allow-unknown", "-q",
                              stdin=self.pipe("size,colour,weight\n1,mauve,2\n"))
        self.assertEqual(len(out.splitlines()), 2)

    def pipe(self, text):
        reader, writer = os.pipe()
        os.write(writer, text.encode())
        os.close(writer)
        self.addCleanup(os.close, reader)
        return reader

    def test_images_of_another_shape(self):
        self.train_images()
        idx(self.folder / "small", (2, 4, 4), bytes(32))
        self.refuse("-i", "small", "-o", "out.csv", model="i",
                    says=("wants samples u8 [1,8,8], the file has u8 [1,4,4]",))

    def test_models_that_are_none(self):
        self.train_table()
        best = self.folder / "runs/e/m/artifacts/checkpoints/best.h5"
        data = bytearray(best.read_bytes())
        data[len(data) // 2] ^= 1
        (self.folder / "broken.h5").write_bytes(data)
        self.refuse("-i", "test.csv", model="broken.h5", code=6, says=("broken.h5",))
        self.refuse("-i", "test.csv", model="nobody", code=1, says=("nobody",))
        self.refuse("-i", "test.csv", "--set", "model.layers.0.out=8", code=2, says=("--set changes",))

    def test_options_that_do_not_go_together(self):
        self.train_table()
        shutil.copy(self.folder / "test.csv", self.folder / "b.csv")
        (self.folder / "d").mkdir()
        shutil.copy(self.folder / "test.csv", self.folder / "d")
        for words, says in (((), "--input is missing"),
                            (("-i", "test.csv", "b.csv"), "--output has to name a folder"),
                            (("-i", "test.csv", "b.csv", "-o", "o.csv"), "want a folder"),
                            (("-i", "test.csv", "d/test.csv", "-o", "o/"), "would both become"),
                            (("-i", "test.csv", "-o", "test.csv"), "overwrite its own input"),
                            (("-i", "d", "-o", "d"), "is the folder of the inputs"),
                            (("-i", "test.csv", "-o", "o.xyz"), "ends in none of"),
                            (("-i", "test.csv", "--format", "xml"), "want csv, jsonl or hdf5"),
                            (("-i", "test.csv", "--format", "hdf5"), "standard output"),
                            (("-i", "test.csv", "--json"), "without --output"),
                            (("-i", "test.csv", "--keep", "nothing"), 'no column "nothing"'),
                            (("-i", "test.csv", "--keep", "kind", "-o", "o.h5"), "not in HDF5")):
            with self.subTest(words):
                self.refuse(*words, says=(says,), code=2)


class Shards(Predict):
    def make_shards(self, n, rows):
        (self.folder / "in").mkdir()
        for i in range(n):
            table(self.folder / f"in/part-{i:03}.csv", rows, i)

    def report(self, *words, **options):
        out, _ = self.predict("m", "-i", "in", "-o", "out", "--json", *words, **options)
        report = json.loads(out)
        return report["written"], report["found"]

    def test_what_is_done_is_left_and_what_changed_is_made_again(self):
        self.train_table()
        self.make_shards(4, 50)
        self.assertEqual(self.report(), (4, 0))
        first = {path.name: path.read_bytes() for path in (self.folder / "out").glob("*.csv")}
        self.assertEqual(len(first), 4)
        self.assertEqual(self.report(), (0, 4))
        table(self.folder / "in/part-001.csv", 51, 99)
        self.assertEqual(self.report(), (1, 3))
        (self.folder / "out/part-002.csv").write_text("cut off")
        self.assertEqual(self.report(), (1, 3))
        (self.folder / "out/part-003.csv").unlink()
        self.assertEqual(self.report(ranks=2), (1, 3))
        self.assertEqual(self.report("--probabilities"), (4, 0))
        self.assertEqual(self.report(), (4, 0))
        shutil.rmtree(self.folder / "runs/e/m")
        self.train_table("--set", "seed=5")
        self.assertEqual(self.report(), (4, 0))

    def test_a_file_that_is_wrong_stops_the_job_and_the_rest_stays(self):
        self.train_table()
        self.make_shards(3, 50)
        good = self.read("in/part-001.csv")
        (self.folder / "in/part-001.csv").write_text("size,colour,weight\n1,mauve,2\n")
        _, err = self.predict("m", "-i", "in", "-o", "out", code=4)
        self.assertIn("in/part-001.csv:2:2", err)
        self.assertEqual(sorted(path.name for path in (self.folder / "out").iterdir()),
                         [".part-000.csv.origin", "part-000.csv"])
        (self.folder / "in/part-001.csv").write_bytes(good)
        self.assertEqual(self.report(), (2, 1))

    def stop(self, which, ranks=0):
        """Sends a signal once the first output is there; what process and folder say then."""
        process = self.start("predict", "m", "-i", "in", "-o", "out", *(("-n", str(ranks)) if ranks else ()))
        self.wait_for(lambda: list((self.folder / "out").glob("*.csv")) or process.poll() is not None, what="an output")
        process.send_signal(which)
        out, err = process.communicate(timeout=120)
        return process.returncode, err

    def whole(self):
        return {path.name: path.read_bytes() for path in (self.folder / "out").glob("*.csv")}

    def test_a_job_that_is_stopped_or_killed_goes_on(self):
        self.train_table()
        self.make_shards(150, 1500)
        self.predict("m", "-i", "in", "-o", "want")
        want = {path.name: path.read_bytes() for path in (self.folder / "want").glob("*.csv")}
        for which, code, ranks in ((signal.SIGTERM, 143, 0), (signal.SIGINT, 130, 0), (signal.SIGUSR1, 75, 0),
                                   (signal.SIGKILL, -9, 0), (signal.SIGTERM, 143, 2)):
            with self.subTest(which=which, ranks=ranks):
                shutil.rmtree(self.folder / "out", ignore_errors=True)
                got, err = self.stop(which, ranks)
                self.assertEqual(got, code, err)
                done = self.whole()
                self.assertTrue(0 < len(done) < 150, len(done))
                for name, content in done.items():
                    self.assertEqual(content, want[name])
                if which != signal.SIGKILL:
                    self.assertIn("the same command goes on", err)
                    self.assertFalse([f for f in self.files() if ".tmp-" in f])
                written, found = self.report()
                self.assertEqual(written + found, 150)
                self.assertIn(len(done) - found, (0, 1, 2), "whole files are left, but for one without its origin")
                self.assertEqual(self.whole(), want)
                self.assertFalse([f for f in self.files() if ".tmp-" in f])


if __name__ == "__main__":
    unittest.main()
