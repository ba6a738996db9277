#!/usr/bin/env python3
"""CMA-ES learns what the cmaes package learns: fed with the same points, in the same order, mean, sigma and
covariance agree to 1e-10 after every generation, with and without the margin of lattices.

    test_cma.py CMA_PROBE
"""
import json
import subprocess
import sys

from peers import Peers

with Peers():
    import cmaes
    import numpy as np

GENERATIONS = 12


class Probe:
    """Our side: a line of JSON after the mean and after each generation."""

    def __init__(self, program, dims, population, sigma, cells, mean):
        words = [program, *map(str, (dims, population, sigma, cells))]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.dims = dims
        self.send(mean)

    def send(self, numbers):
        self.process.stdin.write(" ".join(float(v).hex() for v in np.ravel(numbers)) + "\n")
        self.process.stdin.flush()
        self.state = json.loads(self.process.stdout.readline())

    def __getitem__(self, name):
        value = np.array(self.state[name])
        return value.reshape(self.dims, self.dims) if value.size == self.dims**2 and self.dims > 1 else value

    def close(self):
        self.process.stdin.close()
        assert self.process.wait() == 0


def expect_near(what, ours, theirs):
    """Relative to the largest number."""
    gap = np.max(np.abs(ours - theirs)) / np.max(np.abs(theirs))
    assert gap <= 1e-10, f"{what}: {gap:.3g} apart\n{ours}\n{theirs}"


def value_of(x):
    """A tilted ellipsoid."""
    y = x - 0.37
    y[1:] += 0.5 * y[:-1]
    return float(np.sum(10.0 ** np.linspace(0, 2, len(x)) * y**2))


def follow(program, dims):
    rng = np.random.default_rng(dims)
    theirs = cmaes.CMA(mean=np.full(dims, 0.5), sigma=0.2)
    population = theirs.population_size
    ours = Probe(program, dims, 0, 0.2, 0, np.full(dims, 0.5))
    for generation in range(GENERATIONS):
        root = ours["root"]
        points = [theirs.mean + theirs._sigma * root @ rng.standard_normal(dims) for _ in range(population)]
        points.sort(key=lambda x: value_of(x.copy()))
        theirs.tell([(x.copy(), value_of(x.copy())) for x in points])
        ours.send(points)
        where = f"d = {dims}, generation {generation}"
        expect_near(f"mean, {where}", ours["mean"], theirs.mean)
        expect_near(f"sigma, {where}", ours["sigma"], theirs._sigma)
        expect_near(f"C, {where}", ours["C"], theirs._C)
        expect_near(f"root, {where}", ours["root"] @ ours["root"], theirs._C)
    ours.close()


def follow_margin(program, dims, cells):
    """Theirs has the lattice at the middles of our cells; bounds are the first and the last of them."""
    rng = np.random.default_rng(100 + dims)
    ends = np.array([[0.5 / cells, 1 - 0.5 / cells]] * dims)
    start = np.full(dims, 0.47)
    theirs = cmaes.CMAwM(mean=start.copy(), sigma=0.2, bounds=ends, steps=np.full(dims, 1 / cells))
    ours = Probe(program, dims, 0, 0.2, cells, start)
    for generation in range(GENERATIONS):
        root = ours["root"]
        points = [theirs.mean + theirs._cma._sigma * root @ rng.standard_normal(dims)
                  for _ in range(theirs.population_size)]
        points.sort(key=lambda x: value_of(theirs._encode_discrete_params(x)))
        theirs.tell([(x.copy(), float(rank)) for rank, x in enumerate(points)])
        ours.send(points)
        where = f"margin, d = {dims}, generation {generation}"
        expect_near(f"mean, {where}", ours["mean"], theirs.mean)
        expect_near(f"sigma, {where}", ours["sigma"], theirs._cma._sigma)
        expect_near(f"C, {where}", ours["C"], theirs._cma._C)
        expect_near(f"stretch, {where}", ours["stretch"], theirs._A)
    ours.close()


def main():
    program = sys.argv[1]
    for dims in (2, 5, 10):
        follow(program, dims)
        follow_margin(program, dims, 6)
    print(f"3 dimensions, with and without margin, {GENERATIONS} generations each: as cmaes {cmaes.__version__}")


if __name__ == "__main__":
    main()
