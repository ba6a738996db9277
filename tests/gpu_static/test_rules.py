"""Each rule finds the kernel of bad.cu that breaks it, and finds nothing in the good one."""
import os
import tempfile
import unittest
from pathlib import Path

import cubin
import rules
import table

HERE = Path(__file__).parent
GENCODE = os.environ["TILTYARD_CUDA_GENCODE"].split()


class Rules(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.binary = Path(cls.folder.name, "bad.o")
        flags = ["-std=c++17", "-lineinfo", "-compress-mode=none", *GENCODE]
        cubin.run("nvcc", *flags, "-c", HERE / "bad.cu", "-o", cls.binary)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def finds(self, offences, *kernels):
        text = "\n".join(offences)
        for kernel in ("spilling", "indexing", "unbounded", "doubling", "narrow", "good"):
            self.assertEqual(kernel in text, kernel in kernels, f"{kernel}:\n{text}")
        return text

    def test_spills_and_arrays_in_local_memory(self):
        text = self.finds(rules.spills(self.binary), "spilling", "indexing")
        for arch in cubin.ARCHS[1:]:
            self.assertIn(f"for {arch}", text)
        text = self.finds(rules.local_memory(self.binary), "spilling", "indexing")
        self.assertIn("sm_75", text)

    def test_a_kernel_without_bounds(self):
        self.finds(rules.launch_bounds(self.binary), "unbounded")

    def test_registers_are_counted_by_whole_warps(self):
        self.assertEqual(rules.registers_of_block(64, 1024), 65536)
        self.assertEqual(rules.registers_of_block(65, 1024), 65536 + 32 * 256)
        self.assertEqual(rules.registers_of_block(33, 1), 5 * 256)

    def test_narrow_loads_and_stores_where_128_bits_are_the_rule(self):
        reason = {("bad", name): {"memory": "tiny", "double": "no"} for name in ("spilling", "indexing", "unbounded")}
        self.finds(rules.narrow_access(self.binary, reason), "narrow", "doubling")
        reason["bad", "doubling"] = {"memory": "tiny"}
        reason["bad", "narrow"] = {"memory": "128 load"}
        text = self.finds(rules.narrow_access(self.binary, reason), "narrow")
        self.assertNotIn("no STG", text)

    def test_double_precision_without_a_reason_and_a_reason_without_it(self):
        self.finds(rules.doubles(self.binary, {}), "doubling")
        rows = {("bad", "doubling"): {"double": "sums"}, ("bad", "good"): {"double": "sums"}}
        self.finds(rules.doubles(self.binary, rows), "good")

    def test_each_gpu_and_the_bounds_are_told(self):
        self.assertEqual(sorted(cubin.usage(self.binary)["bad", "good"]), sorted(cubin.ARCHS))
        self.assertEqual(cubin.threads(self.binary)["bad", "good"], 256)
        self.assertIsNone(cubin.threads(self.binary)["bad", "unbounded"])

    def test_occupancy_is_limited_by_registers_and_by_shared_memory(self):
        told = table.occupancies([("sm_80", 32, 0, 256), ("sm_80", 33, 0, 256), ("sm_120", 32, 40 << 10, 256)])
        self.assertEqual(told, [100, 75, 33])


if __name__ == "__main__":
    cubin.need("nvcc", "ptxas", "cuobjdump", "nvdisasm")
    unittest.main(verbosity=2)
