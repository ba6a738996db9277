"""Files whose sizes no 32 bits hold, through a real MLflow server and in parts: test_mlflow_large.py PROBE."""
import glob
import http.server
import json
import os
import random
import shutil
import socket
import subprocess
import threading

from client_case import Case, main
from fault_proxy import Say

MiB = 1 << 20
ZEROS = memoryview(bytes(MiB))
SPARE = 64 * MiB  # what our client may take for a file of any size


def peak_of(process):
    """The most memory that a process has had, in bytes."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))


def solid(read, size):
    """{offset: block} of what is not zero in so many bytes."""
    found, at = {}, 0
    while at < size:
        block = read(min(size - at, MiB))
        if block != ZEROS[:len(block)]:
            found[at] = block
        at += len(block) or size  # an end that comes too early
    return found


class PartStore(http.server.ThreadingHTTPServer):
    """Takes the parts of an upload and keeps of each its size and what is not zero."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), PartHandler)
        self.parts = {}
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def offer(self, n):
        """What a server answers who is asked for n parts."""
        url = f"http://127.0.0.1:{self.server_address[1]}"
        parts = [{"url": f"{url}/{i + 1}", "part_number": i + 1, "headers": {}} for i in range(n)]
        return json.dumps({"upload_id": "u", "credentials": parts})

    def stop(self):
        self.shutdown()
        self.server_close()
        self.thread.join()


class PartHandler(http.server.BaseHTTPRequestHandler):
    protocol_version, rbufsize = "HTTP/1.1", 0  # what a buffer copies once more is most of the work here

    def read(self, n):
        return self.connection.recv(n, socket.MSG_WAITALL)

    def do_PUT(self):
        size = int(self.headers["Content-Length"])
        self.server.parts[int(self.path[1:])] = (size, solid(self.read, size))
        self.send_response(200)
        self.send_header("ETag", f'"{self.path[1:]}"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


class Large(Case):
    def setUp(self):
        super().setUp()
        run = self.new_run()
        self.run_id, self.root = run["id"], run["artifact_uri"]

    def sparse(self, size):
        """A file of holes but for random blocks at its ends and round each multiple of 2 GiB."""
        path, rng = os.path.join(self.folder, "sparse"), random.Random(29)
        with open(path, "wb") as file:
            for at in (0, *range(1 << 31, size, 1 << 31), size):
                file.seek(max(0, min(at, size) - MiB))
                file.write(rng.randbytes(min(2 * MiB, size - file.tell())))
        self.assertEqual(os.path.getsize(path), size)
        return path

    def assert_same(self, path, other):
        """By cmp, since reading files of this size in Python takes longer than sending them."""
        done = subprocess.run(["cmp", path, other], capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""))

    def test_c29_a_file_of_3_gb_arrives_whole_and_takes_no_memory_for_it(self):
        size = 3_000_000_001
        if shutil.disk_usage(self.folder).free < 8 * 10**9:
            self.skipTest("less than 8 GB are free here, and the file is there twice while it is sent")
        local, before = self.sparse(size), peak_of(self.probe.process)
        self.probe.upload(root=self.root, path="huge.bin", local=local)
        self.assertEqual([(f.path, f.file_size) for f in self.peer.list_artifacts(self.run_id)], [("huge.bin", size)])
        back = os.path.join(self.folder, "back")
        self.probe.download(root=self.root, path="huge.bin", local=back)
        self.assert_same(back, local)
        self.assertLess(peak_of(self.probe.process) - before, SPARE)
        (kept,) = glob.glob(f"{self.server.folder}/artifacts/**/huge.bin", recursive=True)
        self.assert_same(kept, local)

    def test_c33_parts_beyond_4_gib_are_those_of_the_file(self):
        """Into a store that drops the zeros: moto's holds what it is sent in memory."""
        part, size, store, proxy = 64 * MiB, (1 << 32) + 3 * MiB + 1, PartStore(), self.start_proxy()
        self.addCleanup(store.stop)
        n = -(-size // part)
        proxy.fault("POST", "mpu/create", Say(200, store.offer(n)))
        proxy.fault("POST", "mpu/complete", Say(200, "{}"))
        proxy.fault("GET", "/artifacts?", Say(200, json.dumps({"files": [{"path": "huge", "file_size": size}]})))
        probe = self.start_probe(proxy.url, env={"MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": str(part)})
        local, before = self.sparse(size), peak_of(probe.process)
        probe.upload(root=self.root, path="huge", local=local)
        self.assertLess(peak_of(probe.process) - before, SPARE)
        sizes = {i + 1: min(part, size - i * part) for i in range(n)}
        self.assertEqual({number: kept[0] for number, kept in store.parts.items()}, sizes)
        with open(local, "rb") as file:
            wrong = [i for i, bytes_ in sizes.items() if solid(file.read, bytes_) != store.parts[i][1]]
        self.assertEqual(wrong, [])
        (told,) = [json.loads(r.body)["parts"] for r in proxy.seen if "mpu/complete" in r.path]
        self.assertEqual([(p["part_number"], p["etag"]) for p in told], [(i + 1, f'"{i + 1}"') for i in range(n)])


if __name__ == "__main__":
    main()
