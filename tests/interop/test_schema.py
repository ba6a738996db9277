"""`tiltyard schema` against the jsonschema package: shipped configs pass, slips don't. test_schema.py TILTYARD."""
import copy
import json
import re
import subprocess
import sys
import unittest
from pathlib import Path

from peers import Peers

with Peers():
    from jsonschema import Draft202012Validator

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
BINARY = sys.argv.pop(1)


def read(path):
    """JSONC of the shipped kind: // comments outside strings, trailing commas."""
    keep_strings = lambda found: found.group() if found.group().startswith('"') else ""
    text = re.sub(r'"(?:\\.|[^"\\])*"|//[^\n]*', keep_strings, path.read_text())
    return json.loads(re.sub(r",(\s*[\]}])", r"\1", text))


class Schema(unittest.TestCase):
    def setUp(self):
        text = subprocess.run([BINARY, "schema"], capture_output=True, text=True, check=True).stdout
        self.schema = json.loads(text)
        self.validator = Draft202012Validator(self.schema)

    def test_the_schema_is_a_valid_schema(self):
        Draft202012Validator.check_schema(self.schema)

    def test_shipped_configs_are_valid(self):
        for path in CONFIGS.glob("*.json"):
            errors = [e.message for e in self.validator.iter_errors(read(path))]
            self.assertEqual(errors, [], path.name)

    def test_slips_are_not(self):
        good = read(CONFIGS / "fashion_mlp.json")
        slips = (lambda c: c.update(lr=1), lambda c: c["optimizer"].update(learning_rate=-1),
                 lambda c: c["optimizer"].update(type="adan"), lambda c: c.pop("model"),
                 lambda c: c["model"]["layers"].append({"type": "linear", "uot": 3}),
                 lambda c: c["train"].update(global_batch_size="128"), lambda c: c["data"].update(val_fraction=1.5))
        for number, slip in enumerate(slips):
            bad = copy.deepcopy(good)
            slip(bad)
            self.assertFalse(self.validator.is_valid(bad), f"slip {number}")


if __name__ == "__main__":
    unittest.main()
