"""What the built CUDA plug-in holds, as NVIDIA's tools tell it: kernels with their registers, instructions and PTX.

The environment names what is looked at (CMake sets it):
    TILTYARD_CUDA_PLUGIN   libtiltyard_cuda.so
    TILTYARD_CUDA_BIN      the toolkit's bin: nvcc, ptxas
    TILTYARD_CUDA_TOOLS    a folder with cuobjdump and nvdisasm; without it those of the toolkit or the PATH"""
import functools
import multiprocessing.pool
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ARCHS = ("sm_75", "sm_80", "sm_90", "sm_100", "sm_120")
LISTED = ("sm_80", "sm_90")  # whose code is read; what all have in common is asked of all


def tool(name):
    """Path of one of NVIDIA's tools; ends the program with 77, which ctest takes for skipped, where there is none."""
    folders = [os.environ.get("TILTYARD_CUDA_TOOLS"), os.environ.get("TILTYARD_CUDA_BIN")]
    for folder in filter(None, folders):
        if Path(folder, name).is_file():
            return str(Path(folder, name))
    found = shutil.which(name)
    if not found:
        print(f"skipped: {name} is absent; bring it with scripts/cuda-wheels --tools, then run cmake again")
        sys.exit(77)
    return found


def need(*names):
    for name in names:
        tool(name)


def run(name, *words, cwd=None):
    """What a tool prints. cuobjdump calls nvdisasm, which is beside it."""
    path = tool(name)
    environment = {**os.environ, "PATH": f"{Path(path).parent}:{os.environ['PATH']}"}
    done = subprocess.run([path, *map(str, words)], capture_output=True, text=True, cwd=cwd, env=environment)
    if done.returncode:
        raise AssertionError(f"{name} {' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


@functools.lru_cache(None)
def plain_name(mangled):
    """A kernel's name as its source has it, with template arguments, without parameters."""
    text = subprocess.run(["c++filt", mangled], check=True, capture_output=True, text=True).stdout.strip()
    text = re.sub(r"_INTERNAL_\w+::|\(anonymous namespace\)::|^void |\s*\[clone[^]]*\]", "", text)
    depth = 0
    for at, c in enumerate(text):
        depth += (c == "<") - (c == ">")
        if c == "(" and depth == 0:
            return text[:at]
    return text


def parts(text):
    """Yields (arch, source, text) of each member of a fat binary that cuobjdump lists."""
    for part in re.split(r"(?m)^Fatbin (?:elf|ptx) code:\n=+\n", text)[1:]:
        arch = re.search(r"(?m)^arch = (\w+)", part).group(1)
        source = re.search(r"(?m)^identifier = (.*)$", part).group(1)
        yield arch, Path(source).stem, part


@functools.lru_cache(None)
def usage(binary):
    """{(source, kernel): {arch: {"registers": , "shared": , "stack": , "local": }}}"""
    kernels = {}
    row = re.compile(r"(?m)^ Function (\S+):\n\s+REG:(\d+) STACK:(\d+) SHARED:(\d+) LOCAL:(\d+)")
    for arch, source, text in parts(run("cuobjdump", "--dump-resource-usage", binary)):
        for name, registers, stack, shared, local in row.findall(text):
            kernels.setdefault((source, plain_name(name)), {})[arch] = {
                "registers": int(registers), "shared": int(shared), "stack": int(stack), "local": int(local)}
    return kernels


def disassemble(path):
    """[(kernel, [instruction with its operands, ...])] of a cubin."""
    line = re.compile(r"(?m)^\s+/\*[0-9a-f]{4,}\*/\s+(?:@!?U?P\w+\s+)?([A-Z][^;]*?)\s*;")
    text = run("nvdisasm", "-c", "-ndf", path)
    for body in re.split(r"(?m)^\.text\.", text)[1:]:
        name, _, code = body.partition(":\n")
        yield plain_name(name), line.findall(code)


@functools.lru_cache(None)
def instructions(binary):
    """{(source, kernel): {arch: [instruction with its operands, ...]}} for LISTED GPUs."""
    kernels = {}
    with tempfile.TemporaryDirectory() as folder, multiprocessing.pool.ThreadPool() as pool:
        run("cuobjdump", "-xelf", "all", Path(binary).resolve(), cwd=folder)
        paths = [path for path in sorted(Path(folder).glob("*.cubin")) if path.name.split(".")[-2] in LISTED]
        for path, found in zip(paths, pool.map(lambda path: list(disassemble(path)), paths)):
            for name, listing in found:
                kernels.setdefault((path.name.split(".")[0], name), {})[path.name.split(".")[-2]] = listing
    return kernels


def extract_ptx(binary, folder):
    """Writes the PTX that binary carries into folder; gives the files."""
    run("cuobjdump", "-xptx", "all", Path(binary).resolve(), cwd=folder)
    return sorted(Path(folder).glob("*.ptx"))


@functools.lru_cache(None)
def threads(binary):
    """{(source, kernel): threads per block, as __launch_bounds__ has them}; None where a kernel has no bounds."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in extract_ptx(binary, folder):
            text = path.read_text()
            for name, directives in re.findall(r"\.entry (\w+)\([^)]*\)([^{]*)\{", text):
                bounds = re.search(r"\.maxntid (\d+)(?:, (\d+))?(?:, (\d+))?", directives)
                block = [int(n) for n in bounds.groups() if n] if bounds else None
                source = path.name.split(".")[0]
                found[source, plain_name(name)] = functools.reduce(int.__mul__, block) if block else None
    return found
