"""The commands of docs/SEARCH_TUTORIAL.md, all of them, in one folder; and what a reader is promised beyond that none
of them fails."""
import contextlib

from harness import *


class Tutorial(Case):
    def blocks(self):
        text = (ROOT / "docs/SEARCH_TUTORIAL.md").read_text()
        blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
        self.assertGreater(len(blocks), 6)
        return blocks

    def run_script(self, script):
        """What it printed. No pipe: what is left in the background would hold it open."""
        path = os.pathsep.join([str(Path(BINARY).resolve().parent), os.environ["PATH"]])
        with open(self.folder / "out", "w") as out:
            process = subprocess.Popen(["bash", "-c", script], cwd=self.folder, env={**self.env, "PATH": path},
                                       stdout=out, stderr=subprocess.STDOUT, start_new_session=True)
            try:
                process.wait(900)
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        printed = (self.folder / "out").read_text()
        print(printed, flush=True)
        self.assertEqual(process.returncode, 0)
        return printed

    def trials(self, name):
        out, _ = self.run_it("sweep", "show", name)
        return [line.split() for line in out.splitlines()[1:]]

    def best(self, name):
        return json.loads(self.run_it("sweep", "best", name, "--json")[0])

    def test_every_command_does_what_the_page_says(self):
        os.symlink(ROOT / "configs", self.folder / "configs")
        blocks = "\n".join(f"echo '== block {i}'\n{block}" for i, block in enumerate(self.blocks()))
        printed = self.run_script("set -euo pipefail\n" + blocks)
        self.assertRegex(printed, r"test    accuracy 0\.\d+ of the best trial")
        self.assertIn("mlp is asked to stop", printed)
        self.assertRegex(printed, r"all \d+ decisions of mlp are the same, bit for bit")
        states = [trial[1] for trial in self.trials("mlp")]
        self.assertEqual(len(states), 24)
        self.assertLessEqual({"done", "paused"}, set(states))
        self.assertIn("registered models:/clothes/1", printed)
        self.assertEqual(len(self.trials("descend")), 20)
        self.assertLess(self.best("descend")["value"], 1e-3)
        self.assertIn("all trials are done", printed)
        self.assertEqual([trial[1] for trial in self.trials("mine")], ["done"] * 15)
        self.assertLess(self.best("mine")["value"], 0.05)


if __name__ == "__main__":
    unittest.main()
