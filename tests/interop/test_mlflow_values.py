"""Experiments, runs and values told to a real MLflow server, read back by MLflow's own client:
test_mlflow_values.py PROBE."""
import json
import math
import sys
import uuid

from client_case import NOW, Case, main
from mlflow_peer import bits_of, double_of

from mlflow.entities import Metric

DOUBLE_MAX = sys.float_info.max


class Values(Case):
    def test_a01_experiments_are_made_once_and_found(self):
        name = f"expériment {uuid.uuid4().hex}"
        first = self.probe.make_experiment(name=name, tags={"mlflow.note.content": "a *note*"})
        again = self.probe.make_experiment(name=name, tags={"mlflow.note.content": "another"})
        self.assertEqual(first["id"], again["id"])
        seen = self.peer.get_experiment_by_name(name)
        self.assertEqual((seen.experiment_id, seen.tags["mlflow.note.content"]), (first["id"], "a *note*"))
        self.probe.tag_experiment(id=first["id"], key="owner", value="we")
        self.assertEqual(self.peer.get_experiment(first["id"]).tags["owner"], "we")
        missing = self.refused(self.probe, "find_experiment", name="no such experiment")
        self.assertEqual((missing["status"], missing["code"]), ("ERR_NOT_FOUND", "RESOURCE_DOES_NOT_EXIST"))
        self.peer.delete_experiment(first["id"])
        deleted = self.refused(self.probe, "make_experiment", name=name)
        self.assertEqual(deleted["status"], "ERR_ARG")
        self.assertIn("is deleted on the server", deleted["message"])

    def test_a02_runs_live_through_their_statuses(self):
        run = self.new_run(tags={"mlflow.source.name": "tiltyard"})
        seen = self.peer.get_run(run["id"])
        self.assertEqual((seen.info.run_name, seen.info.status, seen.info.start_time), ("one", "RUNNING", NOW))
        self.assertEqual(seen.data.tags["mlflow.source.name"], "tiltyard")
        for status in ("SCHEDULED", "FAILED", "KILLED", "FINISHED"):
            self.probe.update_run(id=run["id"], run_status=status, end_ms=NOW + 5)
            self.assertEqual(self.peer.get_run(run["id"]).info.status, status)
        self.assertEqual(self.peer.get_run(run["id"]).info.end_time, NOW + 5)
        self.probe.update_run(id=run["id"], run_status="RUNNING", name="renamed")
        seen = self.peer.get_run(run["id"])
        self.assertEqual((seen.info.status, seen.info.run_name), ("RUNNING", "renamed"))
        wrong = self.refused(self.probe, "update_run", id=run["id"], run_status="DONE")
        self.assertTrue(wrong["is_unsent"], wrong)
        self.probe.delete_run(id=run["id"])
        self.assertEqual(self.peer.get_run(run["id"]).info.lifecycle_stage, "deleted")

    def test_a02_a_uid_is_one_run_however_often_it_is_made(self):
        experiment, uid = self.new_experiment(), uuid.uuid4().hex
        ids = {self.new_run(experiment_id=experiment, uid=uid)["id"] for _ in range(3)}
        other = self.start_probe(self.server.url)
        ids.add(self.new_run(other, experiment_id=experiment, uid=uid)["id"])
        self.assertEqual(len(ids), 1)
        self.assertEqual(len(self.peer.search_runs([experiment])), 1)
        self.peer.delete_run(ids.pop())
        gone = self.refused(self.probe, "make_run", experiment_id=experiment, uid=uid, name="one", start_ms=NOW)
        self.assertEqual(gone["status"], "ERR_ARG")

    def test_a03_doubles_round_trip_bit_exact(self):
        values = [0.1, 1 / 3, math.pi, 5e-324, 2.2250738585072014e-308, 0.0, DOUBLE_MAX, -DOUBLE_MAX, 1e22, 1e23,
                  123456789.12345679, 1.0, -1.0, 2.0**53 + 2, 4.35, 0.30000000000000004, 1e-310]
        run = self.new_run()["id"]
        self.probe.log_batch(run_id=run, metrics=[["exact", v, NOW + i, i] for i, v in enumerate(values)])
        want = sorted((i, NOW + i, bits_of(v)) for i, v in enumerate(values))
        self.assertEqual(self.history(run, "exact"), want)
        ours = self.probe.read_history(run_id=run, key="exact")["points"]
        self.assertEqual(sorted(map(tuple, ours)), want)
        proxy = self.start_proxy()  # SQLite has one zero; what is sent has two
        self.start_probe(proxy.url).log_batch(run_id=run, metrics=[["zero", -0.0, NOW, 0]])
        sent = json.loads(proxy.seen[-1].body)["metrics"][0]["value"]
        self.assertEqual(bits_of(sent), bits_of(-0.0))

    def test_a04_nan_and_infinities_are_no_zeros(self):
        run = self.new_run()["id"]
        proxy = self.start_proxy()
        self.start_probe(proxy.url).log_batch(
            run_id=run, metrics=[["n", "nan", NOW, 1], ["p", "inf", NOW, 1], ["m", "-inf", NOW, 1]])
        self.assertTrue(math.isnan(self.peer.get_metric_history(run, "n")[0].value))
        self.assertEqual(self.peer.get_metric_history(run, "p")[0].value, DOUBLE_MAX)
        self.assertEqual(self.peer.get_metric_history(run, "m")[0].value, -DOUBLE_MAX)
        self.assertTrue(math.isnan(double_of(self.probe.get_run(id=run)["run"]["metrics"]["n"])))
        sent = proxy.seen[-1].body
        self.assertIn(b'"NaN"', sent)
        self.assertNotIn(b":NaN", sent)
        self.assertNotIn(b"Infinity,", sent.replace(b'"Infinity"', b"").replace(b'"-Infinity"', b""))

    def test_a05_steps_may_be_negative_and_huge(self):
        run, steps = self.new_run()["id"], [-5, 0, 1, 2**31, 2**53 + 1, 2**62]
        self.probe.log_batch(run_id=run, metrics=[["s", 1.5, NOW, step] for step in steps])
        self.assertEqual([p[0] for p in self.history(run, "s")], steps)
        early = self.refused(self.probe, "log_batch", run_id=run, metrics=[["s", 1, -1, 0]])
        self.assertTrue(early["is_unsent"], early)

    def test_a06_keys_that_a_server_refuses_are_refused_before(self):
        good = ["a", "train/loss", "a.b-c_d e:f", "é", "日本", "0", "a/b/c", "x" * 250]
        bad = ["", "a@b", "a%b", "a=b", "a[b]", "a\n", "../x", "/x", "x/", "a//b", ".", "..", "a/./b", "x" * 251]
        run = self.new_run()["id"]
        self.probe.log_batch(run_id=run, metrics=[[k, 1, NOW, 0] for k in good], params={k: "v" for k in good},
                             tags={k: "v" for k in good})
        data = self.peer.get_run(run).data
        for key in good:
            self.assertEqual((data.metrics[key], data.params[key], data.tags[key]), (1, "v", "v"))
        for key in bad:
            for what in ({"metrics": [[key, 1, NOW, 0]]}, {"params": {key: "v"}}, {"tags": {key: "v"}}):
                answer = self.refused(self.probe, "log_batch", run_id=run, **what)
                self.assertEqual((answer["status"], answer["is_unsent"]), ("ERR_ARG", True), repr(key))
            if key != "a\n":  # a trap of the server's: it takes that one
                with self.assertRaises(Exception, msg=repr(key)):
                    self.peer._tracking_client.store.log_batch(run, [Metric(key, 1, NOW, 0)], [], [])

    def test_a07_values_that_a_server_would_cut_are_refused(self):
        run = self.new_run()["id"]
        self.probe.log_batch(run_id=run, params={"p": "é" * 6000}, tags={"t": "é" * 8000})
        data = self.peer.get_run(run).data
        self.assertEqual((len(data.params["p"]), len(data.tags["t"])), (6000, 8000))
        for what in ({"params": {"q": "x" * 6001}}, {"tags": {"u": "x" * 8001}}):
            self.assertTrue(self.refused(self.probe, "log_batch", run_id=run, **what)["is_unsent"])

    def test_a08_big_batches_go_out_in_pieces(self):
        run, proxy = self.new_run()["id"], self.start_proxy()
        probe = self.start_probe(proxy.url)
        probe.log_batch(run_id=run, metrics=[["one", i, NOW, i] for i in range(1001)])
        self.assertEqual(proxy.count("POST", "log-batch"), 2)
        self.assertEqual(len(self.history(run, "one")), 1001)
        proxy.clear()
        probe.log_batch(run_id=run, metrics=[[f"k{i}", i, NOW, 0] for i in range(101)],
                        params={f"p{i}": "v" for i in range(101)}, tags={f"t{i}": "v" for i in range(101)})
        data = self.peer.get_run(run).data
        self.assertEqual(len([k for k in data.metrics if k[0] == "k"]), 101)
        self.assertEqual(len(data.params), 101)
        self.assertEqual(len([t for t in data.tags if t[0] == "t" and t[1:].isdigit()]), 101)
        for request in proxy.seen:
            body = json.loads(request.body)
            self.assertLessEqual(len({m["key"] for m in body.get("metrics", [])}), 100)
            self.assertLessEqual(len(body.get("params", [])), 100)
            self.assertLessEqual(len(body.get("tags", [])), 100)
            self.assertLessEqual(sum(len(body.get(k, [])) for k in ("metrics", "params", "tags")), 1000)
        probe.log_batch(run_id=run)  # nothing is nothing
        probe.log_batch(run_id=run, metrics=[["mixed", i, NOW, i] for i in range(900)],
                        params={f"m{i}": "v" for i in range(90)}, tags={f"m{i}": "v" for i in range(90)})
        self.assertEqual(len(self.history(run, "mixed")), 900)

    def test_a09_a_param_keeps_its_value(self):
        run = self.new_run()["id"]
        self.probe.log_batch(run_id=run, params={"lr": "0.1"})
        self.probe.log_batch(run_id=run, params={"lr": "0.1"})
        answer = self.refused(self.probe, "log_batch", run_id=run, params={"lr": "0.2"})
        self.assertEqual((answer["status"], answer["http"]), ("ERR_ARG", 400))
        self.assertEqual(answer["code"], "INVALID_PARAMETER_VALUE")
        self.assertFalse(answer["is_unsent"])
        self.assertEqual(self.peer.get_run(run).data.params["lr"], "0.1")

    def test_a10_data_sets_are_inputs(self):
        run = self.new_run()["id"]
        dataset = {"name": "fashion", "digest": "0123456789abcdef", "source_type": "local", "source": '{"uri": "data"}',
                   "schema": '{"mlflow_colspec": []}', "profile": '{"num_rows": 60000}', "context": "training"}
        for _ in range(2):
            self.probe.log_inputs(run_id=run, datasets=[dataset, {**dataset, "name": "other", "context": "test"}])
        inputs = {i.dataset.name: i for i in self.peer.get_run(run).inputs.dataset_inputs}
        self.assertEqual(sorted(inputs), ["fashion", "other"])
        self.assertEqual(inputs["fashion"].dataset.digest, "0123456789abcdef")
        self.assertEqual(inputs["fashion"].dataset.profile, '{"num_rows": 60000}')
        self.assertEqual([(t.key, t.value) for t in inputs["other"].tags], [("mlflow.data.context", "test")])
        experiment = self.peer.get_run(run).info.experiment_id
        found = self.peer.search_runs([experiment], "dataset.digest = '0123456789abcdef'")
        self.assertEqual([r.info.run_id for r in found], [run])
        long = self.refused(self.probe, "log_inputs", run_id=run, datasets=[{**dataset, "digest": "x" * 37}])
        self.assertTrue(long["is_unsent"], long)

    def test_a11_long_curves_are_read_by_pages(self):
        run, n, proxy = self.new_run()["id"], 23456, self.start_proxy()
        probe = self.start_probe(proxy.url)
        probe.log_batch(run_id=run, metrics=[["long", i / 7, NOW + i, i] for i in range(n)])
        points = probe.read_history(run_id=run, key="long")["points"]
        self.assertEqual(sorted(map(tuple, points)), [(i, NOW + i, bits_of(i / 7)) for i in range(n)])
        asked = [r.path for r in proxy.seen if "get-history" in r.path]
        self.assertEqual(len(asked), 3 if self.server.is_newest else 1)
        self.assertTrue(all("max_results=" in path for path in asked), asked)
        self.assertEqual(probe.read_history(run_id=run, key="none")["points"], [])

    def test_a12_runs_are_searched_with_quoted_keys(self):
        experiment = self.new_experiment()
        runs = [self.new_run(experiment_id=experiment, name=f"r{i}")["id"] for i in range(3)]
        for i, run in enumerate(runs):
            self.probe.log_batch(run_id=run, metrics=[["val/acc", i / 2, NOW, 0]], params={"a.b": str(i)})
        found = self.probe.search_runs(experiment_ids=[experiment], filter="metrics.`val/acc` >= 0.5", max=10)["runs"]
        self.assertEqual({r["id"] for r in found}, set(runs[1:]))
        found = self.probe.search_runs(experiment_ids=[experiment], filter="params.`a.b` = '0'", max=10)["runs"]
        self.assertEqual([(r["id"], r["params"]) for r in found], [(runs[0], {"a.b": "0"})])
        self.assertEqual(len(self.probe.search_runs(experiment_ids=[experiment], max=2)["runs"]), 2)
        wrong = self.refused(self.probe, "search_runs", experiment_ids=[experiment], filter="a OR b", max=2)
        self.assertEqual(wrong["status"], "ERR_ARG")


if __name__ == "__main__":
    main()
