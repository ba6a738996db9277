"""Models that leave, read by those who will: test_models.py PROBE.

onnx checks them, onnxruntime computes with them, safetensors reads the tensors; what comes out is what our own forward
pass gives.
"""
import csv
import json
import math
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

from peers import Peers

with Peers():
    import numpy as np
    import onnx
    import onnxruntime
    import safetensors
    import safetensors.numpy

PROBE = None
TOLERANCE = 1e-5
HEAD = ["flatten", {"type": "linear", "out": 9}]
IMAGE = "synthetic:64x3x9x8x5"  # samples, channels, height, width, classes

# Every layer has to be in one of these; so has every loss (in "loss", or as what "auto" becomes).
CASES = {
    "linear": ["flatten", "linear"],
    "linear_without_bias": ["flatten", {"type": "linear", "bias": False}],
    "relu": [*HEAD, "relu", "linear"],
    "relu_alone": ["relu", "flatten", "linear"],
    "relu_last": ["flatten", "linear", "relu"],
    "gelu": [*HEAD, "gelu", "linear"],
    "silu": [*HEAD, "silu", "linear"],
    "tanh": [*HEAD, "tanh", "linear"],
    "tanh_alone": ["tanh", "flatten", "linear"],
    "sigmoid": [*HEAD, "sigmoid", "linear"],
    "sigmoid_alone": ["sigmoid", "flatten", "linear"],
    "conv2d": [{"type": "conv2d", "out": 6}, "relu", "flatten", "linear"],
    "conv2d_odd": [{"type": "conv2d", "out": 6, "kernel": 4, "stride": 3, "padding": 2}, *HEAD, "linear"],
    "conv2d_without_bias": [{"type": "conv2d", "out": 6, "bias": False}, "relu", *HEAD, "linear"],
    "conv2d_groups": [{"type": "conv2d", "out": 6, "groups": 3, "kernel": 5}, "tanh", "flatten", "linear"],
    "batch_norm": [{"type": "conv2d", "out": 6}, "batch_norm", "relu", "flatten", "linear"],
    "batch_norm_plain": [{"type": "conv2d", "out": 6}, {"type": "batch_norm", "epsilon": 0.01}, "flatten", "linear"],
    "batch_norm_features": [*HEAD, "batch_norm", "relu", "linear"],
    "max_pool": ["max_pool", "flatten", "linear"],
    "max_pool_odd": [{"type": "max_pool", "kernel": 3, "stride": 2, "padding": 1}, "flatten", "linear"],
    "avg_pool": ["avg_pool", "flatten", "linear"],
    "avg_pool_odd": [{"type": "avg_pool", "kernel": 4, "stride": 3, "padding": 3}, "flatten", "linear"],
    "global_avg_pool": [{"type": "conv2d", "out": 6}, "global_avg_pool", "linear"],
    "dropout": [*HEAD, {"type": "dropout", "rate": 0.5}, "linear"],
    "dropout_last": ["flatten", "linear", "dropout"],
}
LOSSES = {
    "cross_entropy": {"data": {"source": IMAGE}, "loss": {"type": "cross_entropy", "label_smoothing": 0.1}},
    "mse": {"data": {"source": "table.csv", "target": "weight", "task": "regression"}, "loss": "mse"},
    "auto": {"data": {"source": "table.csv", "target": "weight", "task": "regression"}},
}


def probe(*words, cwd, code=0):
    done = subprocess.run([PROBE, *map(str, words)], capture_output=True, text=True, cwd=cwd)
    if code is not None and done.returncode != code:
        raise AssertionError(f"{done.args}: {done.returncode}\n{done.stderr}")
    return done.stdout if code == 0 else done.stderr


