"""Predictions against their peers: test_predict.py TILTYARD.

onnxruntime computes from a run's exported model.onnx what `tiltyard predict` says of the same samples, for images and
for a table with texts and missing cells; h5py reads the HDF5 that predict writes.
"""
import csv
import json
import math
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

from peers import Peers

with Peers():
    import numpy as np
    import onnxruntime

BINARY = None
TOLERANCE = 1e-5
DEBIAN = "/usr/bin/python3"  # whose h5py is Debian's


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tiltyard-predict-")
        self.addCleanup(shutil.rmtree, self.folder)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def tiltyard(self, *words):
        environ = {**os.environ, "HOME": self.folder}
        done = subprocess.run([BINARY, *words], capture_output=True, text=True, cwd=self.folder, env=environ)
        self.assertEqual(done.returncode, 0, f"{words}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def train(self, data, layers):
        config = {"name": "r", "data": data, "model": {"layers": layers},
                  "train": {"duration": "30 steps", "global_batch_size": 32, "threads": 2}}
        with open(self.path("config.json"), "w") as out:
            json.dump(config, out)
        self.tiltyard("train", "config.json", "--name", "r")

    def session(self):
        models = os.path.join(next(os.path.join(at, "models") for at, folders, _ in os.walk(self.path("runs"))
                                   if "models" in folders))
        return onnxruntime.InferenceSession(os.path.join(models, os.listdir(models)[0], "model.onnx"))

    def said(self, source):
        """Logits and probabilities that predict says, [samples, classes]."""
        rows = [json.loads(line) for line in self.tiltyard("predict", "r", "-i", source, "--format", "jsonl",
                                                           "--logits", "--probabilities", "-q").splitlines()]
        return ([row["prediction"] for row in rows],
                *(np.array([list(row[key].values()) for row in rows]) for key in ("logits", "probabilities")))

    def assert_equal_to_1e_5(self, got, want):
        self.assertEqual(got.shape, want.shape)
        off = np.max(np.abs(got - want) / np.maximum(1, np.abs(want)))
        self.assertLess(off, TOLERANCE, f"off by {off}")


class Peers(Case):
    def test_images(self):
        draw = random.Random(1)
        labels = bytes(draw.randrange(4) for _ in range(300))
        pixels = b"".join(bytes(min(255, label * 50 + draw.randrange(90)) for _ in range(100)) for label in labels)
        os.mkdir(self.path("set"))
        for name, dims, data in (("images-idx3", (300, 10, 10), pixels), ("labels-idx1", (300,), labels)):
            with open(self.path("set", f"train-{name}-ubyte"), "wb") as out:
                out.write(struct.pack(">HBB", 0, 8, len(dims)) + struct.pack(f">{len(dims)}I", *dims) + data)
        self.train({"source": "set", "val_fraction": 0.2},
                   [{"type": "conv2d", "out": 8, "kernel": 3, "padding": 1, "bias": False}, "batch_norm", "relu",
                    "max_pool", "flatten", {"type": "dropout", "rate": 0.2}, {"type": "linear", "out": 16}, "gelu",
                    "linear"])
        predictions, logits, probabilities = self.said(self.path("set", "train-images-idx3-ubyte"))
        x = np.frombuffer(pixels, np.uint8).reshape(300, 1, 10, 10)
        want = self.session().run(["logits", "probabilities"], {"x": x})
        self.assert_equal_to_1e_5(logits, want[0])
        self.assert_equal_to_1e_5(probabilities, want[1])
        self.assertEqual([int(p) for p in predictions], list(np.argmax(want[0], axis=1)))
        self.check_hdf5(logits)

    def check_hdf5(self, logits):
        if subprocess.run([DEBIAN, "-c", "import h5py"], capture_output=True).returncode != 0:
            self.skipTest("no h5py; want Debian's python3-h5py")
        self.tiltyard("predict", "r", "-i", "set/train-images-idx3-ubyte", "-o", "out.h5", "--logits")
        program = ("import h5py, json; f = h5py.File('out.h5'); print(json.dumps([sorted(f), f['classes'].asstr()[:]"
                   ".tolist(), f['index'][-1].item(), f['prediction'][:].tolist(), f['logits'][:].tolist()]))")
        done = subprocess.run([DEBIAN, "-c", program], capture_output=True, text=True, cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        names, classes, last, predicted, got = json.loads(done.stdout)
        self.assertEqual(names, ["classes", "index", "logits", "prediction"])
        self.assertEqual((classes, last), (["0", "1", "2", "3"], 299))
        np.testing.assert_array_equal(np.array(got, np.float32), logits.astype(np.float32))
        self.assertEqual(predicted, list(np.argmax(logits, axis=1)))

    def test_a_table(self):
        draw = random.Random(2)
        with open(self.path("t.csv"), "w") as out:
            out.write("size,colour,weight,kind\n")
            for i in range(400):
                colour, size = draw.choice(["red", "green", "blue"]), draw.uniform(0, 10)
                weight = "" if i % 4 == 0 else f"{draw.gauss(50, 9):.3f}"
                out.write(f"{size:.4f},{'' if i % 9 == 0 else colour},{weight},{'cat' if size > 5 else 'dog'}\n")
        self.train({"source": "t.csv", "val_fraction": 0.2}, [{"type": "linear", "out": 12}, "tanh", "linear"])
        _, logits, probabilities = self.said("t.csv")
        with open(self.path("t.csv")) as file:
            rows = list(csv.DictReader(file))
        session = self.session()
        inputs = {}
        for value in session.get_inputs():
            cells = [row[value.name] for row in rows]
            inputs[value.name] = (np.array(cells, object) if "string" in value.type else
                                  np.array([float(cell) if cell else math.nan for cell in cells]))
        want = session.run(["logits", "probabilities"], inputs)
        self.assert_equal_to_1e_5(logits, want[0])
        self.assert_equal_to_1e_5(probabilities, want[1])


if __name__ == "__main__":
    BINARY = os.path.abspath(sys.argv.pop(1))
    unittest.main()
