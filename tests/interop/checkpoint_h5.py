"""Checks that h5py and h5dump read a checkpoint as it is: checkpoint_h5.py WRITER. Exit 77: a tool is missing."""
import os
import shutil
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy
except ImportError as why:
    print(f"skipped: {why}; want Debian's python3-h5py")
    sys.exit(77)
if not shutil.which("h5dump"):
    print("skipped: no h5dump; want Debian's hdf5-tools")
    sys.exit(77)

STEP = 7
WANT = {
    "model/layers.0.linear.weight": (numpy.arange(42, dtype="<f4") + STEP / 2).reshape(6, 7),
    "model/layers.1.conv2d.weight": (numpy.arange(50000, dtype="<f4") * 7 + STEP).reshape(10, 50, 100),
    "optimizer/m/layers.0.linear.weight": 1 / numpy.arange(1 + STEP, 4 + STEP, dtype="<f8"),
    "data/labels": numpy.arange(5, dtype="<i4") - STEP,
    "counts": numpy.array([[STEP << 33, (STEP << 33) + 1]], dtype="<i8"),
    "data/bytes": numpy.arange(STEP, STEP + 9, dtype="u1"),
}


def check_h5py(path):
    with h5py.File(path, "r") as file:
        found = []
        file.visititems(lambda name, item: found.append(name) if isinstance(item, h5py.Dataset) else None)
        assert sorted(found) == sorted([*WANT, "config", "data_state", "state"]), found
        for name, want in WANT.items():
            got = file[name]
            assert got.dtype == want.dtype and got.shape == want.shape, name
            assert (got[()] == want).all(), name
            assert got.attrs["xxh3_64"].dtype == numpy.dtype("<u8"), name
        assert file["state"][()].decode() == '{"consumed":224,"note":"\u00e4"}', file["state"][()]
        assert file["config"][()].decode() == '{"seed": 1}'
        assert file["data_state"][()].decode() == ""
        assert file.attrs["schema"].decode() == "tiltyard.checkpoint/1"
        assert file.attrs["step"] == STEP
        assert file.userblock_size == 512


def main(writer):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "step_000000000007.h5")
        subprocess.run([writer, path], check=True)
        check_h5py(path)
        dump = subprocess.run(["h5dump", "-H", path], check=True, capture_output=True, text=True).stdout
        assert 'DATASET "linear.weight"' not in dump and 'DATASET "layers.0.linear.weight"' in dump, dump
        subprocess.run(["h5dump", path], check=True, stdout=subprocess.DEVNULL)
    print(f"h5py {h5py.__version__} and h5dump read {len(WANT)} tensors and 3 texts")


main(sys.argv[1])
