"""The commands of docs/TUTORIAL.md, all of them, in one folder: test_tutorial.py TILTYARD."""
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from peers import Peers, free_port

with Peers():
    import mlflow  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]


def script():
    """The blocks, each preceded by its commands, on ports that are free here."""
    text = (ROOT / "docs/TUTORIAL.md").read_text()
    for port in ("5000", "5001"):
        text = text.replace(f":{port}", f":{(one := free_port())}").replace(f"--port {port}", f"--port {one}")
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.M | re.S)
    assert len(blocks) > 10, len(blocks)
    return "set -euo pipefail\n" + "\n".join(f"echo '== block {i}'\n{block}" for i, block in enumerate(blocks))


def wanted(out):
    """What a reader is promised, beyond that no command fails."""
    yield "predictions of the named model", re.search(r"^0,(large|small-red|small-blue),", out, re.M)
    yield "pyfunc's answer", "probabilities" in out
    yield "a report without anything pending", re.search(r"all of it acknowledged: [\d,]+ points", out)
    yield "the server's answer", '"predictions"' in out


def main():
    binary = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory(prefix="tiltyard-tutorial-", ignore_cleanup_errors=True) as folder:
        os.symlink(ROOT / "configs", Path(folder) / "configs")
        path = os.pathsep.join([str(binary.parent), str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        env.update(PATH=path, HOME=folder, MLFLOW_DISABLE_TELEMETRY="true", OMPI_ALLOW_RUN_AS_ROOT="1",
                   OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
        with open(Path(folder) / "out", "w+") as file:  # no pipe: the servers would hold it open
            process = subprocess.Popen(["bash", "-c", script()], cwd=folder, env=env, stdout=file,
                                       stderr=subprocess.STDOUT, start_new_session=True)
            try:
                process.wait(900)
            finally:
                os.killpg(process.pid, signal.SIGKILL)
                out = Path(file.name).read_text(errors="replace")
                print(out, flush=True)
    missing = [what for what, found in wanted(out) if not found]
    print(f"\nexit code {process.returncode}; missing: {missing}")
    return process.returncode != 0 or bool(missing)


if __name__ == "__main__":
    sys.exit(main())
