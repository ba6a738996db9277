"""An MLflow server in memory: what the program calls, no more, but stricter than the real one. It notes as a violation
what that would take and spoil (NaN as a bare word, a step that is no integer, an upload without a length, an Origin).
Faults are told by a function: what to do with a call, before or after it was carried out."""
import json
import math
import re
import threading
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

API = "/api/2.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


class Refusal(Exception):
    def __init__(self, status, code, message):
        super().__init__(message)
        self.status, self.code = status, code


def not_found(what):
    return Refusal(404, "RESOURCE_DOES_NOT_EXIST", f"no {what}")


def wrong(message):
    return Refusal(400, "INVALID_PARAMETER_VALUE", message)


def pairs(items):
    return {i["key"]: i["value"] for i in items or []}


def listed(values):
    return [{"key": k, "value": v} for k, v in values.items()]


class FakeServer:
    """fault(method, path, body) answers None, "down" (no answer), "drop" (carried out, not answered) or a status."""

    def __init__(self):
        self.lock = threading.RLock()
        self.experiments, self.runs, self.models, self.files = {}, {}, {}, {}
        self.calls, self.violations, self.headers = [], [], []
        self.poison = set()  # keys of metrics, params and tags that are refused
        self.fault = lambda method, path, body: None
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_any(self):
                fake.serve(self)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_any

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, *_):
                pass  # a client that went away

        self.http = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self.http.shutdown()
        self.http.server_close()

    # --- HTTP ---

    def serve(self, handler):
        length = int(handler.headers.get("Content-Length") or 0)
        data = handler.rfile.read(length)
        path, _, query = handler.path.partition("?")
        method = handler.command
        self.headers.append(dict(handler.headers))
        if handler.headers.get("Transfer-Encoding"):
            self.violations.append(f"{method} {path} is chunked")
        if handler.headers.get("Origin"):
            self.violations.append(f"{method} {path} has an Origin")
        is_file = path.startswith(FILES)
        body = self.parse(data) if data and not is_file else {}
        fault = self.fault(method, path, body)
        if fault == "down":
            handler.close_connection = True
            return
        if isinstance(fault, int):
            self.reply(handler, fault, {"error_code": "FAULT", "message": f"told to answer {fault}"})
            return
        with self.lock:
            self.calls.append((method, path))
            try:
                status, answer = 200, self.answer(method, path, dict(urllib.parse.parse_qsl(query)), body, data)
            except Refusal as refusal:
                status, answer = refusal.status, {"error_code": refusal.code, "message": str(refusal)}
        if fault == "drop":
            handler.close_connection = True
            return
        self.reply(handler, status, answer)

    @staticmethod
    def reply(handler, status, answer):
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def parse(self, data):
        def constant(name):
            self.violations.append(f"{name} as a bare word")
            return 0.0
        return json.loads(data, parse_constant=constant)

    def answer(self, method, path, query, body, data):
        if path.startswith(FILES):
            return self.answer_file(method, urllib.parse.unquote(path[len(FILES):]).strip("/"), query, data)
        if path in ("/health", "/version"):
            return b"OK" if path == "/health" else b"3.17.2"
        if not path.startswith(API):
            raise not_found(path)
        name = path[len(API):]
        model = re.fullmatch(r"logged-models/(m-[0-9a-f]{32})(/tags|/params)?", name)
        if model:
            return self.answer_model(method, model.group(1), model.group(2), body)
        call = getattr(self, "do_" + name.replace("/", "_").replace("-", "_"), None)
        if not call:
            raise Refusal(404, "ENDPOINT_NOT_FOUND", path)
        return call({**query, **body})

    # --- experiments and runs ---

    def do_experiments_get_by_name(self, ask):
        for experiment in self.experiments.values():
            if experiment["name"] == ask["experiment_name"]:
                return {"experiment": experiment}
        raise not_found("such experiment")

    def do_experiments_get(self, ask):
        if ask["experiment_id"] not in self.experiments:
            raise not_found("such experiment")
        return {"experiment": self.experiments[ask["experiment_id"]]}

    def do_experiments_create(self, ask):
        if any(e["name"] == ask["name"] for e in self.experiments.values()):
            raise Refusal(400, "RESOURCE_ALREADY_EXISTS", "there is one")
        number = str(len(self.experiments) + 1)
        self.experiments[number] = {
            "experiment_id": number, "name": ask["name"], "lifecycle_stage": "active",
            "artifact_location": f"mlflow-artifacts:/{number}", "tags": ask.get("tags", [])}
        return {"experiment_id": number}

    def do_experiments_set_experiment_tag(self, ask):
        self.experiments[ask["experiment_id"]]["tags"].append({"key": ask["key"], "value": ask["value"]})
        return {}

    def do_runs_create(self, ask):
        run_id = uuid.uuid4().hex
        tags = pairs(ask.get("tags"))
        tags.setdefault("mlflow.runName", ask.get("run_name", "random"))
        self.runs[run_id] = {
            "id": run_id, "experiment_id": ask["experiment_id"], "name": ask.get("run_name"), "status": "RUNNING",
            "start_time": int(ask["start_time"]), "end_time": None, "stage": "active", "params": {}, "tags": tags,
            "points": set(), "inputs": {}, "outputs": {}}
        return {"run": self.run_json(self.runs[run_id])}

    @staticmethod
    def run_json(run):
        info = {"run_id": run["id"], "run_uuid": run["id"], "experiment_id": run["experiment_id"],
                "run_name": run["name"], "status": run["status"], "start_time": run["start_time"],
                "artifact_uri": f"mlflow-artifacts:/{run['experiment_id']}/{run['id']}/artifacts",
                "lifecycle_stage": run["stage"], "user_id": ""}
        if run["end_time"]:
            info["end_time"] = run["end_time"]
        return {"info": info, "data": {"params": listed(run["params"]), "tags": listed(run["tags"]), "metrics": []},
                "inputs": {}}

    def run(self, ask):
        run = self.runs.get(ask.get("run_id"))
        if not run:
            raise not_found("such run")
        return run

    def live_run(self, ask):
        run = self.run(ask)
        if run["stage"] != "active":
            raise wrong(f"The run {run['id']} must be in the 'active' state")
        return run

    def do_runs_get(self, ask):
        return {"run": self.run_json(self.run(ask))}

    def do_runs_search(self, ask):
        wanted = re.search(r"tags\.`tiltyard\.uid` = '([^']*)'", ask.get("filter", ""))
        found = [r for r in self.runs.values() if not wanted or r["tags"].get("tiltyard.uid") == wanted.group(1)]
        return {"runs": [self.run_json(r) for r in found]}

    def do_runs_update(self, ask):
        run = self.live_run(ask)
        run["status"] = ask.get("status", run["status"])
        run["end_time"] = int(ask["end_time"]) if ask.get("end_time") else run["end_time"]
        run["name"] = ask.get("run_name") or run["name"]
        return {"run_info": self.run_json(run)["info"]}

    def check_keys(self, items):
        for item in items:
            if item["key"] in self.poison:
                raise wrong(f"{item['key']} is poison")
            if not isinstance(item["key"], str) or len(item["key"]) > 250:
                raise wrong("a key is too long")

    def do_runs_log_batch(self, ask):
        run = self.live_run(ask)
        metrics, params, tags = (ask.get(k) or [] for k in ("metrics", "params", "tags"))
        if len(metrics) > 1000 or len(params) > 100 or len(tags) > 100 or len(metrics) + len(params) + len(tags) > 1000:
            raise wrong("too much for one batch")
        if len({m["key"] for m in metrics}) > 100:
            self.violations.append("more than 100 keys in a batch")
        self.check_keys([*metrics, *params, *tags])
        for p in params:
            if run["params"].get(p["key"], p["value"]) != p["value"]:
                raise wrong(f"param {p['key']} has another value")
        for m in metrics:
            self.log_metric(run, m)
        run["params"].update(pairs(params))
        run["tags"].update(pairs(tags))
        return {}

    def log_metric(self, run, m):
        step = m.get("step", 0)
        if isinstance(step, float) or not re.fullmatch(r"-?\d+", str(step)):
            self.violations.append(f"step {step!r}")
        value = float(m["value"])
        number = "nan" if math.isnan(value) else value
        if m.get("model_id"):
            model = self.models.get(m["model_id"])
            if not model:
                raise wrong("no such model")
            model["metrics"][m["key"], int(step)] = (number, m.get("dataset_name"), m.get("dataset_digest"))
        run["points"].add((m["key"], int(step), int(m["timestamp"]), number))

    def do_runs_log_inputs(self, ask):
        run = self.live_run(ask)
        for item in ask.get("datasets", []):
            key = item["dataset"]["name"], item["dataset"]["digest"]
            run["inputs"].setdefault(key, pairs(item.get("tags")))
        return {}

    def do_runs_outputs(self, ask):
        run = self.live_run(ask)
        for model in ask["models"]:
            if model["model_id"] in run["outputs"]:
                raise Refusal(400, "BAD_REQUEST", "(sqlite3.IntegrityError) UNIQUE constraint failed: inputs")
            run["outputs"][model["model_id"]] = int(model["step"])
        return {}

    # --- models ---

    @staticmethod
    def model_json(model):
        info = {"model_id": model["id"], "experiment_id": model["experiment_id"], "name": model["name"],
                "status": model["status"], "source_run_id": model["source_run_id"], "creation_timestamp_ms": 1,
                "artifact_uri": f"mlflow-artifacts:/{model['experiment_id']}/models/{model['id']}/artifacts",
                "tags": listed(model["tags"])}
        return {"info": info, "data": {"params": listed(model["params"]), "metrics": []}}

    def do_logged_models(self, ask):
        if any(c in ask["name"] for c in "/:.%\"'"):
            raise wrong("a model's name")
        model = {"id": f"m-{uuid.uuid4().hex}", "experiment_id": ask["experiment_id"], "name": ask["name"],
                 "status": "LOGGED_MODEL_PENDING", "source_run_id": ask.get("source_run_id"),
                 "params": pairs(ask.get("params")), "tags": pairs(ask.get("tags")), "metrics": {}}
        self.models[model["id"]] = model
        return {"model": self.model_json(model)}

    def do_logged_models_search(self, ask):
        wanted = re.search(r"tags\.`tiltyard\.uid` = '([^']*)'", ask.get("filter", ""))
        found = [m for m in self.models.values() if not wanted or m["tags"].get("tiltyard.uid") == wanted.group(1)]
        return {"models": [self.model_json(m) for m in found]}

    def answer_model(self, method, model_id, part, body):
        model = self.models.get(model_id)
        if not model:
            raise not_found("such model")
        if part == "/tags":
            model["tags"].update(pairs(body["tags"]))
        elif part == "/params":
            model["params"].update(pairs(body["params"]))
        elif method == "PATCH":
            model["status"] = body["status"]
        return {"model": self.model_json(model)}

    # --- files ---

    def answer_file(self, method, path, query, data):
        if method == "PUT":
            self.files[path] = data
            return {}
        if method == "GET" and not path:
            folder = query.get("path", "").strip("/")
            prefix = folder + "/" if folder else ""
            names = {}
            for name, content in self.files.items():
                if name.startswith(prefix):
                    rest = name[len(prefix):]
                    head = rest.split("/")[0]
                    names[head] = {"path": head, "is_dir": "/" in rest}
                    if "/" not in rest:
                        names[head]["file_size"] = len(content)
            return {"files": [names[k] for k in sorted(names)]}
        if path not in self.files:
            raise Refusal(500, "INTERNAL_ERROR", "no such file")
        return self.files[path]
