"""What a command reads and writes: files, pipes that close, terminals that are narrow, coloured or misled."""
import errno
import fcntl
import pty
import select
import struct
import termios

from harness import *

LONG = ("--set", "train.duration=100000 steps", "--set", "checkpoint.every=50 steps", "--set", "eval.every=2000 steps")
SHORT = ("--set", "train.duration=30 steps", "--set", "checkpoint.every=10 steps", "--set", "eval.every=never")


class Streams(Case):
    def test_a_reader_who_leaves_stops_nothing(self):
        process = self.start("train", SYNTHETIC, *SHORT, "--json")
        process.stdout.readline()
        process.stdout.close()
        process.stdout = None
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)

    def test_results_that_cannot_be_written_are_an_error(self):
        for words in (("--help",), ("--version",), ("schema",), ("train", SYNTHETIC, *SHORT)):
            with open("/dev/full", "w") as full:
                process = subprocess.run([BINARY, *words], stdout=full, stderr=subprocess.PIPE, text=True,
                                         cwd=self.folder, env=self.env, timeout=60)
            self.assertEqual(process.returncode, 1, words)
            self.assertIn(os.strerror(errno.ENOSPC), process.stderr)

    def test_closed_streams_get_no_words_into_files(self):
        for fd in (0, 1, 2):
            folder = self.folder / str(fd)
            process = self.start("train", SYNTHETIC, *SHORT, "--dir", folder, preexec_fn=lambda fd=fd: os.close(fd))
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0)
            for path in folder.rglob("*"):
                if path.is_file() and path.suffix != ".html":
                    self.assertNotIn(b"  epoch     step", path.read_bytes(), path)
            self.run_it("eval", next((folder / "runs/synthetic").iterdir()))

    def test_a_config_may_come_from_stdin(self):
        with open(SYNTHETIC) as text:
            process = subprocess.run([BINARY, "train", "-", *SHORT], stdin=text, capture_output=True, cwd=self.folder,
                                     env=self.env, timeout=60)
        self.assertEqual(process.returncode, 0, process.stderr)

    def test_every_line_of_json_is_json(self):
        self.train(*SHORT, "--name", "mine")
        for words in (("info",), ("data", "info", "synthetic"), ("check", SYNTHETIC), ("runs", "ls"),
                      ("runs", "show", "mine"), ("eval", "mine"), ("train", SYNTHETIC, *SHORT, "--name", "other")):
            out, _ = self.run_it(*words, "--json")
            self.assertTrue(out.strip(), words)
            for line in out.splitlines():
                self.assertIsInstance(json.loads(line), dict, words)

    def test_regression_has_no_accuracy(self):
        table = "a,b,y\n" + "".join(f"{i},{i % 7},{i * 1.5 + 0.25}\n" for i in range(200))
        (self.folder / "table.csv").write_text(table)
        done = self.train("--set", "data.source=table.csv", "--set", "train.duration=2 epochs",
                          config=str(ROOT / "configs/tabular.json"))
        self.assertIn("test/mean_absolute_error", done)
        self.assertNotIn("test/accuracy", done)

    def in_terminal(self, *words, until=None, columns=100, **env):
        """What it shows, and its exit code; interrupted once `until` is true of what it has shown."""
        pid, fd = pty.fork()
        if pid == 0:
            fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
            os.chdir(self.folder)
            clean = {k: v for k, v in self.env.items() if k not in ("COLUMNS", "NO_COLOR")}
            os.execve(BINARY, [BINARY, *words], {**clean, "TERM": "xterm", **env})
        seen, end = b"", time.monotonic() + 300
        while time.monotonic() < end:
            if select.select([fd], [], [], 0.1)[0]:
                try:
                    seen += os.read(fd, 65536)
                except OSError:
                    break
            if until and until(seen.decode(errors="replace")):
                os.write(fd, b"\x03")
                until = None
        os.close(fd)
        return seen.decode(), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    def test_a_terminal_gets_one_redrawn_line_and_files_none(self):
        def drawn_of(shown):
            return re.findall(r"\r(\[[=> ]{20}\][^\r]*)\x1b\[K", shown)

        for ranks in ((), ("-n", "2")):
            shown, code = self.in_terminal("train", SYNTHETIC, *LONG, *ranks, columns=60,
                                           until=lambda shown: len(drawn_of(shown)) > 3)
            self.assertEqual(code, 130, shown)
            drawn = drawn_of(shown)
            self.assertGreater(len(drawn), 3, shown)
            self.assertLessEqual(max(map(len, drawn)), 59)
            self.assertIn("\x1b[1m", shown)
            self.assertRegex(shown, r"stopped at step \d+ \(.+\); the same command continues")
        _, err = self.run_it("train", SYNTHETIC, *SHORT, "--name", "file")
        self.assertNotIn("\r", err)
        self.assertNotIn("\x1b", err)

    def test_colour_is_where_somebody_looks(self):
        shown, _ = self.in_terminal("train", SYNTHETIC, *SHORT, "--name", "plain", NO_COLOR="1")
        self.assertNotRegex(shown, r"\x1b\[\d+m")
        shown, _ = self.in_terminal("train", SYNTHETIC, "--set", "seed=-1")
        self.assertIn("\x1b[31merror:", shown)
        out, _ = self.run_it("runs", "ls", "--color", "always")
        self.assertIn("\x1b[", out)
        out, _ = self.run_it("runs", "ls")
        self.assertNotIn("\x1b", out)

    def test_words_of_files_cannot_command_the_terminal(self):
        rows = "".join(f"{self.random.random():.3f},{i},{'x<b>' if i % 2 else chr(27) + ']0;title' + chr(7)}\n"
                       for i in range(200))
        (self.folder / "table.csv").write_text("a,b,y\n" + rows)
        self.run_it("train", ROOT / "configs/tabular.json", "--set", "data.source=table.csv", "--name", "mine",
                    "--set", "train.duration=2 epochs")
        out, _ = self.run_it("eval", "mine", "--color", "always")
        self.assertNotIn("\x1b]", out)
        self.assertNotIn("\x07", out)
        self.assertNotIn("x<b>", (self.folder / "runs/tabular/mine/report.html").read_text())


if __name__ == "__main__":
    unittest.main()
