"""The parts `metadata`, `read` and `fetch`: the same work in each contender, interleaved over the rounds."""
import os
import subprocess
import sys
import time

from contenders import FuseOverlay, Lazy, Native, Overlay
from farm import BenchError

READERS = 16

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
    usable = []
    for kind in (Native, Overlay, FuseOverlay, Lazy):
        contender = kind(bench.farm, bench.tree)
        try:
            check(bench, contender)
            usable.append(contender)
        except (OSError, BenchError) as error:
            if kind is not FuseOverlay:
                raise
            bench.report.note(f"without fuse-overlayfs: {error}")
    return usable


WORK = (
    ("metadata", "first walk", "s", walk), ("metadata", "second walk", "s", walk), ("read", "first full read", "s", read),
    ("read", "second full read", "s", read), ("read", "open + read 4K + close", "µs", open_loop),
    ("read", "walk after all was read", "s", walk))


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
    most = {"first walk": 2.5, "second walk": 1.1, "second full read": 1.1, "open + read 4K + close": 1.1,
            "walk after all was read": 1.1}
    for entry in work:
        part, name, unit, _ = entry
        budget = ("lazy", "overlayfs", most[name]) if name in most else None
        report.compare(part, name, unit, samples[entry], budget=budget)
    if {"metadata", "read"} <= set(parts):
        firsts = [samples[work[0]], samples[work[2]]]
        both = {name: [one + two for one, two in zip(firsts[0][name], firsts[1][name])] for name in firsts[0]}
        report.compare("read", "first walk + first full read", "s", both, budget=("lazy", "overlayfs", 3.5))


def fetch_ours(bench, readers):
    """Empty cache, new mount, all files read by some readers at once."""
    bench.farm.renew()
    contender = Lazy(bench.farm, bench.tree)
    directory = contender.make()
    try:
        with open(bench.tree.list, "rb") as names:
            begun = time.perf_counter()
            bench.farm.run(["xargs", "-0", "-n", "50", "-P", str(readers), "cat", "--"], cwd=directory, stdin=names)
            return time.perf_counter() - begun
    finally:
        contender.drop()


def fetch_curl(bench, config):
    begun = time.perf_counter()
    bench.farm.run(["curl", "-sS", "--fail", "--parallel", "--parallel-max", "50", "--config", config])
    return time.perf_counter() - begun


def fetch_part(bench):
    config = bench.farm.path("curl.config")
    with open(config, "w", encoding="ascii") as lines:
        for blob in dict.fromkeys(bench.tree.blobs):
            lines.write(f'url = "{bench.farm.origin_url}/api/v1/file/blob/{blob}"\noutput = "{os.devnull}"\n')
    name = f"lazy, {READERS} readers"
    samples = {"curl --parallel": [], name: []}
    fetch_curl(bench, config)
    for _ in range(bench.fetch_rounds):
        samples["curl --parallel"].append(fetch_curl(bench, config))
        samples[name].append(fetch_ours(bench, READERS))
    samples_of_one = [fetch_ours(bench, 1)]
    bench.report.compare(
        "fetch", f"cold full read, {len(bench.tree.files)} files", "s", samples, reference="curl --parallel",
        budget=(name, "curl --parallel", 1.0))
    bench.report.figure("fetch", "cold full read by one reader, files one after the other", samples_of_one[0], "s")
