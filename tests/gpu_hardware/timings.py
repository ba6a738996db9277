"""Microseconds a step of the quickstart's net on the GPU: measured, predicted by the dry run's rooflines, PyTorch's."""
import json
import re
import subprocess
import tempfile
from pathlib import Path

CONFIG = Path(__file__).resolve().parents[2] / "configs/fashion_mnist.json"
BATCH = 1024  # large enough that a step is more than its launches
STEPS = 400
PRECISIONS = ("fp32", "tf32", "bf16")
DESCRIBED = {"A100": "a100", "H100": "h100", "H200": "h100", "GH200": "h100"}

TORCH = """
import sys, time
try:
    import torch
except ImportError:
    sys.exit("not installed")
precision, batch, steps = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
if not torch.cuda.is_available():
    sys.exit("has no CUDA")
torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
torch.backends.cudnn.benchmark = True
nn = torch.nn
net = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
                    nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
                    nn.Flatten(), nn.Linear(1568, 128, bias=False), nn.BatchNorm1d(128), nn.ReLU(),
                    nn.Linear(128, 10)).cuda().to(memory_format=torch.channels_last)
opt = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)
loss_of = nn.CrossEntropyLoss()
x = torch.randn(batch, 1, 28, 28, device="cuda").contiguous(memory_format=torch.channels_last)
y = torch.randint(0, 10, (batch,), device="cuda")
def step():
    opt.zero_grad(set_to_none=True)
    with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
        loss = loss_of(net(x), y)
    loss.backward()
    opt.step()
for i in range(20):
    step()
torch.cuda.synchronize()
begin = time.perf_counter()
for i in range(steps):
    step()
torch.cuda.synchronize()
print((time.perf_counter() - begin) / steps * 1e6)
"""


def sets(precision):
    """What makes the quickstart a benchmark: one shard a step, nothing but steps."""
    pairs = {"device": "cuda", "train.precision": precision, "train.reduction": "fast",
             "train.duration": f"{STEPS} steps", "train.global_batch_size": BATCH,
             "eval.every": "never", "checkpoint.every": "never"}
    return [word for key, value in pairs.items() for word in ("--set", f"{key}={value}")]


def run(*words):
    """What a program prints, or the last line of why not."""
    try:
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    except OSError as error:
        return None, str(error)
    if done.returncode:
        return None, (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
    return done.stdout, ""


def ours(tiltyard, precision):
    with tempfile.TemporaryDirectory() as folder:
        out, why = run(tiltyard, "train", CONFIG, "--json", "--dir", folder, *sets(precision))
    done = [json.loads(line) for line in (out or "").splitlines() if '"event": "done"' in line]
    return (BATCH / done[-1]["samples_per_s"] * 1e6, "") if done else (None, why or "no end of the run")


def predicted(tiltyard, precision, model):
    known = [described for part, described in DESCRIBED.items() if part in model]
    if not known:
        return None, f"{model} is not described"
    words = [word for word in sets(precision) if word != "device=cuda"]
    words.remove("--set")
    out, why = run(tiltyard, "train", CONFIG, "--dry-run", "--gpu", known[-1], *words)
    found = re.search(r"(?m)^\s+step\s+([0-9.]+) ms", out or "")
    return (float(found.group(1)) * 1e3, "") if found else (None, why or "no step time")


def pytorch(python, precision):
    out, why = run(python, "-c", TORCH, precision, BATCH, STEPS)
    return (float(out), "") if out else (None, why)


def first_gpu(tiltyard):
    out, _ = run(tiltyard, "info", "--json")
    gpus = json.loads(out).get("gpus", []) if out else []
    return gpus[0]["model"] if gpus else "no GPU in info"


def table(tiltyard, python):
    """A row a precision; what could not be had has its reason below."""
    model, reasons = first_gpu(tiltyard), []
    lines = [f"{CONFIG.name}, batch {BATCH}, on {model}; microseconds a step.", "",
             "| precision | measured | predicted | measured / predicted | PyTorch | PyTorch / ours |",
             "|---|---|---|---|---|---|"]
    for precision in PRECISIONS:
        cells = {"ours": ours(tiltyard, precision), "predicted": predicted(tiltyard, precision, model),
                 "PyTorch": pytorch(python, precision)}
        reasons += [f"{name} in {precision}: {why}" for name, (number, why) in cells.items() if number is None]
        us, forecast, torch = (number for number, _ in cells.values())
        share = lambda a, b: f"{a / b:.2f}x" if a and b else "-"
        text = lambda number: f"{number:,.0f}" if number else "-"
        lines.append(f"| {precision} | {text(us)} | {text(forecast)} | {share(us, forecast)} | {text(torch)} | "
                     f"{share(torch, us)} |")
    return "\n".join(lines + [""] * bool(reasons) + [f"- {reason}" for reason in reasons])
