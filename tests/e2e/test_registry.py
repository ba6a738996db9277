"""models: a run's model registered, named, checked, fetched, exported and copied, as a user does it."""
import contextlib
import sqlite3

from harness import *


class Document(Case):
    def test_every_command_of_the_document_works(self):
        text = (ROOT / "docs/MODELS.md").read_text().split("## On a server")[0]
        blocks = re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)
        self.assertGreater(len(blocks), 2)
        (self.folder / "configs").symlink_to(ROOT / "configs")
        env = {**self.env, "PATH": f"{os.path.dirname(os.path.abspath(BINARY))}:{self.env['PATH']}"}
        done = subprocess.run(["bash", "-ec", "".join(blocks)], cwd=self.folder, env=env, capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("digits@champion is version 2 now, was 1", done.stdout)
        for name in ("champion/MLmodel", "served/digits/1/model.onnx", "bare/model.safetensors"):
            self.assertTrue((self.folder / name).is_file(), name)


class Models(Case):
    def setUp(self):
        super().setUp()
        self.run_name = os.path.basename(self.train("-C", self.folder)["run"])

    def models(self, *words, code=0, **options):
        out, err = self.run_it("models", *words, code=code, **options)
        return err if code else out

    def json(self, *words):
        return [json.loads(line) for line in self.models(*words, "--json").splitlines()]

    def register(self, *words):
        return self.json("register", self.run_name, *words)[0]

    def package(self):
        return next(self.folder.glob("runs/*/*/models/m-*"))

    def test_a_run_is_registered_once_with_its_lineage_and_a_card(self):
        version = self.register("--alias", "champion")
        self.assertEqual((version["name"], version["version"], version["aliases"]), ("synthetic", 1, ["champion"]))
        tags, run = version["tags"], json.loads(self.run_it("runs", "show", self.run_name, "--json")[0])
        self.assertEqual(tags["tiltyard.run_id"], run["run_id"])
        self.assertEqual(version["run_id"], run["run_id"])
        for key in ("tiltyard.data_fingerprint", "tiltyard.config_hash", "tiltyard.version"):
            self.assertEqual(tags[key], run["tags"][key])
        self.assertEqual(version["source"], f"models:/{self.package().name}")
        for part in ("**synthetic**", run["run_id"], "test/accuracy", "optimizer.type: adamw",
                     'mlflow.pyfunc.load_model("models:/synthetic@champion")'):
            self.assertIn(part, version["description"])
        self.assertEqual(self.register(), version)
        self.assertEqual(len(self.json("ls", "synthetic")), 1)

    def test_a_card_begins_with_the_result_and_describes_the_logged_model_too(self):
        card = self.register()["description"]
        with contextlib.closing(sqlite3.connect(self.folder / "mlflow.db")) as store:
            ((note,),) = store.execute("select tag_value from logged_model_tags where tag_key = 'mlflow.note.content'")
        for text in (card, note):
            self.assertRegex(text, r"\A[\d.]+ accuracy, [\d.]+ loss on test\.\n")
            self.assertIn(f"run `{self.run_name}` of experiment `synthetic`", text)
            self.assertNotIn("|", text, "a table has no room between its columns there")
        self.assertNotIn("@champion", note, "a logged model has no alias")

    def test_another_run_becomes_the_next_version(self):
        self.register()
        other = os.path.basename(self.train("-C", self.folder, "--set", "seed=8")["run"])
        self.models("register", other)
        self.assertEqual([v["version"] for v in self.json("ls", "synthetic")], [2, 1])
        self.assertEqual(self.json("show", "synthetic")[0]["tags"]["tiltyard.run"], other)

    def test_aliases_move_behind_a_fence(self):
        self.register()
        self.assertEqual(self.json("alias", "synthetic@champion", 1, "--expect", "none"),
                         [{"name": "synthetic", "alias": "champion", "was": 0, "version": 1}])
        err = self.models("alias", "synthetic@champion", 1, "--expect", "none", code=75)
        self.assertIn("synthetic@champion has moved: it is at 1, expected nowhere", err)
        self.models("alias", "synthetic@champion", 2, "--expect", 1, code=1)
        self.models("alias", "synthetic@champion", 1, "--expect", 1)
        self.models("alias", "synthetic@champion", "--remove", "--expect", 1)
        self.assertIn("no alias champion", self.models("show", "synthetic@champion", code=1))
        self.models("alias", "synthetic@v1", 1, code=2)
        self.models("alias", "synthetic@champion", "first", code=2)

    def test_tags_and_descriptions_are_set_and_taken_away(self):
        self.register()
        self.models("tag", "synthetic", "team=vision", "--description", "sorts noise")
        self.models("tag", "synthetic/1", "checked=yes", "by=me")
        self.models("tag", "synthetic/1", "--delete", "by")
        model, version = self.json("ls")[0], self.json("show", "synthetic/1")[0]
        self.assertEqual((model["tags"], model["description"]), ({"team": "vision"}, "sorts noise"))
        self.assertEqual(version["tags"]["checked"], "yes")
        self.assertNotIn("by", version["tags"])
        self.models("tag", "synthetic/1", code=2)

    def test_get_brings_verified_files_and_refuses_damaged_ones(self):
        self.register("--alias", "champion")
        got = self.json("get", "models:/synthetic@champion", "--output", "here")[0]
        self.assertTrue(got["verified"])
        names = sorted(p.name for p in (self.folder / "here").iterdir())
        self.assertEqual(names, ["MLmodel", "conda.yaml", "input_example.json", "model.onnx", "model.safetensors",
                                 "python_env.yaml", "requirements.txt", "serving_input_example.json", "tiltyard.json"])
        self.assertIn("is there already", self.models("get", "synthetic", "--output", "here", code=2))
        graph = self.package() / "model.onnx"
        graph.write_bytes(graph.read_bytes()[:-1] + b"\0")
        for words in (("get", "synthetic", "--output", "there"), ("verify",), ("verify", "synthetic@champion"),
                      ("export", "models:/synthetic/1", "--output", "there")):
            self.assertIn("model.onnx has changed", self.models(*words, code=6))
        self.assertFalse((self.folder / "there").exists())
        self.assertEqual([p.name for p in self.folder.glob(".tmp-*")], [])

    def test_export_takes_whatever_names_a_model_in_every_layout(self):
        self.register("--alias", "champion")
        checkpoint = sorted(self.folder.glob("runs/*/*/checkpoints/step_*.h5"))[-1]
        sources = (self.run_name, checkpoint, self.package(), "models:/synthetic@champion",
                   f"models:/{self.package().name}")
        for i, source in enumerate(sources):
            self.models("export", source, "--output", f"m{i}")
            self.models("export", source, "--output", f"o{i}", "--layout", "onnx")
            self.models("export", source, "--output", f"s{i}", "--layout", "safetensors")
            self.models("export", source, "--output", f"t{i}", "--layout", "triton", "--name", "net")
            tensors = (self.folder / f"s{i}/model.safetensors").read_bytes()
            self.assertEqual(tensors, (self.package() / "model.safetensors").read_bytes(), source)
            graph = (self.folder / f"o{i}/model.onnx").read_bytes()
            self.assertEqual(graph, (self.folder / f"t{i}/net/1/model.onnx").read_bytes(), source)
            self.assertEqual(graph, (self.folder / f"m{i}/model.onnx").read_bytes(), source)
            config = (self.folder / f"t{i}/net/config.pbtxt").read_text()
            self.assertIn('{ name: "x", data_type: TYPE_UINT8, dims: [ 1, 8, 8 ] }', config)
        self.assertEqual([p.name for p in self.folder.glob(".tmp-*")], [])

    def test_a_model_is_copied_into_another_store_once(self):
        self.register()
        (self.folder / "other").mkdir()
        there = "sqlite:///other/mlflow.db"
        for _ in range(2):
            self.models("copy", "synthetic/1", "--to", there)
        here, copy = self.json("show", "synthetic/1")[0], self.json("show", "synthetic/1", "--registry", there)[0]
        self.assertEqual(len(self.json("ls", "synthetic", "--registry", there)), 1)
        self.assertEqual(copy["description"], here["description"])
        self.assertEqual({**copy["tags"], "tiltyard.copied_from": ""}, {**here["tags"], "tiltyard.copied_from": ""})
        shutil.rmtree(self.folder / "runs")
        self.models("verify", "--registry", there)
        self.models("get", "synthetic", "--registry", there, "--output", "back")

    def test_an_exported_folder_is_registered_under_a_name(self):
        self.models("export", self.run_name, "--output", "model")
        self.assertIn("--name", self.models("register", "model", code=2))
        version = self.json("register", "model", "--name", "borrowed")[0]
        self.assertEqual(version["version"], 1)
        shutil.rmtree(self.folder / "model")
        self.models("verify", "borrowed/1")

    def test_a_folder_that_was_moved_still_finds_its_models(self):
        self.register("--alias", "champion")
        moved = self.folder.with_name(self.folder.name + "-moved")
        self.folder.rename(moved)
        self.addCleanup(shutil.rmtree, moved, True)
        out, _ = self.run_it("models", "verify", "-C", moved, cwd="/")
        self.assertIn(f"{moved}/runs/", out)

    def test_slips_are_told(self):
        self.register()
        self.assertIn("did you mean synthetic?", self.models("show", "synthetik", code=1))
        self.assertIn("has no version 7", self.models("show", "synthetic/7", code=1))
        self.assertIn("names no model", self.models("show", "synthetic/one", code=2))
        self.assertIn("want one of ls, show", self.models("list", code=2))
        self.assertIn("want --output FOLDER", self.models("export", self.run_name, code=2))
        self.assertIn("want mlflow, onnx", self.models("export", self.run_name, "-o", "x", "--layout", "tf", code=2))
        self.assertIn("want http(s)://HOST", self.models("ls", "--registry", "file:./mlruns", code=2))
        err = self.models("ls", "--registry", "postgresql://me:canary@host/db", code=2)
        self.assertIn("want http(s)://HOST", err)
        self.assertNotIn("canary", err)
        err = self.models("register", self.run_name, "--expect", "1", code=2)
        self.assertIn("--expect is not for `tiltyard models register`", err)
        self.assertIn("there is no folder", self.models("ls", "-C", "nowhere", code=1))
        self.assertIn("is no run, checkpoint", self.models("export", "nobody", "-o", "x", code=1))


if __name__ == "__main__":
    unittest.main()
