"""What the plug-in and the binary ask of the loader: no driver, one CUDA library, one door; and the simulator gives all
that the plug-in may ask for."""
import os
import re
import subprocess
import unittest
from pathlib import Path

import cubin

PLUGIN = os.environ["TILTYARD_CUDA_PLUGIN"]
TILTYARD = os.environ["TILTYARD"]
SIMULATOR = os.environ["TILTYARD_CUDASIM"]
VENDORS = r"cuda|cublas|cudnn|nccl|nvrtc|nvJitLink"


def needed(binary):
    text = subprocess.run(["readelf", "-d", binary], check=True, capture_output=True, text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", text)


def symbols(binary, which):
    """Names without versions that a binary defines or wants; weak ones are nobody's debt."""
    words = ["nm", "-D", f"--{which}", binary]
    text = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    return {line.split()[-1].split("@")[0] for line in text.splitlines() if line.split()[-2] not in "wv"}


class Linkage(unittest.TestCase):
    def test_the_plug_in_links_the_shared_runtime_and_nothing_else_of_cuda(self):
        vendors = [name for name in needed(PLUGIN) if re.match(rf"lib({VENDORS})", name)]
        self.assertEqual(vendors, ["libcudart.so.13"])

    def test_the_plug_in_has_one_door(self):
        self.assertEqual(symbols(PLUGIN, "defined-only"), {"ty_backend_plugin"})

    def test_the_plug_in_owes_nothing_to_the_binary_that_opens_it(self):
        self.assertEqual([name for name in symbols(PLUGIN, "undefined-only") if name.startswith("ty_")], [])

    def test_the_binary_links_nothing_of_cuda(self):
        self.assertEqual([name for name in needed(TILTYARD) if re.match(rf"lib({VENDORS})", name)], [])

    def test_no_path_of_the_driver_s_stub_is_remembered(self):
        text = subprocess.run(["readelf", "-d", PLUGIN], check=True, capture_output=True, text=True).stdout
        self.assertNotIn("stubs", text)

    def test_the_simulator_has_every_function_of_the_runtime_that_the_plug_in_calls(self):
        called = {name for name in symbols(PLUGIN, "undefined-only") if re.match(r"(__)?cu(da|[A-Z])", name)}
        self.assertIn("__cudaRegisterFatBinary", called)
        self.assertEqual(sorted(called - symbols(SIMULATOR, "defined-only")), [])

    def test_the_simulator_has_every_function_of_the_libraries_that_the_plug_in_opens(self):
        opened = set(re.findall(r"^ +X\((\w+)\)", Path(cubin.ROOT, "kernels/cuda/vendor.h").read_text(), re.M))
        self.assertIn("cublasLtMatmul", opened)
        self.assertEqual(sorted(opened - symbols(SIMULATOR, "defined-only")), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
