"""Every op against PyTorch, which computes in double on the same f32 inputs.

Usage: test_ops_torch.py OP_PROBE [unittest arguments]. Exit 77 (skipped) where torch can't be imported.

Tolerances: got and want differ by at most `tolerance * max(1, largest |want|)`. An f32 sum of n products of numbers up
to 1, each rounded to 2^-24, errs by about sqrt(n) * 2^-24 of the largest term; n is at most 1,000 here, which gives
2e-6. Backward passes chain two such sums: 4e-6. Batch normalisation divides by a standard deviation near 0.6, squared
in its derivative: 1e-5. Elementwise functions are within a few units in the last place: 1e-6.
"""

import json
import subprocess
import sys
import unittest

try:
    import torch
    import torch.nn.functional as F
except ImportError as reason:
    print(f"skipped: PyTorch can't be imported by {sys.executable} ({reason})")
    sys.exit(77)

SUM, SUM_BACKWARD, NORM, ELEMENT = 2e-6, 4e-6, 1e-5, 1e-6
PROBE = None


class Probe:
    """One op_probe process for the whole run."""

    def __init__(self, path):
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("op_probe ended: see its message above")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        if self.process.wait() != 0:
            raise RuntimeError("op_probe failed")


def values(*shape, low=-1.0, high=1.0):
    """Uniform f32 numbers as doubles, so that both sides start from the same bits."""
    return (low + (high - low) * torch.rand(*shape)).float().double()


def flat(tensor):
    return tensor.detach().reshape(-1).tolist()


def tensor_input(tensor, wants_dx=True):
    dtype = {torch.float64: "f32", torch.int32: "i32", torch.uint8: "u8"}[tensor.dtype]
    return {"dtype": dtype, "shape": list(tensor.shape), "data": flat(tensor), "wants_dx": wants_dx}


class OpTest(unittest.TestCase):
    def setUp(self):
        torch.manual_seed(7)

    def close(self, what, got, want, tolerance):
        got = torch.tensor(got, dtype=torch.float32).double()  # nine digits name one f32
        want = want.detach().reshape(-1)
        self.assertEqual(got.shape, want.shape, what)
        allowed = tolerance * max(1.0, want.abs().max().item())
        off = (got - want).abs().max().item()
        self.assertLessEqual(off, allowed, f"{what} is off by {off}, allowed {allowed}")

    def compare(self, op, attrs, function, inputs, params=(), stats=(), forward=SUM, backward=SUM_BACKWARD,
                training=True):
        """function(*inputs, *params) in torch gives y; all gradients follow from a random gradient of y."""
        leaves = [t.clone().requires_grad_(training) for t in (*inputs, *params)]
        want = function(*leaves)
        request = {"op": op, "attrs": attrs, "training": training,
                   "inputs": [tensor_input(t, training) for t in inputs],
                   "params": [flat(t) for t in params], "stats": [flat(t) for t in stats]}
        if training:
            d_y = values(*want.shape)
            want.backward(d_y)
            request["d_y"] = flat(d_y)
        got = PROBE.ask(request)
        self.assertEqual(got["shape"], list(want.shape))
        self.close("y", got["y"], want, forward)
        if training:
            for i in range(len(inputs)):
                self.close(f"d_x[{i}]", got["d_x"][i], leaves[i].grad, backward)
            for i in range(len(params)):
                self.close(f"d_param[{i}]", got["d_param"][i], leaves[len(inputs) + i].grad, backward)
        return got


ACTIVATIONS = {"none": lambda x: x, "relu": F.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh,
               "sigmoid": torch.sigmoid}


class Linear(OpTest):
    def test_linear_layers(self):
        for batch, width, out, kind in [(64, 784, 128, "relu"), (64, 128, 10, "none"), (1, 1, 1, "none"),
                                        (7, 13, 5, "tanh"), (33, 17, 65, "sigmoid")]:
            with self.subTest(batch=batch, width=width, out=out, kind=kind):
                act = ACTIVATIONS[kind]
                self.compare("linear", {"out": out, "has_bias": True, "activation": kind},
                             lambda x, w, b: act(F.linear(x, w, b)), [values(batch, width)],
                             [values(out, width), values(out)])
                self.compare("linear", {"out": out, "has_bias": False, "activation": kind},
                             lambda x, w: act(F.linear(x, w)), [values(batch, width)], [values(out, width)])