def types(layers):
    return {layer if isinstance(layer, str) else layer["type"] for layer in layers}


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tiltyard-models-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.numbers = np.random.default_rng(5)

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, config, seed=1, external=0, opset=0):
        """A model of that config with random tensors, exported; answers the path of model.onnx."""
        with open(self.path("config.json"), "w") as file:
            json.dump(config, file)
        os.makedirs(self.path("model"), exist_ok=True)
        probe("make", "config.json", seed, "model.h5", cwd=self.folder)
        probe("export", "model.h5", "model", external, opset, cwd=self.folder)
        return self.path("model/model.onnx")

    def image(self, layers, **more):
        return {"data": {"source": IMAGE, **more}, "model": {"layers": layers}}

    def ours(self, x, outputs, model="model.h5"):
        """Our forward pass on encoded rows."""
        x.tofile(self.path("x"))
        probe("predict", model, len(x), "x", "y", cwd=self.folder)
        return np.fromfile(self.path("y"), np.float32).reshape(len(x), outputs)

    def assert_close(self, got, want, what):
        self.assertEqual(got.shape, want.shape, what)
        far = np.max(np.abs(got - want) / (1 + np.abs(want))) if got.size else 0
        self.assertLess(far, TOLERANCE, f"{what}: {far}")

    def assert_classes(self, path, x, encoded=None, outputs=5):
        want = self.ours(x if encoded is None else encoded, outputs)
        logits, probabilities = session(path).run(["logits", "probabilities"], {"x": x})
        self.assert_close(logits, want, "logits")
        power = np.exp(want - want.max(axis=1, keepdims=True))
        self.assert_close(probabilities, power / power.sum(axis=1, keepdims=True), "probabilities")

    def bytes_like(self, n):
        return self.numbers.integers(0, 256, (n, 3, 9, 8), dtype=np.uint8)


class Ops(Case):
    def test_every_layer_and_loss_has_a_case(self):
        tables = [line.split() for line in probe("tables", cwd=self.folder).splitlines()]
        layers = set().union(*map(types, CASES.values()))
        self.assertEqual({name for table, name in tables if table == "layer"} - layers, set())
        self.assertEqual({name for table, name in tables if table == "loss"} - set(LOSSES), set())

    def test_d39_what_onnxruntime_computes_is_what_we_compute(self):
        for seed, (name, layers) in enumerate(CASES.items()):
            with self.subTest(name):
                path = self.make(self.image(layers), seed)
                onnx.checker.check_model(path, full_check=True)
                for n in (1, 3, 17, 256):
                    self.assert_classes(path, self.bytes_like(n))

    def test_d39_every_layer_at_the_oldest_opset(self):
        for name, layers in CASES.items():
            with self.subTest(name):
                path = self.make(self.image(layers), opset=13)
                model = onnx.load(path)
                self.assertEqual((model.ir_version, model.opset_import[0].version), (7, 13))
                onnx.checker.check_model(path, full_check=True)
                self.assert_classes(path, self.bytes_like(5))

    def test_an_empty_batch_gives_an_empty_answer(self):
        path = self.make(self.image(CASES["conv2d"]))
        logits = session(path).run(["logits"], {"x": self.bytes_like(0)})[0]
        self.assertEqual(logits.shape, (0, 5))


