"""Documents in YAML against ruamel.yaml, a reader of YAML 1.2 of its own: test_yaml.py DOC_PROBE"""
import json
import os
import random
import subprocess
import sys
import tempfile
import unittest
import warnings
from pathlib import Path

from peers import Peers

with Peers():
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

PROBE = sys.argv.pop(1)
SEED = int(os.environ.get("TILTYARD_TEST_SEED", 1))
N = 2000

# Values as people write them, and some that only look like something else. Left out are those where ruamel.yaml keeps
# to YAML 1.1: 1_000, 0b1, dates, the values = and <<, and "! 6", which is the string "6".
WORDS = ["a", "lr", "x-y", "x_1", "yes", "no", "on", "1e-4", "1E5", ".5", "-0.25", "007", "0x1F", "0o17", "~", "null",
         "True", "FALSE", "+3", "1.", "-1", "4 epochs", "5%", "two words", "a:b", "a#b", "http://h:1/x", "é", "x ?",
         '"q \\n \\u00e9"', "'it''s'", '""', "''", '"\\x41"', "!!str 5", '!!int "7"', "\\x", "inf", "1e", "--", "..."]
# What is a slip in some places, or everywhere.
ODD = ["[", "a,b", "{x", "*", "&", "- not", "? x", "%a", "@", "`", ": x", "x:", "# c", "|x", "---"]


class Writer:
    """Random documents: block and flow, comments, anchors, aliases, merge keys."""

    def __init__(self, rng):
        self.rng = rng
        self.anchors = []

    def value(self, depth):
        r = self.rng.random()
        if self.anchors and r < 0.08:
            return "alias", self.rng.choice(self.anchors)
        name = f"n{len(self.anchors)}" if r > 0.9 else None
        if depth == 0 or r < 0.5:
            made = "scalar", self.rng.choice(ODD if self.rng.random() < 0.03 else WORDS)
        elif r < 0.7:
            made = "list", [self.value(depth - 1) for _ in range(self.rng.randrange(4))]
        else:
            made = "object", [(self.key(k), self.value(depth - 1)) for k in range(self.rng.randrange(4))]
        if name:
            self.anchors.append(name)
            made = "anchor", (name, made)
        return made

    def key(self, k):
        if self.anchors and self.rng.random() < 0.2:
            return "<<"
        return self.rng.choice([f"k{k}", f'"q{k}"', f"'s {k}'", f"y {k}"])

    def flow(self, value):
        kind, what = value
        if kind == "scalar":
            return what
        if kind == "alias":
            return f"*{what} "
        if kind == "anchor":
            return f"&{what[0]} {self.flow(what[1])}"
        if kind == "list":
            return "[" + self.rng.choice([", ", ","]).join(map(self.flow, what)) + "]"
        return "{" + ", ".join(f"{key}: {self.flow(item)}" for key, item in what) + "}"

    def block(self, value, indent):
        kind, what = value
        before = ""
        if kind == "anchor":
            before, (kind, what) = f" &{what[0]}", what[1]
        if kind in ("scalar", "alias") or not what or self.rng.random() < 0.25:
            return f"{before} {self.flow((kind, what))}{self.rng.choice(['', ' # c'])}\n"
        out, spaces, step = before + "\n", " " * indent, self.rng.choice([1, 2, 4])
        for item in what:
            out += self.rng.choice(["\n", "# c\n", spaces + "# c\n"]) if self.rng.random() < 0.1 else ""
            key, below = ("-", item) if kind == "list" else (item[0] + ":", item[1])
            out += spaces + key + self.block(below, indent + step)
        return out

    def document(self):
        root = "object", [(f"k{k}", self.value(3)) for k in range(1, self.rng.randrange(2, 5))]
        return self.block(root, 0).lstrip("\n") if self.rng.random() < 0.8 else self.flow(root) + "\n"


def read_ours(texts):
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{i}.yaml") for i in range(len(texts))]
        for path, text in zip(paths, texts):
            path.write_text(text, encoding="utf-8", newline="")
        done = subprocess.run([PROBE, *paths], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


class Yaml(unittest.TestCase):
    def compare(self, text, ours):
        """Whether we read it; then ruamel.yaml has to read the same."""
        if ours.startswith("error: "):
            self.assertRegex(ours, r"^error: \S+:\d+:\d+: ", text)
            return False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that an anchor's name is used again
            try:
                theirs = YAML(typ="safe", pure=True).load(text)
            except YAMLError as why:
                self.fail(f"seed {SEED}: ruamel.yaml refuses {text!r}, read as {ours}: {why}")
        as_json = lambda value: json.dumps(value, sort_keys=True)  # 1, 1.0 and true are three things
        self.assertEqual(as_json(json.loads(ours)), as_json(theirs), f"seed {SEED}: {text!r}")
        return True

    def test_what_is_read_is_what_ruamel_reads(self):
        writer = random.Random(SEED)
        texts = [Writer(writer).document() for _ in range(N)]
        ours = read_ours(texts)
        self.assertEqual(len(ours), N)
        n_read = sum(map(self.compare, texts, ours))
        print(f"{n_read} of {N} documents are read, all alike")
        self.assertGreater(n_read, N // 2)

    def test_every_word_alone_is_the_same_scalar(self):
        texts = [f"k: {word}\n" for word in WORDS]
        for text, ours in zip(texts, read_ours(texts)):
            self.assertTrue(self.compare(text, ours), ours)


if __name__ == "__main__":
    unittest.main()
