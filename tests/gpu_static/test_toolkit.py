"""kernels/cuda/toolkit.cmake on trees laid out as NVIDIA's packages, Debian and PyPI's wheels do, with an nvcc that
only says who it is."""
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import cubin

PROJECT = f"""cmake_minimum_required(VERSION 3.25)
project(toolkit LANGUAGES C)
include({cubin.ROOT}/kernels/cuda/toolkit.cmake)
message(STATUS "found <${{TY_CUDA_FOUND}}> runtime <${{CUDART_LIBRARY}}> path <${{TY_CUDA_LIBRARY_PATH}}>")
"""
VERSIONS = {"cudnn_version.h": ("CUDNN", "MAJOR", 9, "MINOR", 19, "PATCHLEVEL", 2),
            "nccl.h": ("NCCL", "MAJOR", 2, "MINOR", 28, "PATCH", 9),
            "cublas_api.h": ("CUBLAS_VER", "MAJOR", 13, "MINOR", 1, "PATCH", 0)}


def write(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def header(root, name):
    prefix, *pairs = VERSIONS.get(name, ("X",))
    text = "".join(f"#define {prefix}_{part} {number}\n" for part, number in zip(pairs[::2], pairs[1::2]))
    write(root / "include" / name, text)


class Toolkit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        write(self.folder / "project/CMakeLists.txt", PROJECT)

    def lay_nvcc(self, root, version="13.0.88"):
        """The toolkit proper: nvcc, the runtime as wheels have it (no libcudart.so), cuBLASLt."""
        nvcc = root / "bin/nvcc"
        write(nvcc, f'#!/bin/sh\necho "#$ TOP={root}" >&2\necho "Cuda compilation tools, V{version}"\n')
        nvcc.chmod(0o755)
        for name in ("cuda_runtime_api.h", "cublasLt.h", "cublas_api.h"):
            header(root, name)
        write(root / "lib/libcudart.so.13")
        write(root / "lib/libcublasLt.so.13")
        return root

    def lay_cudnn(self, root, lib="lib"):
        header(root, "cudnn_graph.h")
        header(root, "cudnn_version.h")
        write(root / lib / "libcudnn.so.9")

    def lay_nccl(self, root, lib="lib"):
        header(root, "nccl.h")
        write(root / lib / "libnccl.so.2")

    def configure(self, *words, fails=False, **environment):
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("CUDA", "CUDNN", "NCCL"))}
        done = subprocess.run(["cmake", "-S", self.folder / "project", "-B", self.folder / "build",
                               f"-DTY_CUDA_USUAL_ROOT={self.folder}/none", *words], capture_output=True, text=True,
                              env=plain | {"PATH": "/usr/bin:/bin"} | environment)
        text = " ".join((done.stdout + done.stderr).split())
        self.assertEqual(done.returncode != 0, fails, text)
        return text

    def test_where_there_is_none_one_line_says_so_and_how_to_get_one(self):
        text = self.configure()
        self.assertIn("CUDA: plug-in not built: found no nvcc. To get one: "
                      "cmake -DTY_CUDA_ROOT=$(scripts/setup --cuda)", text)
        self.assertIn("found <FALSE>", text)
        self.assertIn("found no nvcc", self.configure("-DTY_CUDA=ON", fails=True))

    def test_off_is_off(self):
        root = self.lay_nvcc(self.folder / "cu13")
        self.assertIn("TY_CUDA is OFF", self.configure("-DTY_CUDA=OFF", CUDA_HOME=str(root)))

    def test_the_layout_of_the_wheels(self):
        root = self.lay_nvcc(self.folder / "nvidia/cu13")
        self.lay_cudnn(self.folder / "nvidia/cudnn")
        self.lay_nccl(self.folder / "nvidia/nccl")
        text = self.configure(f"-DTY_CUDA_ROOT={root}")
        self.assertIn(f"CUDA: 13.0.88 in {root}, cuBLASLt 13.1.0, cuDNN 9.19.2, NCCL 2.28.9", text)
        self.assertIn(f"runtime <{root}/lib/libcudart.so.13>", text)
        self.assertIn(f"{root}/lib:{root.parent}/cudnn/lib:{root.parent}/nccl/lib", text)

    def test_all_in_one_root_that_the_path_leads_to_by_a_link(self):
        root = self.lay_nvcc(self.folder / "cuda-13.0")
        self.lay_cudnn(root, "lib64")
        self.lay_nccl(root, "lib64")
        links = self.folder / "links"
        links.mkdir()
        (links / "nvcc").symlink_to(root / "bin/nvcc")
        text = self.configure(PATH=f"{links}:/usr/bin:/bin")
        self.assertIn(f"CUDA: 13.0.88 in {root}", text)

    def test_packages_elsewhere_are_named_by_the_environment(self):
        root = self.lay_nvcc(self.folder / "cuda")
        self.lay_cudnn(self.folder / "elsewhere", "lib/x86_64-linux-gnu")
        self.lay_nccl(self.folder / "third")
        text = self.configure(CUDA_HOME=str(root), CUDNN_ROOT=f"{self.folder}/elsewhere",
                              NCCL_HOME=f"{self.folder}/third")
        self.assertIn("found <TRUE>", text)
        self.assertIn(f"{self.folder}/elsewhere/lib/x86_64-linux-gnu:{self.folder}/third/lib", text)

    def test_another_major_version_is_passed_over(self):
        old, new = self.lay_nvcc(self.folder / "old", "12.8.93"), self.lay_nvcc(self.folder / "new")
        self.lay_cudnn(new)
        self.lay_nccl(new)
        self.assertIn("is version 12.8.93, want 13", self.configure(CUDA_HOME=str(old)))
        text = self.configure(CUDA_HOME=str(old), PATH=f"{new}/bin:/usr/bin:/bin")
        self.assertIn(f"CUDA: 13.0.88 in {new}", text)

    def test_what_is_missing_is_named(self):
        root = self.lay_nvcc(self.folder / "cuda")
        self.lay_cudnn(root)
        text = self.configure(CUDA_HOME=str(root))
        self.assertIn(f"{root} has no nccl.h or libnccl.so.2", text)
        self.assertIn("has no nccl.h", self.configure(f"-DTY_CUDA_ROOT={root}", fails=True))


if __name__ == "__main__":
    unittest.main(verbosity=2)
