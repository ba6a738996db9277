"""Help, versions, usage errors, config errors, check, schema: what is shown and what is left alone."""
from harness import *


class Shown(Case):
    def test_help_lists_every_command_and_exits_0(self):
        out, err = self.run_it("--help")
        for name in ("train", "eval", "check", "runs", "models", "data", "ui", "schema", "info"):
            self.assertRegex(out, rf"(?m)^  {name} ")
            text, _ = self.run_it(name, "--help")
            self.assertIn(f"usage: tiltyard {name}", text)
        self.assertEqual(err, "")

    def test_version_is_one_line(self):
        out, _ = self.run_it("--version")
        self.assertRegex(out, r"^tiltyard \d+\.\d+\.\d+\n$")

    def test_a_mistyped_command_is_answered_with_the_near_one(self):
        _, err = self.run_it("trian", code=2)
        self.assertIn("did you mean `tiltyard train`", err)

    def test_an_option_before_the_command_is_told_where_it_belongs(self):
        _, err = self.run_it("-v", "train", SYNTHETIC, code=2)
        self.assertIn("options follow it: tiltyard train -v", err)

    def test_a_mistyped_option_is_answered_with_the_near_one(self):
        _, err = self.run_it("train", SYNTHETIC, "--frehs", code=2)
        self.assertIn("did you mean --fresh", err)

    def test_a_missing_operand_shows_the_usage(self):
        _, err = self.run_it("train", code=2)
        self.assertIn("want: tiltyard train CONFIG", err)

    def test_each_verb_has_a_help_of_its_own(self):
        for command in ("sweep", "runs", "models"):
            whole, _ = self.run_it(command, "--help")
            verbs = re.findall(r"(?m)^  ([a-z]+)\b", whole.split(" VERB --help`")[0])
            self.assertGreater(len(verbs), 7, whole)
            for verb in verbs:
                with self.subTest(verb=f"{command} {verb}"):
                    text, err = self.run_it(command, verb, "--help")
                    self.assertIn(f"usage: tiltyard {command} {verb}", text)
                    self.assertIn("common options:", text)
                    self.assertEqual(err, "")

    def test_a_verbs_help_has_its_options_and_no_others(self):
        text, _ = self.run_it("sweep", "plot", "--help")
        shown = re.findall(r"--[a-z]+", text.split("options:")[1].split("common")[0])
        self.assertEqual(shown, ["--what", "--svg", "--html"])
        text, _ = self.run_it("sweep", "ask", "search.json", "--help")
        self.assertIn("usage: tiltyard sweep ask FILE|NAME\n", text)
        _, err = self.run_it("sweep", "search.json", "--svg", "x.svg", code=2)
        self.assertIn("--svg is not for `tiltyard sweep FILE`", err)
        text, _ = self.run_it("sweep", "search.json", "--help")
        self.assertIn("usage: tiltyard sweep [OPTIONS] FILE | VERB NAME", text)

    def test_info_names_the_libraries(self):
        out, _ = self.run_it("info")
        self.assertIn("HDF5", out)
        self.assertIn("numerics", out)

    def test_ui_installs_the_mlflow_that_the_tests_pin(self):
        out, _ = self.run_it("ui", "--help")
        pins = (ROOT / "tests/interop/requirements.txt").read_text()
        self.assertIn(re.search(r"(?m)^mlflow==\S+", pins).group(), out)


