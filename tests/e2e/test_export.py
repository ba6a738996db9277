"""The best model leaves with the run: its package, what makes it again, and what can go wrong with it."""
import hashlib
from harness import *

FILES = ["MLmodel", "conda.yaml", "input_example.json", "model.onnx", "model.safetensors", "python_env.yaml",
         "requirements.txt", "serving_input_example.json", "tiltyard.json"]


class Export(Case):
    def packages(self, run):
        return sorted((self.folder / run / "models").glob("m-*"))

    def package(self, run):
        """The one that there is."""
        found = self.packages(run)
        self.assertEqual(len(found), 1, found)
        return found[0]

    @staticmethod
    def contents(folder):
        return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}

    def test_a_run_ends_with_a_package_that_evaluates_as_its_best_checkpoint(self):
        run = self.train()["run"]
        package = self.package(run)
        self.assertEqual(sorted(p.name for p in package.iterdir()), FILES)
        self.assertRegex(package.name, "^m-[0-9a-f]{32}$")
        self.assertEqual(list(json.loads((package / "input_example.json").read_text())), ["x"])
        said = [self.run_it("eval", run, "--json", *more)[0] for more in ((), ("--checkpoint", package / "model.onnx"))]
        self.assertEqual(said[0], said[1])

    def test_a_finished_run_makes_no_second_package(self):
        run = self.train()["run"]
        before = self.contents(self.package(run))
        self.train()
        self.assertEqual(self.contents(self.package(run)), before)

    def test_a_run_whose_end_is_lost_makes_the_same_package_and_tells_it_once(self):
        run = self.train()["run"]
        before = self.contents(self.package(run))
        journal = self.folder / run / "run.journal"
        whole = journal.read_bytes()
        at = whole.rindex(b"FINISHED")
        journal.write_bytes(whole[:at])  # a tail that is cut is repaired
        self.train()
        self.assertEqual(self.contents(self.package(run)), before)
        self.assertEqual(journal.read_bytes().count(b'"folder":"models/' + self.package(run).name.encode()), 1)

    def test_a_package_that_was_damaged_is_made_again(self):
        run = self.train()["run"]
        package = self.package(run)
        before = self.contents(package)
        journal = self.folder / run / "run.journal"
        journal.write_bytes(journal.read_bytes()[:journal.read_bytes().rindex(b"FINISHED")])
        (package / "model.onnx").write_bytes(b"")
        self.train()
        after = self.contents(package)
        for name in ("model.onnx", "model.safetensors", "input_example.json"):
            self.assertEqual(after[name], before[name])

    def test_export_can_be_left_out(self):
        run = self.train("--set", "checkpoint.export=false")["run"]
        self.assertEqual(self.packages(run), [])

    def test_a_model_that_cannot_leave_costs_a_warning(self):
        out, err = self.run_it("train", SYNTHETIC, "--json", "--name", "r", "--set", "train.duration=1 epoch")
        self.assertNotIn("warning", err)
        (self.folder / "runs/synthetic/blocked").mkdir()
        (self.folder / "runs/synthetic/blocked/models").write_text("in the way")
        out, err = self.run_it("train", SYNTHETIC, "--name", "blocked", "--set", "train.duration=1 epoch")
        self.assertEqual(len([line for line in err.splitlines() if "export" in line]), 1, err)
        self.assertIn("done", out + err)

    def test_a_model_is_exported_again_for_older_runtimes(self):
        run = self.train()["run"]
        package = self.package(run)
        want = self.run_it("eval", run, "--json")[0]
        for number, model in enumerate((run, package, package / "model.onnx")):
            out = f"older{number}"
            self.run_it("models", "export", model, "--output", out, "--opset", "13")
            self.assertEqual(sorted(p.name for p in (self.folder / out).iterdir()), FILES)
            graph = self.folder / out / "model.onnx"
            self.assertEqual(graph.read_bytes()[:2], bytes((8, 7)))  # ir_version 7
            self.assertEqual(self.run_it("eval", run, "--json", "--checkpoint", graph)[0], want)
        _, err = self.run_it("models", "export", run, "--output", "oldest", "--opset", "12", code=2)
        self.assertIn("13", err)

    def test_training_can_start_from_an_exported_model(self):
        run = self.train("--name", "first", "--set", "train.duration=2 epochs")["run"]
        model = self.package(run) / "model.onnx"
        done = self.train("--name", "second", "--from", model, "--set", "train.duration=1 step",
                          "--set", "optimizer.learning_rate=1e-6")
        want = json.loads(self.run_it("eval", run, "--json")[0])
        self.assertAlmostEqual(done["test/loss"], want["loss"], places=2)


if __name__ == "__main__":
    unittest.main()
