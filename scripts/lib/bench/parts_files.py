"""The parts `metadata` and `read`: the same work in each contender, interleaved over the rounds."""
import os
import subprocess
import sys
import time

from contenders import FuseOverlay, Lazy, Native, Overlay, Sealed
from client import BenchError

OPEN_LOOP = """
import os, sys, time
os.chdir(sys.argv[1])
names = sys.stdin.buffer.read().split(b"\\0")[:-1]
rounds = int(sys.argv[2])
def run():
    begun = time.perf_counter()
    for _ in range(rounds):
        for name in names:
            fd = os.open(name, os.O_RDONLY)
            os.read(fd, 4096)
            os.close(fd)
    return (time.perf_counter() - begun) / rounds / len(names) * 1e6
run()
print(run())
"""


def walk(bench, directory):
    begun = time.perf_counter()
    bench.farm.run(["find", directory, "-printf", "%m %s\n"])
    return time.perf_counter() - begun


def read(bench, directory):
    with open(bench.tree.list, "rb") as names:
        begun = time.perf_counter()
        bench.farm.run(["xargs", "-0", "cat", "--"], cwd=directory, stdin=names)
        return time.perf_counter() - begun


def open_loop(bench, directory):
    """Microseconds to open, read 4 KB and close, the interpreter's share (about 1 µs) included."""
    names = b"".join(name + b"\0" for name in bench.tree.headers)
    rounds = max(1, 20_000 // len(bench.tree.headers))
    result = bench.farm.run(
        [sys.executable, "-c", OPEN_LOOP, directory, str(rounds)], stdin=None, input=names, stdout=subprocess.PIPE)
    return float(result.stdout)


def check(bench, contender):
    """Reads all once, which warms what may be warm, and counts, so that nobody is fast by leaving something out."""
    directory = contender.make()
    try:
        entries = bench.farm.run(["sh", "-c", "find . -printf x | wc -c"], cwd=directory, stdout=subprocess.PIPE)
        with open(bench.tree.list, "rb") as names:
            size = bench.farm.run(["sh", "-c", "xargs -0 cat -- | wc -c"], cwd=directory, stdin=names, stdout=subprocess.PIPE)
    finally:
        contender.drop()
    if int(entries.stdout) != bench.tree.entries:
        raise BenchError(f"{contender.name}: {int(entries.stdout)} entries, not {bench.tree.entries}")
    if int(size.stdout) != bench.tree.bytes:
        raise BenchError(f"{contender.name}: {int(size.stdout)} bytes, not {bench.tree.bytes}")


def usable_contenders(bench):
    """Native, the two other overlays, and our two forms, each with all objects cached."""
    farm, tree = bench.farm, bench.tree
    farm.renew(seal=False)
    sealing = farm.start_service(seal=True)
    usable = []
    for contender in (Native(farm, tree), Overlay(farm, tree), FuseOverlay(farm, tree), Lazy(farm, tree),
                      Sealed(farm, tree, sealing)):
        try:
            if isinstance(contender, Sealed):
                sealing.await_seal(tree.commit)
            check(bench, contender)
            usable.append(contender)
        except (OSError, BenchError) as error:
            if not isinstance(contender, FuseOverlay):
                raise
            bench.report.note(f"without fuse-overlayfs: {error}")
    return usable


WORK = (
    ("metadata", "first walk", "s", walk), ("metadata", "second walk", "s", walk), ("read", "first full read", "s", read),
    ("read", "second full read", "s", read), ("read", "open + read 4K + close", "µs", open_loop),
    ("read", "walk after all was read", "s", walk))

# The highest ratio to kernel overlayfs, by work: of lazy mounts, of sealed ones.
MOST = {
    "first walk": (2.5, 1.4), "second walk": (1.1, 1.05), "first full read": (None, 1.15), "second full read": (1.1, 1.05),
    "open + read 4K + close": (1.1, 1.05), "walk after all was read": (1.1, 1.05), "first walk + first full read": (3.5, None)}


def compare(report, part, name, unit, samples):
    budgets = [(whom, "overlayfs", most) for whom, most in zip(("lazy", "sealed"), MOST[name]) if most]
    report.compare(part, name, unit, samples, budgets=budgets)


def files_part(bench, parts):
    report, contenders = bench.report, usable_contenders(bench)
    work = [entry for entry in WORK if entry[0] in parts]
    samples = {entry: {contender.name: [] for contender in contenders} for entry in work}
    for number in range(bench.rounds):
        for contender in contenders[number % len(contenders):] + contenders[:number % len(contenders)]:
            directory = contender.make()
            try:
                for entry in work:
                    samples[entry][contender.name].append(entry[3](bench, directory))
            finally:
                contender.drop()
    for entry in work:
        compare(report, entry[0], entry[1], entry[2], samples[entry])
    if {"metadata", "read"} <= set(parts):
        firsts = [samples[work[0]], samples[work[2]]]
        both = {name: [one + two for one, two in zip(firsts[0][name], firsts[1][name])] for name in firsts[0]}
        compare(report, "read", "first walk + first full read", "s", both)
    if "metadata" in parts:
        first_of_image(bench)


def first_of_image(bench):
    """The first walk of the first mount of an image: the kernel has nothing of it."""
    samples = {"overlayfs": [], "sealed": []}
    for _ in range(min(bench.rounds, 3)):
        bench.farm.renew(seal=True)
        bench.farm.service.await_seal(bench.tree.commit)
        for contender in (Overlay(bench.farm, bench.tree), Sealed(bench.farm, bench.tree)):
            directory = contender.make()
            try:
                samples[contender.name].append(walk(bench, directory))
            finally:
                contender.drop()
    bench.report.compare("metadata", "first walk of the image's first mount", "s", samples, reference="overlayfs",
                         budgets=[("sealed", "overlayfs", 2.0)])
