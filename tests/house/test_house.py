"""scripts/house and scripts/rooms against small trees that break one rule each."""
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
ROOMS = ("base", "kernels", "data", "trainer", "tracking", "registry", "hpo", "cli", "tests")


def check(script, files):
    """Exit code and output of a script on a tree of files."""
    with tempfile.TemporaryDirectory() as folder:
        for path, text in files.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        done = subprocess.run([SCRIPTS / script, "--in", folder], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


class House(unittest.TestCase):
    def offends(self, text, message, path="base/a.c"):
        code, output = check("house", {path: text})
        self.assertEqual(code, 1, output)
        self.assertIn(message, output)

    def passes(self, text, path="base/a.c"):
        code, output = check("house", {path: text})
        self.assertEqual(code, 0, output)

    def test_functions_of_more_than_70_lines_are_named(self):
        self.offends("int f(void) {\n" + "    g();\n" * 69 + "}\n", "base/a.c:1: f has 71 lines")
        self.passes("int f(void) {\n" + "    g();\n" * 68 + "}\n")

    def test_files_of_more_than_600_lines_are_named(self):
        self.offends("int f(void);\n" * 601, "601 lines")

    def test_lines_of_more_than_120_columns_are_named(self):
        self.offends("/* " + "x" * 120 + " */\n", "base/a.c:1: 126 columns")

    def test_mutable_state_at_file_scope_is_named(self):
        for text in ("static int n;\n", "static const char *name = \"a\";\n", "int table[] = {1};\n",
                     "static void (*hook)(int n);\n", "static _Thread_local struct s { int a; } x;\n"):
            self.offends(text, "mutable variable at file scope")
        self.offends("int f(void) {\n    static int n;\n    return n++;\n}\n", "base/a.c:2: mutable static variable")

    def test_constants_types_and_prototypes_are_no_state(self):
        self.passes('static const int n = 1;\nstatic const char *const name = "a;{";\nextern const int m;\n'
                    "typedef struct s {\n    int a;\n} s;\nenum { A = 1 };\nstruct t;\nunion u {\n    int a;\n};\n"
                    "int walk(int (*visit)(void *self), void *self);\nstatic int (*const calls[])(void) = {f};\n"
                    "static const struct s rows[] = {{.a = 1}, {.a = 2}};\n")

    def test_conditional_lines_are_named(self):
        self.offends("#ifdef USE_CUDA\n#endif\n", "#ifdef USE_CUDA")
        self.passes('#ifndef TY_BASE_A_H\n#define TY_BASE_A_H\n#ifdef __cplusplus\nextern "C" {\n#endif\nint f(void);\n'
                    "#ifdef __cplusplus\n}\n#endif\n#endif\n", path="base/a.h")


class Rooms(unittest.TestCase):
    def offends(self, files, message):
        code, output = check("rooms", files)
        self.assertEqual(code, 1, output)
        self.assertIn(message, output)

    def test_an_arrow_that_points_up_is_named(self):
        self.offends({"base/a.c": '#include "kernels/kernels.h"\n'}, "base/a.c:1: base may not see kernels")

    def test_a_private_header_of_another_room_is_named(self):
        self.offends({"cli/a.c": '#include "trainer/plan.h"\n', "trainer/trainer.h": ""},
                     "cli/a.c:1: trainer/plan.h is private to trainer")

    def test_a_foreign_library_is_named(self):
        self.offends({"trainer/a.c": "#include <sqlite3.h>\n"}, "trainer/a.c:1: trainer must not include <sqlite3.h>")

    def test_doors_and_the_floor_are_open(self):
        code, output = check("rooms", {"cli/a.c": '#include "trainer/trainer.h"\n#include "base/text.h"\n'})
        self.assertEqual(code, 0, output)


class Pages(unittest.TestCase):
    def test_the_architecture_page_names_only_files_that_exist(self):
        text = re.sub(r"```diff.*?```", "", (ROOT / "docs/ARCHITECTURE.md").read_text(), flags=re.S)
        names = {file.name for room in ROOMS for file in (ROOT / room).rglob("*.*")}
        for path in re.findall(r"[\w/]+\.(?:c|h|py)\b", text):
            exists = (ROOT / path).is_file() if path.split("/")[0] in ROOMS else path.split("/")[-1] in names
            self.assertTrue(exists, f"docs/ARCHITECTURE.md names {path}")


if __name__ == "__main__":
    unittest.main()
