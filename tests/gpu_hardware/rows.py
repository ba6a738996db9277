"""The tests that run on the simulator, as ctest knows them, run on what is there instead: a row's command is
tests/cudasim/run [options] -- PROGRAM ARGS, or a program under LD_PRELOAD."""
import dataclasses
import json
import os
import re
import subprocess
import time
from dataclasses import dataclass, field

# What only a simulator can do: fail on demand, drop a barrier.
ONLY_SIMULATED = ("CUDASIM_FAIL", "CUDASIM_MUTATE", "CUDASIM_MEMORY")

# Tests that preload $CUDASIM_LIBRARY under the programs they start, and need nothing else of it; the GPUs they want.
PRELOADING = {"e2e.gpu_quickstart": 1, "e2e.gpu_curves": 1, "e2e.gpu_resuming": 1, "e2e.gpu_ranks": 4}


@dataclass
class Row:
    name: str
    command: list
    environment: dict
    folder: str
    skip_code: int
    ranks: int = 1
    gpus: int = 1


@dataclass
class Result:
    name: str
    verdict: str  # passed, failed, skipped
    seconds: float = 0
    words: str = ""  # of a failure its last lines, of a skip the reason
    tail: list = field(default_factory=list)


def unwrapped(command):
    """(command without the simulator, ranks, GPUs that it wants); None where it does not run on the simulator."""
    if not command[0].endswith("tests/cudasim/run"):
        return None
    end = command.index("--")
    options = dict(zip(command[1:end:2], command[2:end:2]))
    ranks, program = int(options.get("--ranks", 0)), command[end + 1:]
    if ranks:
        program = ["mpirun", "--oversubscribe", "-np", str(ranks), *program]
    return program, max(ranks, 1), ranks or int(options.get("--devices", 1))


def row_of(test, build):
    """The row that a test of ctest's list is on hardware; None for one that is not of it."""
    told = {p["name"]: p["value"] for p in test.get("properties", [])}
    environment = dict(pair.split("=", 1) for pair in told.get("ENVIRONMENT", []))
    found = unwrapped(test.get("command", [""]))
    if test["name"] in PRELOADING:
        found = test["command"], 1, PRELOADING[test["name"]]
    if not found or "simulated" in told.get("LABELS", []) or any(name in environment for name in ONLY_SIMULATED):
        return None
    command, ranks, gpus = found
    if "/tests/cudasim/" in " ".join(command):
        return None  # the simulator's own tests
    environment = {k: v for k, v in environment.items() if not k.startswith("CUDASIM_")}
    environment |= {"TY_TEST_DEVICE": "cuda", "CUDASIM_LIBRARY": os.environ.get("LD_PRELOAD", "")}
    return Row(test["name"], command, environment, told.get("WORKING_DIRECTORY", str(build)),
               told.get("SKIP_RETURN_CODE", 77), ranks, gpus)


def of(build, only="."):
    """Each command once: it may be there on several simulated GPUs."""
    words = ["ctest", "--test-dir", str(build), "--show-only=json-v1"]
    listed = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    rows = {}
    for test in listed["tests"]:
        row = row_of(test, build) if re.search(only, test["name"]) else None
        if row:
            rows.setdefault((tuple(row.command), tuple(sorted(row.environment.items())), row.gpus), row)
    return list(rows.values())


def run(row, timeout_s=900):
    """Runs a row as it is; its words are kept only where it fails."""
    began = time.monotonic()
    try:
        done = subprocess.run(row.command, cwd=row.folder, env=os.environ | row.environment, timeout=timeout_s,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        code, text = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        code, text = -1, f"{late.stdout or ''}\nnot done after {timeout_s} s"
    except OSError as error:
        code, text = -1, str(error)
    seconds = time.monotonic() - began
    if code == row.skip_code:
        return Result(row.name, "skipped", seconds, text.strip().splitlines()[-1] if text.strip() else "")
    if code == 0:
        return Result(row.name, "passed", seconds)
    return Result(row.name, "failed", seconds, f"exit {code}", text.splitlines()[-25:])


def run_all(rows, gpus, say):
    """Each row, or the reason why not: a rank needs a GPU of its own."""
    for row in rows:
        if row.gpus > gpus:
            result = Result(row.name, "skipped", words=f"needs {row.gpus} GPUs, one a rank; here are {gpus}")
        else:
            result = run(row)
        say(result)
        yield result


def on_all_gpus(rows, gpus):
    """The mpirun rows of the largest number of ranks, once more with a rank for every GPU."""
    largest = {}
    for row in (row for row in rows if row.ranks > 1):
        at = next(i for i, word in enumerate(row.command) if word in ("-n", "-np")) + 1
        key = tuple(row.command[:at] + row.command[at + 1:])
        if row.ranks != gpus and row.ranks > largest.get(key, (row, 0))[1]:
            command = row.command[:at] + [str(gpus)] + row.command[at + 1:]
            name = f"{row.name} on {gpus} GPUs"
            largest[key] = (dataclasses.replace(row, name=name, command=command, ranks=gpus, gpus=gpus), row.ranks)
    return [row for row, _ in largest.values()] if gpus > 1 else []
