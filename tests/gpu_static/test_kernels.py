"""Each kernel of the plug-in: registers, shared memory and occupancy are what kernels/cuda/resources.tsv says, nothing
spills, 128 bits move at once where memory is the bound, no double precision unasked."""
import difflib
import os
import subprocess
import unittest

import cubin
import rules
import table

PLUGIN = os.environ["TILTYARD_CUDA_PLUGIN"]


class Resources(unittest.TestCase):
    maxDiff = None

    def test_the_plug_in_has_code_for_each_gpu_and_ptx_for_those_to_come(self):
        listed = cubin.run("cuobjdump", "-lelf", PLUGIN)
        for arch in cubin.ARCHS:
            self.assertIn(f".{arch}.cubin", listed)
        self.assertIn(".sm_80.ptx", cubin.run("cuobjdump", "-lptx", PLUGIN))

    def test_ptxas_spills_nothing_for_any_gpu(self):
        self.assertEqual(list(rules.spills(PLUGIN)), [])

    def test_no_kernel_has_local_memory(self):
        self.assertEqual(list(rules.local_memory(PLUGIN)), [])

    def test_every_block_fits_the_registers_of_an_sm(self):
        self.assertEqual(list(rules.launch_bounds(PLUGIN)), [])

    def test_the_table_is_what_was_built(self):
        version, committed = table.read()
        measured = table.decide(table.measure(PLUGIN), committed)
        self.assertEqual(sorted(measured), sorted(committed), "run scripts/cuda-table")
        if version != table.nvcc_version():
            self.skipTest(f"the table is of nvcc {version}, here is {table.nvcc_version()}")
        lines = lambda rows: table.text_of(version, rows).splitlines()
        told = "\n".join(difflib.unified_diff(lines(committed), lines(measured), "committed", "built", "", "", 0))
        self.assertEqual(told, "", "run scripts/cuda-table and look at what changed")

    def test_every_kernel_fills_a_quarter_of_an_sm(self):
        _, committed = table.read()
        poor = [(key, column) for key, row in committed.items() for column, text in row.items()
                if column.startswith("occ_") and int(text.rstrip("%")) < 25]
        self.assertEqual(poor, [])


class Prediction(unittest.TestCase):
    def test_every_kernel_that_a_dry_run_names_is_in_the_table(self):
        words = ["train", cubin.ROOT / "configs/synthetic.json", "--dry-run", "--gpu", "h100"]
        done = subprocess.run([os.environ["TILTYARD"], *words], capture_output=True, text=True)
        own = [line for line in done.stdout.splitlines() if line.endswith(", own") and "ward " in line]
        self.assertGreater(len(own), 8, done.stdout + done.stderr)
        self.assertEqual([line for line in own if "%" not in line], [])


class Sass(unittest.TestCase):
    def test_kernels_bound_by_memory_move_128_bits_at_once(self):
        self.assertEqual(list(rules.narrow_access(PLUGIN, table.read()[1])), [])

    def test_double_precision_is_where_the_table_has_a_reason(self):
        self.assertEqual(list(rules.doubles(PLUGIN, table.read()[1])), [])


if __name__ == "__main__":
    cubin.need("nvcc", "ptxas", "cuobjdump", "nvdisasm")
    unittest.main(verbosity=2)
