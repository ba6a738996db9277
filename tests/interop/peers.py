"""Whose python a suite runs under, what it says where a peer is missing there, and on which port a peer may listen.

    from peers import Peers

    with Peers():            # what `scripts/peers` brings; Peers("sweeps"): what `scripts/peers sweeps` does
        import optuna

The suite begins anew under the python that TILTYARD_PEERS_PYTHON names (TILTYARD_SWEEPS_PYTHON), where one is named.
What cannot be imported there ends it with exit code 77, which ctest takes for skipped."""
import os
import random
import socket
import sys


class Peers:
    def __init__(self, name="peers"):
        self.variable = f"TILTYARD_{name.upper()}_PYTHON"
        self.command = "scripts/peers" if name == "peers" else f"scripts/peers {name}"

    def __enter__(self):
        python = os.environ.get(self.variable)
        if python and os.environ.get("TILTYARD_IN_PEERS") != "1":
            os.execve(python, [python, "-B", *sys.argv], {**os.environ, "TILTYARD_IN_PEERS": "1"})

    def __exit__(self, kind, why, trace):
        if kind and issubclass(kind, ImportError):
            print(f"skipped: {why}; want {self.variable}=$({self.command})")
            sys.exit(77)


def free_port():
    """One that nobody takes before its server has: below those that the kernel gives to whoever connects, as the suites
    that run beside this one do all the time."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