class Inputs(Case):
    def test_normalisation_is_inside(self):
        for normalize in ("none", "standard", "unit"):
            with self.subTest(normalize):
                path = self.make(self.image(CASES["linear"], normalize=normalize))
                self.assert_classes(path, self.bytes_like(8))

    def write_table(self):
        """Numbers large and small, one that never varies, texts, missing cells, awkward names."""
        rng = random.Random(3)
        rows = []
        for i in range(60):
            rows.append({
                "time": 1.7e9 + i * 13.25, "size": "" if i % 7 == 3 else rng.gauss(5, 2), "same": 4,
                "island": "NA" if i % 11 == 5 else rng.choice(["Torgersen", "Biscoe", "Dream, \u00e9"]),
                "logits": rng.random(), "/x": rng.random(), "colour of it": rng.choice(["red", "green"]),
                "weight": rng.gauss(0, 1), "kind": rng.choice(["a", "b", "c"]),
            })
        with open(self.path("table.csv"), "w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)
        return rows

    def encoded(self):
        n = int(probe("rows", "config.json", "encoded", cwd=self.folder))
        return np.fromfile(self.path("encoded"), np.float32).reshape(n, -1)

    def table(self, target, features, **more):
        data = {"source": "table.csv", "target": target, "features": features, "val_fraction": 0, **more}
        return {"data": data, "model": {"layers": [{"type": "linear", "out": 6}, "tanh", "linear"]}}

    @staticmethod
    def numbers_of(rows, column):
        return np.array([math.nan if row[column] == "" else float(row[column]) for row in rows])

    def test_a_table_of_numbers_has_an_input_a_column(self):
        rows = self.write_table()
        columns = ["time", "size", "same", "weight"]
        for normalize in ("standard", "none"):
            with self.subTest(normalize):
                path = self.make(self.table("kind", ",".join(columns), normalize=normalize))
                onnx.checker.check_model(path, full_check=True)
                got = session(path).run(["logits"], {c: self.numbers_of(rows, c) for c in columns})[0]
                self.assert_close(got, self.ours(self.encoded(), 3), "logits")

    def test_numbers_without_names_or_of_many_columns_are_one_matrix(self):
        for header, n in ((False, 7), (True, 300)):
            with self.subTest(header=header, columns=n):
                x = np.round(self.numbers.normal(3, 2, (50, n)), 3)
                x[::7, 2] = np.nan
                with open(self.path("table.csv"), "w", newline="") as file:
                    lines = csv.writer(file)
                    if header:
                        lines.writerow([f"c{i}" for i in range(n)] + ["kind"])
                    lines.writerows([*("" if math.isnan(v) else repr(v) for v in row), "abc"[i % 3]]
                                    for i, row in enumerate(x.tolist()))
                config = self.table("kind", None)
                config["data"].update(target=None)
                path = self.make(config)
                onnx.checker.check_model(path, full_check=True)
                self.assert_classes(path, x, self.encoded(), outputs=3)

    def test_a_table_with_texts_has_an_input_a_column(self):
        rows = self.write_table()
        path = self.make(self.table("kind", "-weight"))
        onnx.checker.check_model(path, full_check=True)
        runner = session(path)
        named = {i.name: i for i in runner.get_inputs()}
        self.assertEqual(list(named), ["time", "size", "same", "island", "column_5", "column_6", "colour of it"])
        feed = {"column_5": self.numbers_of(rows, "logits"), "column_6": self.numbers_of(rows, "/x")}
        for name in ("time", "size", "same"):
            feed[name] = self.numbers_of(rows, name)
        for name in ("island", "colour of it"):
            feed[name] = np.array([row[name] for row in rows], dtype=object)
        want = self.ours(self.encoded(), 3)
        self.assert_close(runner.run(["logits"], feed)[0], want, "logits")

    def test_numbers_are_predicted_as_numbers(self):
        rows = self.write_table()
        for loss in ("mse", "auto"):
            config = self.table("weight", "size,island", task="regression")
            path = self.make({**config, **{k: v for k, v in LOSSES[loss].items() if k == "loss"}})
            feed = {"size": self.numbers_of(rows, "size"), "island": np.array([r["island"] for r in rows], object)}
            got = session(path).run(None, feed)
            self.assertEqual([o.name for o in session(path).get_outputs()], ["prediction"])
            self.assert_close(got[0], self.ours(self.encoded(), 1), "prediction")

    def test_an_example_can_be_computed(self):
        self.write_table()
        dtypes = {"tensor(double)": np.float64, "tensor(string)": object, "tensor(uint8)": np.uint8}
        for config in (self.table("kind", "-weight"), self.table("kind", "size,time"), self.image(CASES["conv2d"])):
            runner = session(self.make(config))
            example = json.loads(probe("example", "model.h5", cwd=self.folder))
            feed = {i.name: np.array(example[i.name], dtype=dtypes[i.type]) for i in runner.get_inputs()}
            self.assertEqual(len(example), len(feed))
            self.assertEqual(len(runner.run(["logits"], feed)[0]), 1)


class Files(Case):
    DEEP = [{"type": "conv2d", "out": 6}, "batch_norm", "relu", "max_pool", "flatten", {"type": "linear", "out": 33},
            "gelu", "linear"]

    def tensors(self, model):
        """As our own reader sees them: name -> (shape, bytes)."""
        lines = [line.split() for line in probe("tensors", model, cwd=self.folder).splitlines()]
        return {name: (tuple(map(int, shape.split(","))), bytes.fromhex(data)) for name, shape, data in lines}

    def assert_tensors(self, got, want):
        self.assertEqual(set(got), set(want))
        for name, array in got.items():
            self.assertEqual((array.dtype, array.shape, array.tobytes()), (np.float32, *want[name]), name)

    def test_the_file_says_what_it_is(self):
        model = onnx.load(self.make(self.image(self.DEEP)))
        self.assertEqual((model.ir_version, model.producer_name), (8, "tiltyard"))
        self.assertEqual([(o.domain, o.version) for o in model.opset_import], [("", 17)])
        said = {p.key: p.value for p in model.metadata_props}
        self.assertEqual((said["tiltyard.step"], said["tiltyard.version"]), ("7", "0.0-probe"))
        layers = [layer["type"] for layer in json.loads(said["tiltyard.config"])["model"]["layers"]]
        self.assertEqual(layers[:3], ["conv2d", "batch_norm", "relu"])
        self.assertEqual(json.loads(said["tiltyard.data_state"])["x"]["shape"], [3, 9, 8])
        known = {v.name for v in [*model.graph.value_info, *model.graph.output]}
        self.assertEqual({y for node in model.graph.node for y in node.output} - known, set())

    def test_safetensors_has_the_same_tensors(self):
        path = self.make(self.image(self.DEEP))
        want = self.tensors("model.h5")
        file = self.path("model/model.safetensors")
        self.assert_tensors(safetensors.numpy.load_file(file), want)
        with safetensors.safe_open(file, "np") as opened:
            self.assertEqual(opened.metadata()["tiltyard.step"], "7")
        initializers = {t.name: onnx.numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}
        self.assert_tensors(initializers, want)

    def test_d40_large_tensors_lie_beside(self):
        path = self.make(self.image(self.DEEP), external=100)
        self.assertTrue(os.path.exists(path + ".data"))
        onnx.checker.check_model(path, full_check=True)
        self.assert_classes(path, self.bytes_like(7))
        self.assertEqual(self.tensors("model/model.onnx"), self.tensors("model.h5"))
        for tensor in onnx.load(path, load_external_data=False).graph.initializer:
            self.assertEqual(int({e.key: e.value for e in tensor.external_data}["offset"]) % 4096, 0)
        self.make(self.image(self.DEEP))
        self.assertFalse(os.path.exists(path + ".data"))

    def test_what_we_wrote_we_read_bit_for_bit(self):
        path = self.make(self.image(self.DEEP))
        self.assertEqual(self.tensors("model/model.onnx"), self.tensors("model.h5"))
        x = self.bytes_like(5)
        self.assertEqual(self.ours(x, 5).tobytes(), self.ours(x, 5, "model/model.onnx").tobytes())
        os.makedirs(self.path("again"))
        probe("export", "model/model.onnx", "again", 0, 0, cwd=self.folder)
        for name in ("model.onnx", "model.safetensors"):
            with open(self.path(f"model/{name}"), "rb") as a, open(self.path(f"again/{name}"), "rb") as b:
                self.assertEqual(a.read(), b.read(), name)
        onnx.save(onnx.load(path), self.path("stored.onnx"))
        self.assertEqual(self.tensors("stored.onnx"), self.tensors("model.h5"))

    def test_what_others_wrote_or_changed_is_refused(self):
        model = onnx.load(self.make(self.image(self.DEEP)))
        del model.metadata_props[:]
        onnx.save(model, self.path("foreign.onnx"))
        said = probe("tensors", "foreign.onnx", cwd=self.folder, code=4)
        self.assertIn("was not written by tiltyard", said)
        self.assertEqual(said.count("\n"), 1)
        with open(self.path("model/model.onnx"), "rb") as file:
            good = bytearray(file.read())
        at = good.index(bytes.fromhex(probe("tensors", "model.h5", cwd=self.folder).split()[2]))
        good[at] ^= 1
        with open(self.path("changed.onnx"), "wb") as file:
            file.write(good)
        self.assertIn("another hash", probe("tensors", "changed.onnx", cwd=self.folder, code=6))


if __name__ == "__main__":
    PROBE = os.path.abspath(sys.argv.pop(1))
    unittest.main()
