"""kernels/cuda/resources.tsv: a line a kernel. Most columns are measured (scripts/cuda-table writes them); the last two
are decided by who wrote the kernel, and survive:

    memory   128         it is bound by memory and must load and store 128 bits at once on every GPU
             128 load    the same for what only reads (reductions), 128 store for what only writes
             otherwise   the reason why it need not
    double   no          it has no instruction in double precision
             otherwise   the reason why it has"""
import os
import subprocess

import cubin

PATH = cubin.ROOT / "kernels/cuda/resources.tsv"
MEASURED = ["source", "kernel", "threads", "shared", *(f"regs_{a[3:]}" for a in cubin.ARCHS),
            *(f"occ_{a[3:]}" for a in cubin.ARCHS), "ld128", "st128"]
DECIDED = {"memory": "128", "double": "no"}
COLUMNS = MEASURED + list(DECIDED)


def nvcc_version():
    text = cubin.run("nvcc", "--version")
    return text.split(" V")[1].split()[0]


def occupancies(kernels):
    """Percent of an SM's threads for each (arch, registers, shared, threads)."""
    capability = lambda arch: f"{arch[3:-1]} {arch[-1]}"
    lines = "".join(f"{capability(arch)} {' '.join(map(str, numbers))}\n" for arch, *numbers in kernels)
    done = subprocess.run([os.environ["TILTYARD_OCCUPANCY"]], input=lines, check=True, capture_output=True, text=True)
    return [int(line.split()[1]) for line in done.stdout.splitlines()]


def wide(instructions, what):
    """How many of a kernel's instructions are global loads (LDG) or stores (STG) of 128 bits or more."""
    return sum(i.startswith(what) and (".128" in i.split()[0] or ".256" in i.split()[0]) for i in instructions)


def measure(binary):
    """{(source, kernel): {column: text}} of what was built."""
    usage, threads, sass = cubin.usage(binary), cubin.threads(binary), cubin.instructions(binary)
    rows = {}
    for key in sorted(usage):
        archs, bounds = usage[key], threads.get(key)
        assert set(archs) == set(cubin.ARCHS), f"{key} is built for {sorted(archs)}, want {cubin.ARCHS}"
        assert bounds, f"{key} has no __launch_bounds__"
        row = {"source": key[0], "kernel": key[1], "threads": bounds, "shared": archs["sm_90"]["shared"]}
        row |= {f"regs_{a[3:]}": archs[a]["registers"] for a in cubin.ARCHS}
        told = occupancies((a, archs[a]["registers"], archs[a]["shared"], bounds) for a in cubin.ARCHS)
        row |= {f"occ_{a[3:]}": f"{percent}%" for a, percent in zip(cubin.ARCHS, told)}
        row |= {"ld128": wide(sass[key]["sm_90"], "LDG"), "st128": wide(sass[key]["sm_90"], "STG")}
        rows[key] = {column: str(value) for column, value in row.items()}
    return rows


def read(path=PATH):
    """The nvcc that the table was made with, and its rows; nothing where there is no table."""
    if not path.exists():
        return "", {}
    lines = path.read_text().splitlines()
    rows = [dict(zip(COLUMNS, line.split("\t"))) for line in lines if not line.startswith("#")]
    return lines[0].split()[2].rstrip(":"), {(row["source"], row["kernel"]): row for row in rows[1:]}


def decide(measured, committed):
    """Measured rows with what was decided about each kernel."""
    return {key: row | {c: committed.get(key, {}).get(c, default) for c, default in DECIDED.items()}
            for key, row in measured.items()}


def text_of(version, rows):
    head = (f"# nvcc {version}: written by scripts/cuda-table from the built plug-in; compared by tests/gpu_static.\n"
            "# Registers and percent of an SM's threads for sm_75 ... sm_120; 128-bit loads, stores in sm_90's code.\n"
            "# memory and double are decided by hand: tests/gpu_static/table.py says how.\n")
    lines = ["\t".join(COLUMNS), *("\t".join(row[c] for c in COLUMNS) for _, row in sorted(rows.items()))]
    return head + "\n".join(lines) + "\n"
