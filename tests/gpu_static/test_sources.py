"""What a reader may rely on in every .cu file: the opening says what is computed and how fast it can be, and nothing
in it asks for more than plain CUDA of compute capability 7.5."""
import re
import unittest

import cubin

SOURCES = sorted((cubin.ROOT / "kernels").rglob("*.cu"))
HEADERS = sorted((cubin.ROOT / "kernels").rglob("*.cuh"))
# What a GPU of 2018, the simulator and a reader of C know.
BEYOND = {
    r"\basm\b": "inline PTX",
    r"\b(wmma|mma_sync|nvcuda)\b": "tensor cores, which are cuBLASLt's and cuDNN's",
    r"cooperative_groups|\bgrid_group\b|__cluster_dims__": "cooperative groups or clusters",
    r"\b(tex1D|tex2D|cudaTextureObject_t|surf2D\w*)\b": "textures",
    r"\b(cuda::|cub::|thrust::|std::)": "C++ libraries",
    r"__pipeline_|memcpy_async": "asynchronous copies",
    r"\bprintf\b": "output of the device's own",
    r"\bclock(64)?\s*\(|__nanosleep": "time",
}


def opening(text):
    """The comment that a file begins with."""
    return re.match(r"/\*.*?\*/", text, re.S).group() if text.startswith("/*") else ""


def code(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(\\.|[^\"\\])*\"", " ", text, flags=re.S)


class Sources(unittest.TestCase):
    def check_each(self, check, paths=SOURCES):
        self.assertTrue(paths)
        for path in paths:
            with self.subTest(path.name):
                check(path.read_text())

    def test_the_opening_has_the_roofline(self):
        def check(text):
            for word in ("bytes", "FLOP|instructions", "A100", "H100", r"\b(us|µs)\b"):
                self.assertRegex(opening(text), word)

        self.check_each(check)

    def test_every_kernel_has_launch_bounds(self):
        def check(text):
            kernels, bounds = (re.findall(rf"\b{word}\b", code(text)) for word in ("__global__", "__launch_bounds__"))
            self.assertEqual(len(kernels), len(bounds))

        self.check_each(check, SOURCES + HEADERS)

    def test_nothing_beyond_plain_cuda(self):
        def check(text):
            for pattern, what in BEYOND.items():
                self.assertNotRegex(code(text), pattern, what)

        self.check_each(check, SOURCES + HEADERS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
