"""`tiltyard runs ls FILTER` beside MLflow's own search_runs(FILTER): test_runs_filter.py TILTYARD RUNS_PROBE.

Random runs in an embedded store; each filter and order has to give the same runs in the same order.
"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

from mlflow_peer import MlflowPeers

with MlflowPeers():
    import mlflow
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

TILTYARD = PROBE = None
SEED = int(os.environ.get("TILTYARD_TEST_SEED", random.SystemRandom().randrange(10**9)))
N_RUNS = 60

# What is taken by both. {id}, {name}, {start} and {uri} are those of some run.
FILTERS = [
    "",
    "metrics.`val/loss` < 2.5",
    "metrics.`val/loss` >= 1.25 AND metrics.`val/loss` <= 2.5",
    "metrics.`val/loss` = 1.25",
    "metrics.`val/loss` != 1.25",
    "metrics.\"train/loss\" > 2",
    "metrics.odd < 0", "metrics.odd > 0", "metrics.odd = 0", "metrics.odd != 0", "metrics.odd >= -1.5e-7",
    "metrics.odd > 1e300", "metrics.odd < -1e300", "metrics.missing < 1", "metrics.missing != 1",
    "params.optimizer.type = 'adamw'", "params.optimizer.type != 'adamw'", "params.`optimizer.type` = \"AdamW\"",
    "params.optimizer.type LIKE 'adam%'", "params.optimizer.type ILIKE 'ADAM%'", "params.optimizer.type LIKE '%_8%'",
    "params.optimizer.type LIKE '100%'", "params.optimizer.type LIKE '_____'", "params.optimizer.type LIKE 'a%m%w'",
    "params.optimizer.learning_rate = '3e-4'", "params.optimizer.learning_rate LIKE '_e-4'",
    "params.`model/width` = '64'", "params.`model/width` IS NULL", "params.`model/width` IS NOT NULL",
    "params.`odd _key_` = 'odd'", "params.missing = 'x'", "params.missing != 'x'", "params.missing IS NULL",
    "parameter.optimizer.type = 'sgd' and param.optimizer.learning_rate IS NOT NULL",
    "tags.note = 'good'", "tags.note != 'good'", "tags.note ILIKE 'GOOD'", "tags.note LIKE 'Good'",
    "tags.note LIKE 'gr__ dich'", "tags.note ILIKE 'GR\u00fc\u00df%'", "tags.note ILIKE 'gr\u00dc%'",
    "tags.note = \"it's\"", "tags.note = ''", "tags.note LIKE 'a_b'", "tags.note IS NULL", "tags.`a.b` LIKE '%x%'",
    "tag.a.b LIKE '%x'", "tags.missing IS NOT NULL",
    "tags.mlflow.runName LIKE 'cnn-%'",
    "tags.mlflow.source.type = 'LOCAL'", "tags.`mlflow.source.name` ILIKE '%X.JSON'",
    "tags.exit.reason = 'SIGTERM'", "tags.exit.reason IS NULL", "tags.mlflow.user != 'nobody at all'",
    "attributes.status = 'FINISHED'", "status != 'FINISHED'", "status ILIKE 'f%'", "attr.status LIKE 'F%'",
    "run_name = '{name}'", "run_name LIKE 'Gpt%'", "run_name ILIKE 'gpt%'", "run.run_name != '{name}'",
    "`run name` LIKE '%1_'", "attributes.user_id LIKE '%'", "artifact_uri = '{uri}'", "artifact_uri LIKE '%/kjv/%'",
    "attributes.run_id = '{id}'", "run_id IN ('{id}')", "run_id IN ('{id}', 'x', \"y\")", "run_id NOT IN ('{id}')",
    "run_id LIKE '%a%'", "start_time > {start}", "start_time = {start}", "attributes.Created <= {start}",
    "end_time > {start}", "end_time != 0", "end_time < 1.5",
    "dataset.name = 'fashion'", "dataset.name != 'fashion'", "datasets.name LIKE '%a%'", "dataset.name ILIKE 'KJV'",
    "dataset.name IN ('kjv', 'weather_2024')", "dataset.name NOT IN ('kjv')",
    "dataset.digest LIKE '0000000000000001%'", "dataset.digest = '000000000000000200000000000000000000'",
    "dataset.context = 'training'", "dataset.context LIKE '%test%'", "dataset.context IN ('test', 'validation')",
    "dataset.name = 'fashion' AND dataset.name = 'kjv'", "dataset.name = 'kjv' AND dataset.context = 'test'",
    "metrics.`val/loss` < 3 AND params.optimizer.type ILIKE 'adam%' AND status = 'FINISHED' AND tags.note IS NOT NULL",
    "status='FAILED'AND metrics.`train/loss`<4",
]

# What neither takes.
REFUSED = [
    "(metrics.a < 1)", "metrics.a < 1 OR metrics.b < 1", "NOT metrics.a < 1", "metrics.a < '1'", "metrics.a < x",
    "metrics.a LIKE 1", "metrics.a IS NULL", "params.a = 3", "params.a = x", "params.a = `x`", "params.a == 'x'",
    "params.a <> 'x'", "params.a > 'x'", "params.a NOT LIKE 'x'", "params.a IN ('x')", "status IN ('FAILED')",
    "experiment_id = '1'", "loss < 1", "metrcs.a < 1", "dataset.profile = 'x'", "dataset.name IS NULL",
    "run_id IN ()", "run_id IN (1)", "params.a = 'x';", "params.a", "= 3", "start_time LIKE '1'", "metrics.a < 0x1",
    "metrics.a < inf", "params.a = 'x", "metrics.a BETWEEN 1 AND 2",
]

ORDERS = [
    [], ["metrics.`val/loss` ASC"], ["metrics.`val/loss` DESC"], ["metrics.odd"], ["metrics.odd desc"],
    ["params.optimizer.type"], ["params.`model/width` DESC"], ["tags.note asc"], ["start_time ASC"], ["end_time DESC"],
    ["status", "metrics.`val/loss`"], ["params.optimizer.type DESC", "run_name ASC"], ["metrics.missing DESC"],
]


def tiltyard(folder, *words, code=0):
    done = subprocess.run([TILTYARD, *words, "--dir", folder], capture_output=True, text=True)
    if done.returncode != code:
        raise AssertionError(f"{words}: {done.returncode}, want {code}\n{done.stdout}{done.stderr}")
    return done


class Filters(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED} (TILTYARD_TEST_SEED repeats it)", flush=True)
        cls.folder = tempfile.mkdtemp(prefix="tiltyard-filter-")
        subprocess.run([PROBE, cls.folder, str(N_RUNS), str(SEED), "40"], check=True)
        cls.connect()

    @classmethod
    def connect(cls):
        uri = f"sqlite:///{cls.folder}/mlflow.db"
        mlflow.set_tracking_uri(uri)
        cls.client = MlflowClient(uri)
        cls.ids = [e.experiment_id for e in cls.client.search_experiments() if e.name != "Default"]

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder, ignore_errors=True)

    def theirs(self, text, order=()):
        return [r.info.run_id for r in self.client.search_runs(self.ids, text, order_by=list(order), max_results=1000)]

    def ours(self, text, order=(), *more):
        words = [word for one in order for word in ("--order", one)]
        out = tiltyard(self.folder, "runs", "ls", text, "--json", *words, *more).stdout
        return [json.loads(line)["run_id"] for line in out.splitlines()]

    def fill(self, text):
        run = self.some.info
        return text.format(id=run.run_id, name=run.run_name, uri=run.artifact_uri, start=run.start_time)

    def setUp(self):
        self.some = self.client.get_run(self.theirs("")[N_RUNS // 3])

    def test_each_filter_finds_the_same_runs(self):
        found = {}
        for text in map(self.fill, FILTERS):
            with self.subTest(text):
                want = self.theirs(text)
                self.assertEqual(self.ours(text), want)
                found[text] = len(want)
        telling = sum(0 < n < N_RUNS for n in found.values())
        print(f"{len(found)} filters, {telling} of them find some runs and not all", flush=True)
        self.assertEqual(found[""], N_RUNS)
        self.assertGreater(telling, len(FILTERS) // 2)

    def test_clauses_at_random_find_the_same_runs(self):
        draw = random.Random(SEED)
        clauses = [self.fill(text) for text in FILTERS if text and " AND " not in text.upper()]
        for _ in range(30):
            text = " AND ".join(draw.sample(clauses, draw.randint(2, 4)))
            with self.subTest(text):
                self.assertEqual(self.ours(text), self.theirs(text))

    def test_each_order_gives_the_same_order(self):
        for order in ORDERS:
            with self.subTest(order):
                self.assertEqual(self.ours("", order), self.theirs("", order))

    def test_a_limit_takes_the_first_ones(self):
        order = ["metrics.`val/loss` ASC"]
        self.assertEqual(self.ours("", order, "--limit", "7"), self.theirs("", order)[:7])

    def test_what_mlflow_refuses_is_refused(self):
        for text in REFUSED:
            with self.subTest(text):
                with self.assertRaises(MlflowException):
                    self.theirs(text)
                err = tiltyard(self.folder, "runs", "ls", text, code=2).stderr
                self.assertIn("filter, column ", err)

    def test_what_users_change_in_mlflow_counts(self):
        deleted, renamed, tagged = self.theirs("")[:3]
        self.client.update_run(renamed, name="the good one")
        self.client.set_tag(tagged, "mine", "yes")
        self.client.set_tag(tagged, "note", "edited")
        self.client.delete_run(deleted)
        try:
            for text in ("", "run_name = 'the good one'", "tags.mine = 'yes'", "tags.note = 'edited'",
                         "tags.mine IS NULL"):
                self.assertEqual(self.ours(text), self.theirs(text), text)
            self.assertEqual(self.ours("", (), "--deleted"), [deleted])
        finally:
            self.client.restore_run(deleted)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: test_runs_filter.py TILTYARD RUNS_PROBE [unittest arguments]")
    TILTYARD, PROBE = os.path.abspath(sys.argv.pop(1)), os.path.abspath(sys.argv.pop(1))
    print(f"python {sys.version.split()[0]}, mlflow {mlflow.__version__}", flush=True)
    unittest.main(verbosity=2, warnings="ignore")
