"""Files sent through a real MLflow server and read back by MLflow's own client: test_mlflow_artifacts.py PROBE."""
import hashlib
import os

from client_case import Case, main
from fault_proxy import Drop, ResetMidBody, Say, Unheard


class Artifacts(Case):
    def setUp(self):
        super().setUp()
        run = self.new_run()
        self.run_id, self.root = run["id"], run["artifact_uri"]

    def download(self, path):
        with open(self.peer.download_artifacts(self.run_id, path, self.folder), "rb") as file:
            return file.read()

    def test_c29_files_of_all_sizes_arrive_whole(self):
        for size in (0, 1, 1 << 20, 64 << 20):
            data = hashlib.shake_128(str(size).encode()).digest(min(size, 1 << 20)) * max(1, size >> 20)
            data = data[:size]
            local = self.file(f"up-{size}", data)
            self.probe.upload(root=self.root, path=f"sizes/{size}.bin", local=local)
            self.assertEqual(hashlib.sha256(self.download(f"sizes/{size}.bin")).digest(), hashlib.sha256(data).digest())
            back = os.path.join(self.folder, f"back-{size}")
            self.probe.download(root=self.root, path=f"sizes/{size}.bin", local=back)
            with open(back, "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).digest(), hashlib.sha256(data).digest())
        self.assertEqual([f for f in os.listdir(self.folder) if f.startswith(".tmp")], [])

    def test_c30_odd_names(self):
        # Older servers take and list what Latin-1 has not, and hang up on who wants it back.
        foreign = "grüße/日本.txt" if self.server.is_newest else "grüße/größe.txt"
        good = ["a b.txt", "100%.txt", "c+d.txt", foreign, "~x", "a:b", "a&b=c", "quote'\"", "x;y", "%z"]
        local = self.file("f", b"content")
        for name in good:
            self.probe.upload(root=self.root, path=f"odd/{name}", local=local)
            self.assertEqual(self.download(f"odd/{name}"), b"content", name)
            self.probe.download(root=self.root, path=f"odd/{name}", local=f"{self.folder}/back")
        bad = ["", "../x", "a/../b", "/etc/passwd", "a//b", "a#b", "a%41", "a\nb", "a\\b", ".", "x" * 256]
        for name in bad:
            answer = self.refused(self.probe, "upload", root=self.root, path=name, local=local)
            self.assertEqual((answer["status"], answer["is_unsent"]), ("ERR_ARG", True), repr(name))

    def test_c30_names_that_a_server_lists_are_not_believed(self):
        proxy = self.start_proxy()
        listing = ('{"files": [{"path": "../../x", "file_size": 1}, {"path": "..", "is_dir": true},'
                   ' {"path": "a\\u0001b"}, {"path": "good", "file_size": "7"}, {"path": 7}, {"path": "a\\\\b"}]}')
        proxy.fault("GET", "mlflow-artifacts/artifacts", Say(200, listing))
        files = self.start_probe(proxy.url).list_files(root=self.root, path="")["files"]
        self.assertEqual(sorted(f[0] for f in files), ["good", "x"])

    def test_c31_a_tree_is_listed(self):
        for path in ("top", "a/one", "a/two", "a/b/three"):
            self.probe.upload(root=self.root, path=path, local=self.file("f", path.encode()))
        listed = lambda path: sorted(map(tuple, self.probe.list_files(root=self.root, path=path)["files"]))
        self.assertEqual(listed(""), [("a", True, 0), ("top", False, 3)])
        self.assertEqual(listed("a"), [("a/b", True, 0), ("a/one", False, 5), ("a/two", False, 5)])
        self.assertEqual(listed("nowhere"), [])
        missing = self.refused(self.probe, "download", root=self.root, path="nowhere/x", local=f"{self.folder}/x")
        self.assertEqual(missing["status"], "ERR_NOT_FOUND")
        self.assertFalse(os.path.exists(f"{self.folder}/x"))

    def test_c32_an_upload_that_came_out_short_is_told(self):
        proxy = self.start_proxy()
        probe = self.start_probe(proxy.url)
        local = self.file("f", b"x" * 1000)
        proxy.fault("PUT", "/artifacts/", Say(200, "{}"))
        answer = self.refused(probe, "upload", root=self.root, path="lost", local=local)
        self.assertEqual(answer["status"], "ERR_INTEGRITY")
        proxy.fault("GET", "/artifacts?", Say(200, '{"files": [{"path": "short", "file_size": 0}]}'))
        self.assertIn("want 1000", self.refused(probe, "upload", root=self.root, path="short", local=local)["message"])
        for fault in (Drop(), ResetMidBody(), Say(503, "no")):
            proxy.fault("PUT", "/artifacts/", fault)
            probe.upload(root=self.root, path="again", local=local)
            self.assertEqual(self.download("again"), b"x" * 1000)
        for fault in (ResetMidBody(), Unheard(), Say(503, "half a page that must not end in the file")):
            proxy.fault("GET", "/artifacts/", fault)
            probe.download(root=self.root, path="again", local=f"{self.folder}/back")
            with open(f"{self.folder}/back", "rb") as file:
                self.assertEqual(file.read(), b"x" * 1000)

    def test_c33_without_parts_a_big_file_goes_at_once(self):
        proxy = self.start_proxy()
        probe = self.start_probe(proxy.url, env={"MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": "1000"})
        for name in ("one", "two"):
            probe.upload(root=self.root, path=name, local=self.file("f", b"y" * 2000))
            self.assertEqual(self.download(name), b"y" * 2000)
        self.assertEqual(proxy.count("POST", "mpu/create"), 1)  # the answer is remembered
        self.assertEqual(proxy.count("PUT", "/artifacts/"), 2)

    def test_c35_a_folder_of_the_server_is_told_apart(self):
        local = self.file("f", b"here")
        for root in ("/srv-nowhere/mlruns/1/abc/artifacts", "file:///srv-nowhere/mlruns/1/abc/artifacts"):
            answer = self.refused(self.probe, "upload", root=root, path="f", local=local)
            self.assertEqual(answer["status"], "ERR_ARG")
            self.assertIn("--serve-artifacts", answer["message"])
        os.makedirs(f"{self.folder}/mlruns")
        root = f"{self.folder}/mlruns/1/abc/artifacts"
        self.probe.upload(root=root, path="a/f", local=local)
        self.assertEqual(self.probe.list_files(root="file://" + root, path="a")["files"], [["a/f", False, 4]])
        self.probe.download(root=root, path="a/f", local=f"{self.folder}/back")
        for root in ("gs://bucket/x", "dbfs:/x", "wasbs://c@a/x", "mlruns/1/abc/artifacts", "ftp://x/y"):
            answer = self.refused(self.probe, "upload", root=root, path="f", local=local)
            self.assertIn("--serve-artifacts", answer["message"])
        for root in ("mlflow-artifacts://elsewhere:1/x", "http://elsewhere/api/2.0/mlflow-artifacts/artifacts/x"):
            self.assertIn("another server", self.refused(self.probe, "list_files", root=root, path="")["message"])


if __name__ == "__main__":
    main()