class Conv2d(OpTest):
    def test_convolutions(self):
        # batch, channels, height, width, out, kernel, stride, padding, groups
        for case in [(4, 1, 28, 28, 16, (3, 3), (1, 1), (1, 1), 1), (4, 16, 14, 14, 32, (3, 3), (1, 1), (1, 1), 1),
                     (2, 3, 17, 15, 20, (5, 3), (2, 1), (0, 2), 1), (3, 5, 9, 7, 6, (3, 3), (2, 2), (1, 1), 1),
                     (2, 32, 8, 8, 64, (1, 1), (1, 1), (0, 0), 1), (2, 32, 8, 8, 32, (3, 3), (1, 1), (1, 1), 32),
                     (2, 24, 6, 6, 12, (3, 3), (1, 1), (1, 1), 4), (1, 1, 1, 1, 1, (1, 1), (1, 1), (0, 0), 1)]:
            for kind in ("none", "relu"):
                with self.subTest(case=case, kind=kind):
                    self.one(case, kind)

    def one(self, case, kind):
        batch, channels, height, width, out, kernel, stride, padding, groups = case
        act = ACTIVATIONS[kind]
        self.compare("conv2d", {"out": out, "kernel": kernel, "stride": stride, "padding": padding,
                                "groups": groups, "has_bias": True, "activation": kind},
                     lambda x, w, b: act(F.conv2d(x, w, b, stride, padding, 1, groups)),
                     [values(batch, channels, height, width)],
                     [values(out, channels // groups, *kernel), values(out)])


class Pool2d(OpTest):
    def test_pools(self):
        for kernel, stride, padding in [((2, 2), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1)), ((3, 2), (1, 3), (1, 0))]:
            attrs = {"kernel": kernel, "stride": stride, "padding": padding}
            for channels in (16, 5):
                with self.subTest(kernel=kernel, channels=channels):
                    x = values(3, channels, 9, 8)
                    self.compare("pool2d", {**attrs, "is_max": True},
                                 lambda x: F.max_pool2d(x, kernel, stride, padding), [x], forward=0, backward=ELEMENT)
                    self.compare("pool2d", {**attrs, "is_max": False},
                                 lambda x: F.avg_pool2d(x, kernel, stride, padding, count_include_pad=False), [x],
                                 forward=ELEMENT, backward=ELEMENT)

    def test_global_pools(self):
        self.compare("pool2d", {"is_max": False, "is_global": True}, lambda x: F.adaptive_avg_pool2d(x, 1),
                     [values(3, 12, 7, 5)], forward=ELEMENT, backward=ELEMENT)
        self.compare("pool2d", {"is_max": True, "is_global": True}, lambda x: F.adaptive_max_pool2d(x, 1),
                     [values(3, 12, 7, 5)], forward=0, backward=ELEMENT)


class BatchNorm(OpTest):
    def test_training(self):
        for shape in [(4, 16, 7, 7), (3, 5, 4, 6), (33, 20), (8, 1)]:
            for has_relu in (False, True):
                with self.subTest(shape=shape, has_relu=has_relu):
                    self.train(shape, has_relu)

    def train(self, shape, has_relu):
        c = shape[1]
        act = F.relu if has_relu else ACTIVATIONS["none"]
        x, gamma, beta = values(*shape), values(c), values(c)
        got = self.compare("batch_norm", {"epsilon": 1e-5, "has_relu": has_relu},
                           lambda x, g, b: act(F.batch_norm(x, None, None, g, b, True, 0.1, 1e-5)), [x],
                           [gamma, beta], [torch.zeros(c), torch.ones(c)], NORM, NORM)
        # With momentum 1 torch's running statistics are what the op hands out.
        mean, variance = torch.zeros(c, dtype=torch.float64), torch.ones(c, dtype=torch.float64)
        F.batch_norm(x, mean, variance, None, None, True, 1.0, 1e-5)
        self.close("batch mean", got["batch_stat"][0], mean, SUM)
        self.close("batch variance", got["batch_stat"][1], variance, SUM)

    def test_evaluation(self):
        c = 20
        mean, variance = values(c), values(c, low=0.2, high=2)
        self.compare("batch_norm", {"epsilon": 1e-3, "has_relu": False},
                     lambda x, g, b: F.batch_norm(x, mean, variance, g, b, False, 0.1, 1e-3), [values(3, c, 5, 5)],
                     [values(c), values(c)], [mean, variance], SUM, training=False)


class Elementwise(OpTest):
    def test_activations(self):
        for kind, function in ACTIVATIONS.items():
            if kind != "none":
                with self.subTest(kind=kind):
                    self.compare("activation", {"kind": kind}, function, [values(5, 37, low=-6, high=6)],
                                 forward=ELEMENT, backward=ELEMENT)

    def test_add_scale_and_reshape(self):
        self.compare("add", {}, lambda a, b: a + b, [values(3, 4, 5, 5), values(3, 4, 5, 5)], forward=ELEMENT,
                     backward=ELEMENT)
        self.compare("scale", {"factor": -2.5}, lambda x: -2.5 * x, [values(4, 9)], forward=ELEMENT, backward=ELEMENT)
        self.compare("reshape", {"shape": [0, 60]}, lambda x: x.flatten(1), [values(2, 4, 3, 5)], forward=0, backward=0)

    def test_normalize(self):
        x = torch.randint(0, 256, (3, 2, 5, 5), dtype=torch.uint8)
        mean, inverse_std = values(2, low=50, high=150), values(2, low=0.01, high=0.1)
        got = PROBE.ask({"op": "normalize", "attrs": {"mean": flat(mean), "inverse_std": flat(inverse_std)},
                         "training": True, "inputs": [tensor_input(x, False)]})
        want = (x.double() - mean.view(1, 2, 1, 1)) * inverse_std.view(1, 2, 1, 1)
        self.close("y", got["y"], want, ELEMENT)

    def test_dropout_keeps_its_share_and_scales_it(self):
        rate, n = 0.3, 200 * 100
        x, d_y = values(200, 100, low=0.5, high=1), values(200, 100, low=0.5, high=1)
        got = PROBE.ask({"op": "dropout", "attrs": {"rate": rate}, "training": True,
                         "inputs": [tensor_input(x)], "d_y": flat(d_y)})
        y = torch.tensor(got["y"], dtype=torch.float64)
        kept = (y != 0).double()
        # Binomial: five standard deviations, one run in two million outside.
        self.assertLess(abs(kept.sum().item() - n * (1 - rate)), 5 * (n * rate * (1 - rate)) ** 0.5)
        self.close("y", got["y"], x.reshape(-1) * kept / (1 - rate), ELEMENT)
        self.close("d_x", got["d_x"][0], d_y.reshape(-1) * kept / (1 - rate), ELEMENT)


class Losses(OpTest):
    def test_softmax_cross_entropy(self):
        for smoothing in (0.0, 0.1):
            for batch, classes in [(16, 10), (1, 2), (5, 1000)]:
                with self.subTest(smoothing=smoothing, classes=classes):
                    self.cross_entropy(batch, classes, smoothing)

    def cross_entropy(self, batch, classes, smoothing):
        logits = values(batch, classes, low=-8, high=8).requires_grad_(True)
        target = torch.randint(0, classes, (batch,), dtype=torch.int32)
        target[0] = -100 if batch > 1 else target[0]
        weight = values(batch, low=0.2, high=2)
        losses = F.cross_entropy(logits, target.long(), reduction="none", label_smoothing=smoothing, ignore_index=-100)
        (losses * weight).sum().backward()
        got = PROBE.ask({"op": "softmax_xent", "attrs": {"label_smoothing": smoothing, "ignore_index": -100},
                         "training": True, "d_y": [],
                         "inputs": [tensor_input(logits), tensor_input(target, False), tensor_input(weight, False)]})
        rows = torch.tensor(got["y"], dtype=torch.float64).view(batch, 4)
        first = 1 if batch > 1 else 0
        self.close("loss", rows[:, 0].tolist(), losses, SUM)
        self.close("d_x", got["d_x"][0], logits.grad, SUM)
        best = F.softmax(logits, 1).max(1)
        self.assertEqual(rows[first:, 1].tolist(), best.indices[first:].double().tolist())
        self.close("probability", rows[first:, 2].tolist(), best.values[first:], SUM)
        of_target = logits.gather(1, target.clamp(min=0).long().view(-1, 1))
        self.assertEqual(rows[first:, 3].tolist(), (logits > of_target).sum(1)[first:].double().tolist())

    def test_mean_squared_error(self):
        x, target, weight = values(9, 7).requires_grad_(True), values(9, 7), values(9, low=0.2, high=2)
        losses = ((x - target) ** 2).mean(1)
        (losses * weight).sum().backward()
        got = PROBE.ask({"op": "mse", "attrs": {}, "training": True, "d_y": [],
                         "inputs": [tensor_input(x), tensor_input(target, False), tensor_input(weight, False)]})
        rows = torch.tensor(got["y"], dtype=torch.float64).view(9, 4)
        self.close("loss", rows[:, 0].tolist(), losses, SUM)
        self.close("absolute error", rows[:, 2].tolist(), (x - target).abs().mean(1), SUM)
        self.close("d_x", got["d_x"][0], x.grad, SUM)


if __name__ == "__main__":
    PROBE = Probe(sys.argv.pop(1))
    outcome = unittest.main(exit=False, verbosity=2)
    PROBE.close()
    sys.exit(not outcome.result.wasSuccessful())
