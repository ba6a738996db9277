"""Artifacts in an S3 store (moto's server): straight, signed by us, and through an MLflow server that keeps them there:
test_mlflow_s3.py PROBE."""
import hashlib
import http.client
import os
import shutil
import sys
import tempfile
import unittest
import uuid

from fault_proxy import Drop, FaultProxy, Say
from mlflow_peer import MlflowPeers, MlflowServer, Probe

SECRET = "canary/secret+key"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDCANARY", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "eu-west-1"}
with MlflowPeers():
    os.environ.update(KEYS)
    import boto3
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials
    import mlflow
    from mlflow.tracking import MlflowClient
    from moto.server import ThreadedMotoServer

PROGRAM = None
NOW = 1_700_000_000_000
BUCKET = "models"


class Stores(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        cls.moto.start()
        host, port = cls.moto.get_host_and_port()
        cls.s3_proxy = FaultProxy(f"http://{host}:{port}").start()
        cls.endpoint = cls.s3_proxy.url
        os.environ["MLFLOW_S3_ENDPOINT_URL"] = cls.endpoint
        cls.s3 = boto3.client("s3", endpoint_url=cls.endpoint)
        where = {"LocationConstraint": KEYS["AWS_DEFAULT_REGION"]}
        cls.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=where)
        cls.server = MlflowServer("--artifacts-destination", f"s3://{BUCKET}/behind").start()
        mlflow.set_tracking_uri(cls.server.url)

    @classmethod
    def tearDownClass(cls):
        cls.server.remove()
        cls.s3_proxy.stop()
        cls.moto.stop()

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tiltyard-s3-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.peer = MlflowClient(self.server.url)
        self.probe = self.start_probe()
        self.s3_proxy.clear()

    def start_probe(self, url=None, **more):
        env = {**KEYS, "MLFLOW_S3_ENDPOINT_URL": self.endpoint, **more}
        probe = Probe(PROGRAM, url or self.server.url, "4", {k: v for k, v in env.items() if v is not None})
        self.addCleanup(probe.close)
        return probe

    def new_run(self, place=None):
        experiment = self.peer.create_experiment(uuid.uuid4().hex, artifact_location=place)
        return self.probe.make_run(experiment_id=experiment, uid=uuid.uuid4().hex, name="r", start_ms=NOW)["run"]

    def file(self, data):
        path = os.path.join(self.folder, "f")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def test_c29_files_lie_in_the_bucket_and_come_back(self):
        run = self.new_run(f"s3://{BUCKET}/straight")
        self.assertTrue(run["artifact_uri"].startswith(f"s3://{BUCKET}/straight/"))
        for name, data in (("empty", b""), ("a b/c+d é.bin", b"x"), ("big", os.urandom(3 << 20)), ("100%41", b"%")):
            self.probe.upload(root=run["artifact_uri"], path=name, local=self.file(data))
            with open(self.peer.download_artifacts(run["id"], name, self.folder), "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).digest(), hashlib.sha256(data).digest())
            self.probe.download(root=run["artifact_uri"], path=name, local=f"{self.folder}/back")
            with open(f"{self.folder}/back", "rb") as file:
                self.assertEqual(file.read(), data)
        listed = self.probe.list_files(root=run["artifact_uri"], path="")["files"]
        self.assertEqual(sorted(map(tuple, listed)),
                         [("100%41", False, 1), ("a b", True, 0), ("big", False, 3 << 20), ("empty", False, 0)])
        missing = self.probe.try_call("download", root=run["artifact_uri"], path="none", local=f"{self.folder}/x")
        self.assertEqual(missing["status"], "ERR_NOT_FOUND")

    def test_c29_requests_are_signed_as_botocore_would(self):
        run = self.new_run(f"s3://{BUCKET}/signed")
        probe = self.start_probe(AWS_SESSION_TOKEN="canary-session")
        self.s3_proxy.clear()
        probe.upload(root=run["artifact_uri"], path="a b/c+d é~.bin", local=self.file(b"signed"))
        probe.download(root=run["artifact_uri"], path="a b/c+d é~.bin", local=f"{self.folder}/back")
        self.assertEqual(sorted({r.method for r in self.s3_proxy.seen}), ["GET", "PUT"])
        for request in self.s3_proxy.seen:
            self.assertEqual(request.headers["x-amz-security-token"], "canary-session")
            self.assertEqual(request.headers["x-amz-content-sha256"], hashlib.sha256(request.body).hexdigest())
            got = request.headers["Authorization"]
            self.assertEqual(got.split("Signature=")[1], self.signature(request, got), request)

    def signature(self, request, authorization):
        keys = botocore.credentials.Credentials(KEYS["AWS_ACCESS_KEY_ID"], SECRET, "canary-session")
        auth = botocore.auth.S3SigV4Auth(keys, "s3", KEYS["AWS_DEFAULT_REGION"])
        signed = authorization.split("SignedHeaders=")[1].split(",")[0].split(";")
        url = f"http://{request.headers['Host']}{request.path}"
        headers = {h: request.headers[h] for h in signed}
        again = botocore.awsrequest.AWSRequest(request.method, url, headers, request.body)
        again.context["timestamp"] = request.headers["x-amz-date"]
        auth.headers_to_sign = lambda _: self.message(headers)
        return auth.signature(auth.string_to_sign(again, auth.canonical_request(again)), again)

    def message(self, headers):
        out = http.client.HTTPMessage()
        for name, value in headers.items():
            out[name.lower()] = value
        return out

    def test_c29_long_folders_are_listed_by_pages(self):
        run = self.new_run(f"s3://{BUCKET}/many")
        prefix = run["artifact_uri"].removeprefix(f"s3://{BUCKET}/")
        for i in range(1003):
            self.s3.put_object(Bucket=BUCKET, Key=f"{prefix}/n/{i:04d}", Body=b"z")
        files = self.probe.list_files(root=run["artifact_uri"], path="n")["files"]
        self.assertEqual([f[0] for f in files], [f"n/{i:04d}" for i in range(1003)])

    def test_c29_what_goes_wrong_is_said_without_the_keys(self):
        run = self.new_run(f"s3://{BUCKET}/wrong")
        local = self.file(b"data")
        none = self.start_probe(AWS_ACCESS_KEY_ID=None)
        answer = none.try_call("upload", root=run["artifact_uri"], path="f", local=local)
        self.assertEqual((answer["status"], answer["is_unsent"]), ("ERR_ARG", True))
        self.assertIn("AWS_ACCESS_KEY_ID", answer["message"])
        answer = self.probe.try_call("upload", root="s3://no-such-bucket/x", path="f", local=local)
        self.assertEqual(answer["status"], "ERR_NOT_FOUND")
        self.assertIn("NoSuchBucket", answer["message"])
        denied = "<?xml version='1.0'?><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
        self.s3_proxy.fault("PUT", "/wrong/", Say(403, denied, content_type="application/xml"))
        answer = self.probe.try_call("upload", root=run["artifact_uri"], path="f", local=local)
        self.assertEqual((answer["status"], answer["is_denied"]), ("ERR_FAILED", True))
        self.assertIn("AccessDenied: no", answer["message"])
        for fault in (Drop(), Say(503, denied)):
            self.s3_proxy.fault("PUT", "/wrong/", fault)
            self.probe.upload(root=run["artifact_uri"], path="f", local=local)
        for place in ("s3://", "s3://UP/../x", "s3://a/b/../../c"):
            answer = self.probe.try_call("list_files", root=place, path="")
            self.assertEqual(answer["status"], "ERR_ARG", answer)
        self.assertNotIn("canary", str(answer).lower())

    def test_c33_big_files_go_in_parts_where_the_server_offers_that(self):
        run = self.new_run()
        self.assertTrue(run["artifact_uri"].startswith("mlflow-artifacts:"))
        data = os.urandom(12 << 20)
        sizes = {"MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(6 << 20), "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE": "1"}
        with FaultProxy(self.server.url) as proxy:
            probe = self.start_probe(proxy.url, MLFLOW_TRACKING_TOKEN="canary-token", **sizes)
            self.s3_proxy.clear()
            self.s3_proxy.fault("PUT", "partNumber=2", Say(500, ""))
            probe.upload(root=run["artifact_uri"], path="a b/big", local=self.file(data))
            self.assertEqual([proxy.count("POST", f"/mpu/{v}") for v in ("create", "complete", "abort")], [1, 1, 0])
            parts = [r for r in self.s3_proxy.seen if r.method == "PUT"]
            self.assertEqual([len(r.body) >> 20 for r in parts], [5, 5, 5, 2])
            self.assertTrue(all("canary-token" not in str(r.headers) for r in parts))
            with open(self.peer.download_artifacts(run["id"], "a b/big", self.folder), "rb") as file:
                self.assertEqual(hashlib.sha256(file.read()).digest(), hashlib.sha256(data).digest())
            self.s3_proxy.fault("PUT", "partNumber=2", Say(403, ""), times=10)
            answer = probe.try_call("upload", root=run["artifact_uri"], path="gone", local=self.file(data))
            self.assertEqual(answer["status"], "ERR_FAILED", answer)
            self.assertEqual(proxy.count("POST", "/mpu/abort"), 1)
        self.assertEqual(self.s3.list_multipart_uploads(Bucket=BUCKET).get("Uploads", []), [])


if __name__ == "__main__":
    PROGRAM = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)
