"""The machine code of each kernel: 128-bit accesses where memory is the bound, no double precision unasked."""
import os
import unittest

import cubin
import rules
import table

PLUGIN = os.environ["TILTYARD_CUDA_PLUGIN"]


class Sass(unittest.TestCase):
    def test_kernels_bound_by_memory_move_128_bits_at_once(self):
        self.assertEqual(list(rules.narrow_access(PLUGIN, table.read()[1])), [])

    def test_double_precision_is_where_the_table_has_a_reason(self):
        self.assertEqual(list(rules.doubles(PLUGIN, table.read()[1])), [])


if __name__ == "__main__":
    cubin.need("cuobjdump", "nvdisasm")
    unittest.main(verbosity=2)
