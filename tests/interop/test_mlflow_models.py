"""Logged and registered models on a real MLflow server, read back by MLflow's own client:
test_mlflow_models.py PROBE."""
import threading
import uuid

from client_case import NOW, Case, main


class Models(Case):
    def make_model(self, **more):
        run = self.new_run()
        wanted = {"experiment_id": run["experiment_id"], "uid": uuid.uuid4().hex, "name": "net", "run_id": run["id"],
                  "type": "onnx", **more}
        return run, self.probe.make_model(**wanted)["model"]

    def make_files(self):
        """A run, and what versions are made from: a logged model, or where there is none a run's artifacts."""
        if self.has_models():
            run, model = self.make_model()
            return run, {"source": f"models:/{model['id']}", "model_id": model["id"]}, model["artifact_uri"]
        run = self.new_run()
        return run, {"source": f"{run['artifact_uri']}/model"}, f"{run['artifact_uri']}/model"

    def test_d36_a_logged_model_is_made_filled_and_finished(self):
        if not self.has_models():
            return
        params = {f"p{i}": str(i) for i in range(250)}
        run, model = self.make_model(params=params, tags={"kind": "best"})
        self.probe.upload(root=model["artifact_uri"], path="MLmodel", local=self.file("MLmodel", b"flavors: {}\n"))
        self.assertEqual(self.peer.get_logged_model(model["id"]).status.value, "PENDING")
        self.probe.finalize_model(id=model["id"], is_ready=True)
        self.probe.tag_model(id=model["id"], tags={"more": "tags"})
        for _ in range(2):
            self.probe.log_output(run_id=run["id"], model_id=model["id"], step=7)
        self.probe.log_batch(run_id=run["id"], metrics=[["test/acc", 0.5, NOW, 7, model["id"], "fashion", "abc"]])
        seen = self.peer.get_logged_model(model["id"])
        self.assertEqual((seen.status.value, seen.source_run_id, seen.model_type), ("READY", run["id"], "onnx"))
        self.assertEqual(seen.params, params)
        self.assertEqual((seen.tags["kind"], seen.tags["more"]), ("best", "tags"))
        self.assertEqual([(m.key, m.value, m.dataset_name) for m in seen.metrics], [("test/acc", 0.5, "fashion")])
        outputs = self.peer.get_run(run["id"]).outputs.model_outputs
        self.assertEqual([(o.model_id, o.step) for o in outputs], [(model["id"], 7)])
        ours = self.probe.get_model(id=model["id"])["model"]
        self.assertEqual((ours["model_status"], ours["params"]), ("LOGGED_MODEL_READY", params))
        _, failed = self.make_model()
        self.probe.finalize_model(id=failed["id"], is_ready=False)
        self.assertEqual(self.peer.get_logged_model(failed["id"]).status.value, "FAILED")
        for name in ("a/b", "a:b", "a.b", "a%b", 'a"b', ""):
            answer = self.refused(self.probe, "make_model", experiment_id=run["experiment_id"], uid="u", name=name)
            self.assertTrue(answer["is_unsent"], name)

    def test_d42_the_registry_keeps_versions_tags_and_aliases(self):
        run, files, root = self.make_files()
        longest = 10000 if self.server.major >= 3 else 5000
        name = f"net {uuid.uuid4().hex}"
        for _ in range(2):
            self.probe.make_registered(name=name, description="what it is", tags={"team": "a"})
        version = self.probe.make_version(name=name, uid="v1", run_id=run["id"], description="first",
                                          tags={"gate": "passed"}, **files)["version"]
        self.assertEqual((version["version"], version["model_id"]), ("1", files.get("model_id", "")))
        second = self.probe.make_version(name=name, uid="v2", **files, run_id=run["id"])["version"]
        self.assertEqual(second["version"], "2")
        self.probe.describe_version(name=name, version="1", description="**better**")
        self.probe.describe_registered(name=name, description="now this")
        self.probe.tag_version(name=name, version="1", key="k", value="x" * longest)
        self.probe.tag_registered(name=name, key="k", value="v")
        self.probe.tag_registered(name=name, key="team")  # no value: removed
        self.probe.set_alias(name=name, alias="champion", version="1")
        self.probe.set_alias(name=name, alias="challenger", version="2")
        seen = self.peer.get_model_version(name, "1")
        self.assertEqual((seen.description, seen.run_id, seen.tags["gate"]), ("**better**", run["id"], "passed"))
        self.assertEqual(len(seen.tags["k"]), longest)
        registered = self.peer.get_registered_model(name)
        self.assertEqual(registered.aliases, {"champion": "1", "challenger": "2"})
        self.assertEqual((registered.tags, registered.description), ({"k": "v"}, "now this"))
        self.assertEqual(self.probe.get_registered(name=name)["registered"]["aliases"], registered.aliases)
        self.probe.set_alias(name=name, alias="champion", version="2")
        self.assertEqual(self.probe.get_alias(name=name, alias="champion")["version"]["version"], "2")
        self.probe.delete_alias(name=name, alias="challenger")
        gone = self.refused(self.probe, "get_alias", name=name, alias="challenger")
        self.assertEqual(gone["status"], "ERR_NOT_FOUND")
        found = self.probe.search_versions(filter=f"name = '{name}'", max=10)["list"]
        self.assertEqual([v["version"] for v in found], ["2", "1"])
        self.assertEqual(self.probe.version_root(name=name, version="1")["root"], root)
        self.assertIn(name, [r["name"] for r in self.probe.search_registered(max=1000)["list"]])
        self.probe.tag_version(name=name, version="1", key="k")
        self.assertNotIn("k", self.peer.get_model_version(name, "1").tags)
        self.probe.delete_version(name=name, version="2")
        self.assertEqual(self.refused(self.probe, "get_version", name=name, version="2")["status"], "ERR_NOT_FOUND")
        self.probe.delete_registered(name=name)
        self.assertEqual(self.refused(self.probe, "get_registered", name=name)["status"], "ERR_NOT_FOUND")

    def test_d42_names_and_aliases_that_would_not_work_are_refused(self):
        for name in ("", "a/b", "a:b", "a@b", "a'b", "x" * 257):
            self.assertTrue(self.refused(self.probe, "make_registered", name=name)["is_unsent"], name)
        self.probe.make_registered(name="fine")
        for alias in ("", "latest", "v1", "V12", "a b", "a.b", "x" * 256):
            answer = self.refused(self.probe, "set_alias", name="fine", alias=alias, version="1")
            self.assertTrue(answer["is_unsent"], alias)

    def test_d42_eight_clients_make_versions_1_to_8(self):
        run, files, _ = self.make_files()
        name = f"many-{uuid.uuid4().hex}"
        self.probe.make_registered(name=name)
        probes = [self.start_probe(self.server.url, "7") for _ in range(8)]
        made = [None] * 8

        def make(i):
            answer = probes[i].make_version(name=name, uid=f"u{i}", run_id=run["id"], **files)
            made[i] = answer["version"]["version"]

        threads = [threading.Thread(target=make, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sorted(map(int, made)), list(range(1, 9)))


if __name__ == "__main__":
    main()
