"""What the suites of our client against a real MLflow server share: a server for each, our client at the end of two
pipes, MLflow's own client to read back with. TILTYARD_TEST_SERVER (mlflow-3.0.1, ...) names an older server."""
import os
import shutil
import sys
import tempfile
import unittest
import uuid

from fault_proxy import FaultProxy
from mlflow_peer import MlflowPeers, MlflowServer, Probe, bits_of

with MlflowPeers():
    import mlflow
    from mlflow.tracking import MlflowClient

NOW = 1_700_000_000_000


class Case(unittest.TestCase):
    patience, env = "3", None
    program = server = None

    @classmethod
    def setUpClass(cls):
        cls.server = MlflowServer().start()
        cls.addClassCleanup(cls.server.remove)
        mlflow.set_tracking_uri(cls.server.url)

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tiltyard-client-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.peer = MlflowClient(self.server.url)
        self.probe = self.start_probe(self.server.url)

    def start_probe(self, url, patience=None, env=None):
        probe = Probe(self.program, url, patience or self.patience, env or self.env)
        self.addCleanup(probe.close)
        return probe

    def start_proxy(self, **options):
        proxy = FaultProxy(self.server.url, **options).start()
        self.addCleanup(proxy.stop)
        return proxy

    def new_experiment(self):
        return self.probe.make_experiment(name=f"e-{uuid.uuid4().hex}")["id"]

    def new_run(self, probe=None, **more):
        wanted = {"experiment_id": self.new_experiment(), "uid": uuid.uuid4().hex, "name": "one", "user": "me",
                  "start_ms": NOW, **more}
        return (probe or self.probe).make_run(**wanted)["run"]

    def has_models(self):
        """Logged models came with MLflow 3: of an older server our client says that it is too old."""
        if self.server.major >= 3:
            return True
        answer = self.refused(self.probe, "make_model", experiment_id=self.new_experiment(), uid="u", name="net")
        self.assertEqual(answer["status"], "ERR_NOT_FOUND")
        self.assertIn("too old for it", answer["message"])
        return False

    def refused(self, probe, name, /, **arguments):
        answer = probe.try_call(name, **arguments)
        self.assertNotEqual(answer["status"], "OK", f"{name} {str(arguments)[:200]}")
        return answer

    def file(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def history(self, run_id, key):
        return sorted((m.step, m.timestamp, bits_of(m.value)) for m in self.peer.get_metric_history(run_id, key))


def main():
    Case.program = os.path.abspath(sys.argv.pop(1))
    unittest.main(module="__main__", verbosity=2)
