"""What is seen of a sweep: charts, its page, and its progress on a terminal."""
import fcntl
import pty
import select
import sqlite3
import struct
import termios
import xml.etree.ElementTree as xml

from harness import *

CHARTS = ["contour", "history", "importance", "intermediate", "parallel", "slice", "timeline"]
SPACE = {"optimizer.learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 0.1},
         "optimizer.weight_decay": {"values": [0, 0.01]}}
SMALL = {"train.duration": {"value": "20 steps"}, "eval.every": {"value": "5 steps"},
         "checkpoint.every": {"value": "5 steps"}, "data.source": {"value": "synthetic:512x1x8x8x4"},
         "train.global_batch_size": {"value": 32}, "checkpoint.export": {"value": False}}


def screen(seen):
    """The lines that a terminal of endless height shows after these bytes. It knows what is used here alone."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[\d*[A-Za-z]|\r|\n|[^\x1b\r\n]+", seen):
        if part == "\r":
            column = 0
        elif part == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif part.startswith("\x1b"):
            if part[-1] == "A":
                row -= int(part[2:-1])
            elif part[-1] in "KJ":
                lines[row] = lines[row][:column]
                del lines[row + 1 if part[-1] == "J" else len(lines):]
            else:
                assert part[-1] == "m", part
        else:
            lines[row] = lines[row][:column].ljust(column) + part + lines[row][column + len(part):]
            column += len(part)
    return lines


class Sweep(Case):
    def file(self, **more):
        sweep = {"name": "s", "config": SYNTHETIC, "method": "random", "run_cap": 3, "seed": 3,
                 "metric": {"name": "val/loss", "goal": "minimize"}, "parameters": {**SPACE, **SMALL}, **more}
        (self.folder / "s.json").write_text(json.dumps(sweep))
        return "s.json"



class Plots(Sweep):
    def told(self, values):
        """A sweep whose trials came to these values, without training any."""
        for i, value in enumerate(values):
            self.run_it("sweep", "ask", self.file(parameters=SPACE, run_cap=100, window=1))
            self.run_it("sweep", "tell", "s", i, value, "--step", 1)
            self.run_it("sweep", "tell", "s", i, value)

    def test_a_sweep_ends_with_its_page_and_pictures_which_mlflow_shows(self):
        _, err = self.run_it("sweep", self.file())
        self.assertIn("report  ./sweeps/s/report.html", err)
        page = (self.folder / "sweeps/s/report.html").read_text()
        self.assertEqual(page.count("<svg "), len(CHARTS))
        self.assertEqual(page.count("</i>done</td>"), 3)
        self.assertIn("test accuracy of the best", page)
        self.assertIn("&quot;run_cap&quot;: 3", page)
        self.assertNotRegex(page, r"https?://(?!www\.w3\.org/2000/svg)")
        self.assertEqual(sorted(p.name for p in (self.folder / "sweeps/s/plots").iterdir()),
                         [f"{c}.svg" for c in CHARTS])
        store = sqlite3.connect(self.folder / "mlflow.db")
        place, = store.execute("select artifact_uri from runs where name='s'").fetchone()
        artifacts = self.folder / place.removeprefix("file://")
        self.assertEqual((artifacts / "report.html").read_text(), page)
        self.assertEqual(sorted(p.name for p in (artifacts / "plots").iterdir()), [f"{c}.svg" for c in CHARTS])
        self.run_it("sweep", "s.json", "--set", "run_cap=4")
        self.assertEqual((artifacts / "report.html").read_text().count("</i>done</td>"), 4)

    def test_every_chart_is_a_picture_of_what_was_told(self):
        self.told([3, 1, 2, 5, 4, 0.5])
        for chart in CHARTS:
            self.run_it("sweep", "plot", "s", "--what", chart, "--svg", f"{chart}.svg")
            self.assertTrue(xml.parse(self.folder / f"{chart}.svg").getroot().tag.endswith("svg"))
        history = (self.folder / "history.svg").read_text()
        for trial, value in enumerate(["3", "1", "2", "5", "4", "0.5"]):
            self.assertIn(f"trial {trial}: done, {value}<", history)
        self.assertIn("optimizer.learning_rate", (self.folder / "slice.svg").read_text())
        self.run_it("sweep", "plot", "s", "--html", "now.html")
        self.assertEqual((self.folder / "now.html").read_text().count("<svg "), len(CHARTS))

    def test_a_terminal_has_history_curves_and_importance_in_characters(self):
        self.told([3, 1, 2])
        out, _ = self.run_it("sweep", "plot", "s")
        self.assertIn("the best so far", out)
        self.assertIn("val/loss", out)
        self.assertIn("the best trial", self.run_it("sweep", "plot", "s", "--what", "intermediate")[0])
        _, err = self.run_it("sweep", "plot", "s", "--what", "slice", code=2)
        self.assertIn("slice has no form in characters: want --svg FILE", err)

    def test_a_trial_of_a_sweep_that_nobody_runs_took_as_long_as_is_known(self):
        self.run_it("sweep", "ask", self.file(parameters=SPACE))
        journal = self.folder / "sweeps/s/sweep.journal"
        told = os.stat(journal).st_mtime + 7200
        os.utime(journal, (told, told))
        self.run_it("sweep", "plot", "s", "--html", "now.html")
        self.assertRegex((self.folder / "now.html").read_text(), ">2h00m</b><span>time of all trials<")

    def test_slips_are_told(self):
        self.told([1])
        _, err = self.run_it("sweep", "plot", "s", "--what", "histroy", code=2)
        self.assertIn("--what is histroy, want one of history, importance", err)
        _, err = self.run_it("sweep", "plot", "s", "--svg", "out.png", code=2)
        self.assertIn("want a name that ends in .svg", err)
        _, err = self.run_it("sweep", "best", "s", "--svg", "out.svg", code=2)
        self.assertIn("--svg is not for", err)
        self.assertIn("there is no sweep none", self.run_it("sweep", "plot", "none", code=1)[1])

    def test_a_report_that_cannot_be_written_is_said_and_the_sweep_is_good(self):
        self.run_it("sweep", self.file(run_cap=1))
        (self.folder / "sweeps/s/report.html").unlink()
        (self.folder / "sweeps/s/report.html").mkdir()
        _, err = self.run_it("sweep", "s.json", "--set", "run_cap=2")
        self.assertIn("report.html", err)
        self.assertIn("best    trial", self.run_it("sweep", "best", "s")[0])


class Progress(Sweep):
    """Trials that are short, on a terminal of 30 lines."""

    def watched(self, *words, columns=70, **env):
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
            os.chdir(self.folder)
            clean = {k: v for k, v in self.env.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
            os.execve(BINARY, [BINARY, *words], {**clean, "TERM": "xterm", **env})
        seen = b""
        while select.select([fd], [], [], 120)[0]:
            try:
                seen += os.read(fd, 65536)
            except OSError:
                break
        os.close(fd)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, seen.decode())
        return seen.decode()

    def longer(self, **more):
        return self.file(parameters={**SPACE, **SMALL, "train.duration": {"value": "1500 steps"},
                                     "eval.every": {"value": "50 steps"}, "checkpoint.every": {"value": "1500 steps"}},
                         **more)

    def test_a_terminal_sees_what_runs_and_keeps_a_line_a_trial(self):
        for words in (("-j", "2"), ("-n", "2")):
            shutil.rmtree(self.folder / "sweeps", ignore_errors=True)
            shutil.rmtree(self.folder / "runs", ignore_errors=True)
            seen = self.watched("sweep", self.longer(), *words)
            self.assertRegex(seen, r"\[[=> ]{20}\] \d of 3 trials begun")
            self.assertRegex(seen, r" trial    epoch      step      val/loss    since")
            self.assertRegex(seen, r"(?m)^ +\d +\d+\.\d\d +\d+ +\d[\d.e-]* +[\d.]+s")
            self.assertRegex(seen, r"\d done.*; best val/loss [\d.]+ \(trial \d\)")
            self.assertIn("\x1b[", seen)
            shown = screen(seen)
            left = "\n".join(shown)
            self.assertEqual(len([line for line in shown if re.match(r"trial +\d  done ", line)]), 3, left)
            self.assertNotIn("trials begun", left)
            self.assertNotIn("epoch      step", left)
            self.assertIn("all trials are done", left)

    def test_a_narrow_terminal_is_not_wrapped(self):
        seen = self.watched("sweep", self.longer(run_cap=2), "-j", "2", columns=40)
        drawn = re.findall(r"[\r\n]([^\r\n]*)\x1b\[K", seen)
        self.assertTrue(drawn)
        self.assertLessEqual(max(len(re.sub(r"\x1b\[\d*\w", "", line)) for line in drawn), 39)

    def test_no_colour_where_none_is_wanted(self):
        seen = self.watched("sweep", self.longer(run_cap=1), NO_COLOR="1")
        self.assertIn("trials begun", seen)
        self.assertNotRegex(seen, r"\x1b\[\d*m")

    def test_files_get_lines_alone(self):
        _, err = self.run_it("sweep", self.file())
        self.assertNotIn("\x1b", err)
        self.assertNotIn("trials begun", err)
        self.assertEqual(len([line for line in err.splitlines() if re.match(r"trial +\d  done ", line)]), 3)


if __name__ == "__main__":
    unittest.main()
