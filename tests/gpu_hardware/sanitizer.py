"""NVIDIA's own checker over the tests that are one process each. It needs hardware."""
import dataclasses
import os
import shutil

import rows

TOOLS = ("memcheck", "racecheck", "initcheck", "synccheck")
FOUND = "11"  # what it exits with when it reports something


def run_all(chosen, say):
    """A result for each tool and program; nothing where the checker is not installed."""
    checker = shutil.which("compute-sanitizer")
    if not checker:
        return
    for row in chosen:
        is_program = row.ranks == 1 and "python" not in os.path.basename(row.command[0])
        for tool in TOOLS if is_program else ():
            command = [checker, "--tool", tool, "--error-exitcode", FOUND, *row.command]
            result = rows.run(dataclasses.replace(row, name=f"{tool}: {row.name}", command=command))
            say(result)
            yield result
