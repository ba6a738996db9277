"""What every kernel must hold, as functions that give the offences. test_rules.py breaks each of them once."""
import re
import subprocess
import tempfile

import cubin
import table

LOCAL = re.compile(r"(LDL|STL)\b")
DOUBLE = re.compile(r"(DADD|DMUL|DFMA|DSETP|DMNMX)\b|MUFU\.\w*64H|[FI]2[FI]\S*\.F64")
REGISTERS_PER_SM = 65536


def spills(binary):
    """ptxas once more for every GPU that runs the PTX which binary carries, spills and local memory being errors."""
    with tempfile.TemporaryDirectory() as folder:
        for path in cubin.extract_ptx(binary, folder):
            for arch in cubin.ARCHS[1:]:
                words = ["ptxas", f"-arch={arch}", "-warn-spills", "-warn-lmem-usage", "-Werror", "-o", "/dev/null"]
                done = subprocess.run([cubin.tool("ptxas"), *words[1:], path], capture_output=True, text=True)
                if done.returncode:
                    yield f"{path.name} for {arch}: {done.stderr.strip()}"


def local_memory(binary):
    """Frames, local arrays and accesses to them, on every GPU (a spill is one)."""
    sass = cubin.instructions(binary)
    for key, archs in cubin.usage(binary).items():
        for arch, used in archs.items():
            if used["stack"] or used["local"]:
                yield f"{key} on {arch}: {used['stack']} bytes of stack, {used['local']} of local memory"
            if any(LOCAL.match(i) for i in sass[key].get(arch, ())):
                yield f"{key} on {arch}: loads from or stores to local memory"


def launch_bounds(binary):
    """A kernel without bounds, or whose block does not fit the registers of an SM."""
    usage = cubin.usage(binary)
    for key, threads in cubin.threads(binary).items():
        if not threads:
            yield f"{key}: no __launch_bounds__"
            continue
        for arch, used in usage[key].items():
            if registers_of_block(used["registers"], threads) > REGISTERS_PER_SM:
                yield f"{key} on {arch}: {used['registers']} registers x {threads} threads"


def registers_of_block(registers, threads):
    """Registers are given to whole warps, 256 at a time."""
    warps = (threads + 31) // 32
    return warps * ((registers * 32 + 255) // 256) * 256


def narrow_access(binary, rows):
    """Kernels that the table says move 128 bits at once, and that do not somewhere."""
    for key, archs in cubin.instructions(binary).items():
        memory = rows.get(key, table.DECIDED)["memory"]
        wanted = {"128": ("LDG", "STG"), "128 load": ("LDG",), "128 store": ("STG",)}.get(memory, ())
        for what in wanted:
            narrow = [arch for arch, instructions in archs.items() if not table.wide(instructions, what)]
            if narrow:
                yield f"{key} on {', '.join(narrow)}: no {what}.E.128; its memory column says \"{memory}\""


def doubles(binary, rows):
    """Instructions in double precision where the table has no reason for them, and reasons without such."""
    for key, archs in cubin.instructions(binary).items():
        reason = rows.get(key, table.DECIDED)["double"]
        found = sorted({i.split()[0] for text in archs.values() for i in text if DOUBLE.match(i)})
        if found and reason == "no":
            yield f"{key}: {', '.join(found)}; a float would do, or its double column says why not"
        if not found and reason != "no":
            yield f"{key}: its double column says \"{reason}\", but it has no such instruction"