class Config(Case):
    def write(self, text):
        path = self.folder / "config.json"
        path.write_text(text)
        return path

    def reject(self, text, *wanted, words=()):
        path = self.write(text)
        _, err = self.run_it("train", path, *words, code=2)
        for part in wanted:
            self.assertIn(part, err)
        self.assertEqual(self.files(), ["config.json"], "a rejected config must leave nothing behind")

    def test_all_errors_come_at_once_with_place_caret_and_suggestion(self):
        self.reject('{\n  "data": {"source": "synthetic", "val_fractoin": 0.1},\n  "model": {"layers": ["linear"]},\n'
                    '  "optimizer": {"type": "adamw", "learning_rate": -0.1}\n}\n',
                    'config.json:2:', 'val_fractoin', 'did you mean "val_fraction"', '^',
                    'config.json:4:', 'optimizer.learning_rate is -0.1, want > 0', '2 errors')

    def test_names_of_other_tools_are_told_ours(self):
        self.reject('{"data": {"source": "synthetic"}, "model": {"layers": ["linear"]},'
                    ' "lr": 0.1, "batch_size": 32, "num_epochs": 3}',
                    'optimizer.learning_rate', 'global_batch_size', 'train.duration')

    def test_a_set_that_names_nothing_is_an_error(self):
        self.reject('{"data": {"source": "synthetic"}, "model": {"layers": ["linear"]}}', "--set", "optimizr",
                    words=("--set", "optimizr.learning_rate=1"))

    def test_a_syntax_error_has_a_place(self):
        self.reject('{"data": {"source": "synthetic" "x": 1}}', "config.json:1:")

    def test_a_missing_config_is_a_config_error(self):
        _, err = self.run_it("train", "nowhere.json", code=2)
        self.assertIn("nowhere.json", err)

    def test_missing_data_names_the_package(self):
        self.env.update(TILTYARD_DATA_PATH="/nonexistent", XDG_DATA_DIRS="/nonexistent")
        _, err = self.run_it("train", ROOT / "configs/fashion_mnist.json", code=1)
        self.assertIn("apt install dataset-fashion-mnist", err)

    def test_check_shows_origins_memory_and_steps_and_writes_nothing(self):
        out, _ = self.run_it("check", SYNTHETIC, "--set", "seed=3")
        for part in ("optimizer.learning_rate", "--set", "default", "in all", "steps", "conv2d"):
            self.assertIn(part, out)
        self.assertEqual(self.files(), [])

    def test_check_keeps_not_even_digests_of_data(self):
        (self.folder / "home").mkdir()
        (self.folder / "set.csv").write_text("a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(400)))
        time.sleep(2.1)  # digests of files that changed within two seconds are never kept
        before = sorted(self.folder.rglob("*"))
        self.run_it("check", ROOT / "configs/tabular.json", "--set", "data.source=set.csv", "--set", "data.target=y")
        self.assertEqual(sorted(self.folder.rglob("*")), before)

    def test_schema_is_json_and_describes_the_keys(self):
        out, _ = self.run_it("schema")
        schema = json.loads(out)
        self.assertFalse(schema["additionalProperties"])
        self.assertIn("optimizer", schema["properties"])
        text, _ = self.run_it("schema", "--explain", "train.global_batch_size")
        self.assertIn("samples", text)

    def test_schema_describes_sweep_files_too(self):
        out, _ = self.run_it("schema", "--sweep")
        schema = json.loads(out)
        self.assertFalse(schema["additionalProperties"])
        self.assertIn("log_uniform_values", json.dumps(schema["properties"]["parameters"]))
        text, _ = self.run_it("schema", "--sweep", "--explain", "resources.max_parallel")
        self.assertIn("at once", text)

    def test_a_key_that_is_not_there_is_answered_with_what_was_meant(self):
        for words, wanted in ((("lr",), 'called "optimizer.learning_rate" here'),
                              (("learning_rat",), 'did you mean "optimizer.learning_rate"'),
                              (("layers",), 'did you mean "model.layers"'), (("nonsense",), "there are experiment, "),
                              (("nonsense", "--sweep"), "there are name, "), (("n_trials", "--sweep"), '"run_cap"'),
                              (("optimizer.learning_rate", "--sweep"), "a key of a config")):
            _, err = self.run_it("schema", "--explain", *words, code=2)
            self.assertIn(wanted, err)

    def test_the_committed_config_page_is_what_the_rows_say(self):
        out, _ = self.run_it("schema", "--markdown")
        self.assertEqual(out, (ROOT / "docs/CONFIG.md").read_text(), "run: tiltyard schema --markdown > docs/CONFIG.md")

    def test_every_shipped_config_checks(self):
        for name in ("fashion_mnist", "fashion_mlp", "synthetic"):
            self.run_it("check", ROOT / f"configs/{name}.json")
        (self.folder / "data.csv").write_text("a,b,y\n" + "".join(f"{i},{i % 7},{'pn'[i % 2]}\n" for i in range(200)))
        self.run_it("check", ROOT / "configs/tabular.json", "--set", "data.target=y")


if __name__ == "__main__":
    unittest.main()
