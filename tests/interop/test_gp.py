#!/usr/bin/env python3
"""The Gaussian process computes what NumPy and SciPy compute from the textbook's formulas with dense matrices, and its
log expected improvement what SciPy computes far out in both tails.

    test_gp.py GP_PROBE
"""
import json
import subprocess
import sys

from peers import Peers

with Peers():
    import numpy as np
    from scipy import special

LEAST_NOISE = 1e-6


def ask(program, *parts):
    words = " ".join(part if isinstance(part, str) else " ".join(float(v).hex() for v in np.ravel(part))
                     for part in parts)
    return json.loads(subprocess.run([program], input=words, capture_output=True, text=True, check=True).stdout)


def expect_near(what, ours, theirs, within):
    gap = np.max(np.abs(np.array(ours) - theirs) / (1 + np.abs(theirs)))
    assert gap <= within, f"{what}: {gap:.3g} apart\n{ours}\n{theirs}"


def kernel(a, b, numbers, weight, scale):
    gap = a[:, None, :] - b[None, :, :]
    gap[..., numbers:] = gap[..., numbers:] != 0
    squared = (gap**2) @ weight
    root = np.sqrt(5 * squared)
    return scale * (1 + root + 5 / 3 * squared) * np.exp(-root)


def log_ei(z):
    """log(phi(z) + z Phi(z)), by Mills' ratio on the left."""
    mills = np.sqrt(np.pi / 2) * special.erfcx(-z / np.sqrt(2))
    log_phi = -z**2 / 2 - np.log(2 * np.pi) / 2
    return log_phi + np.log1p(z * mills)


def loss_of(x, y, numbers, theta):
    dims = x.shape[1]
    weight, scale, noise = np.exp(theta[:dims]), np.exp(theta[dims]), np.exp(theta[dims + 1]) + LEAST_NOISE
    K = kernel(x, x, numbers, weight, scale) + noise * np.eye(len(x))
    likelihood = -0.5 * np.linalg.slogdet(K)[1] - 0.5 * y @ np.linalg.solve(K, y)
    prior = -np.sum(0.1 / weight + 0.1 * weight) + np.log(scale) - scale + 0.1 * np.log(noise) - 30 * noise
    return -likelihood - prior, weight, scale, K


def compare(program, seed, numbers, dims, n):
    rng = np.random.default_rng(seed)
    x, at = rng.random((n, dims)), rng.random((8, dims))
    for points in (x, at):
        points[:, numbers:] = np.floor(3 * points[:, numbers:])
    y = np.sin(5 * x[:, 0]) + x.sum(axis=1) + 0.1 * rng.standard_normal(n)
    y = (y - y.mean()) / y.std()
    theta = np.append(rng.normal(0, 0.7, dims + 1), rng.uniform(-6, -2))
    ours = ask(program, "gp", f"{numbers} {dims} {n}", theta, np.hstack([x, y[:, None]]), at.T)
    loss, weight, scale, K = loss_of(x, y, numbers, theta)
    expect_near("loss", ours["loss"], loss, 1e-11)
    steps = 1e-5 * np.eye(dims + 2)
    slopes = [(loss_of(x, y, numbers, theta + s)[0] - loss_of(x, y, numbers, theta - s)[0]) / 2e-5 for s in steps]
    expect_near("gradient", ours["gradient"], slopes, 1e-6)
    k = kernel(at, x, numbers, weight, scale)
    sigma = np.sqrt(scale - np.sum(k * np.linalg.solve(K, k.T).T, axis=1))
    z = (y.min() - k @ np.linalg.solve(K, y)) / sigma
    expect_near("log expected improvement", ours["value"], log_ei(z) + np.log(sigma), 1e-8)


def compare_tails(program):
    z = np.concatenate([-np.logspace(0.05, 3.5, 60), np.linspace(-1, 30, 60)])
    ours = ask(program, "ei", str(len(z)), z)
    left = z < 0
    expect_near("left tail", np.array(ours["log_ei"])[left], log_ei(z[left]), 1e-9)
    right = np.exp(-z[~left]**2 / 2) / np.sqrt(2 * np.pi) + z[~left] * special.ndtr(z[~left])
    expect_near("right tail", np.array(ours["log_ei"])[~left], np.log(right), 1e-13)
    steep = special.ndtr(z[~left]) / right
    expect_near("derivative on the right", np.array(ours["derivative"])[~left], steep, 1e-13)


def main():
    program = sys.argv[1]
    cases = [(0, 2, 2, 5), (1, 3, 4, 40), (2, 10, 10, 120), (3, 0, 3, 25), (4, 5, 7, 64)]
    for case in cases:
        compare(program, *case)
    compare_tails(program)
    print(f"{len(cases)} processes and both tails: as NumPy {np.__version__}")


if __name__ == "__main__":
    main()
