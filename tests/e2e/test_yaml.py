"""Configs in YAML: the same runs as in JSON, the same places in what is refused."""
from harness import *

# configs/synthetic.json as one writes it in YAML.
TWIN = """\
# Generated images, one second of work.
experiment: synthetic
name: tiny
seed: 7
data:
  source: synthetic:4096x1x8x8x4
  val_fraction: .1
model:
  layers:
    - {type: conv2d, out: 8, kernel: 3, padding: 1, bias: false}
    - batch_norm
    - relu
    - type: max_pool
      kernel: 2
    - flatten
    - {type: dropout, rate: 0.1}
    - linear
optimizer: {type: adamw, learning_rate: 3e-3}
train: {duration: 4 epochs, global_batch_size: 64}
checkpoint: {every: 1 epoch, best: "val/accuracy:max"}
"""


class Yaml(Case):
    def write(self, text, name="config.yaml"):
        path = self.folder / name
        path.write_text(text)
        return path

    def reject(self, text, *wanted):
        for command in ("check", "train"):
            _, err = self.run_it(command, self.write(text), code=2)
            for part in wanted:
                self.assertIn(part, err)
            self.assertEqual(self.files(), ["config.yaml"], "a rejected config must leave nothing behind")

    def test_check_shows_the_run_and_the_keys_that_json_has(self):
        shown = []
        for path in (self.write(TWIN), SYNTHETIC):
            out, _ = self.run_it("check", path)
            self.assertRegex(out, re.escape(str(path)) + r":\d+\n")
            shown.append([line.split(str(path))[0] for line in out.splitlines()])
        self.assertEqual(*shown)
        self.assertRegex(shown[0][0], r"^run +runs/synthetic/tiny-[0-9a-f]{12}$")

    def test_a_mistyped_key_has_its_line_its_column_and_a_suggestion(self):
        self.reject(TWIN.replace("learning_rate", "learnig_rate"), "config.yaml:18:26: ", "optimizer.learnig_rate",
                    'did you mean "learning_rate"?', "^~~~")

    def test_a_slip_in_the_grammar_has_a_place(self):
        self.reject(TWIN.replace("  val_fraction", "\tval_fraction"), "config.yaml:7:1: a tab")
        self.reject(TWIN + "seed: 8\n", 'config.yaml:21:1: duplicate key "seed"', "first written at 4:1")
        self.reject(TWIN + "---\nseed: 8\n", "config.yaml:21:1: a second document")
        self.reject(TWIN.replace("seed: 7", "seed: !!python/int 7"), "config.yaml:4:7: the tag !!python/int")

    def test_a_run_that_began_in_yaml_goes_on_in_json(self):
        long = ("--set", "train.duration=300 steps", "--set", "checkpoint.every=5 steps")
        whole = self.train(*long, "--dir", "whole")
        path = self.write(TWIN, "tiny.yml")
        process = self.start("train", path, *long, "--dir", "parts")
        self.wait_for_checkpoint(process)
        process.send_signal(signal.SIGUSR1)
        process.communicate(timeout=60)
        done = self.train(*long, "--dir", "parts")
        self.assertEqual(Path(done["run"]).name, Path(whole["run"]).name)
        self.assertEqual(len(list((self.folder / "parts/runs/synthetic").iterdir())), 1)
        self.assertEqual(done["params_hash"], whole["params_hash"])
        self.assertTrue(self.train(*long, "--dir", "parts", config=path)["was_done"])

    def test_config_json_holds_numbers_as_they_were_written(self):
        done = self.train("--set", "train.duration=5 steps", config=self.write(TWIN))
        text = (self.folder / done["run"] / "config.json").read_text()
        self.assertIn('"learning_rate": 3e-3', text)
        self.assertIn('"val_fraction": 0.1', text)
        self.assertEqual(json.loads(text)["model"]["layers"][3]["kernel"], 2)
        self.run_it("eval", done["run"])


if __name__ == "__main__":
    unittest.main()
