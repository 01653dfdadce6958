"""The part `fetch`: everything read once on an empty cache, beside what else could bring it."""
import os
import time

from contenders import Default

READERS = 16


def read_all(bench, readers, names):
    """Empty cache, new mount, the files read by some readers at once."""
    bench.farm.renew()
    contender = Default(bench.farm, bench.tree)
    begun = time.perf_counter()
    directory = contender.make()
    try:
        with open(names, "rb") as stream:
            bench.farm.run(["xargs", "-0", "-n", "50", "-P", str(readers), "cat", "--"], cwd=directory, stdin=stream)
            return time.perf_counter() - begun
    finally:
        contender.drop()


def curl(bench, config):
    begun = time.perf_counter()
    bench.farm.run(["curl", "-sS", "--fail", "--parallel", "--parallel-max", "50", "--config", config])
    return time.perf_counter() - begun


def clone(bench):
    """`git clone --depth 1` of the whole tree by the same machine's Git: pack, transfer through a pipe, checkout."""
    target = bench.farm.path("clone")
    begun = time.perf_counter()
    bench.farm.run(["git", "-c", "safe.directory=*", "clone", "-q", "--depth", "1", "--no-local",
                    f"file://{bench.tree.repository}", target])
    seconds = time.perf_counter() - begun
    bench.farm.run(["rm", "-rf", target])
    return seconds


def fetch_part(bench):
    count = min(10_000, len(bench.tree.files))
    step = len(bench.tree.files) / count
    chosen = [int(index * step) for index in range(count)]
    names, config = bench.farm.path("fetched"), bench.farm.path("curl.config")
    with open(names, "wb") as out:
        out.write(b"".join(bench.tree.files[index] + b"\0" for index in chosen))
    with open(config, "w", encoding="ascii") as lines:
        for blob in dict.fromkeys(bench.tree.blobs[index] for index in chosen):
            lines.write(f'url = "{bench.farm.origin_url}/api/v1/file/blob/{blob}"\noutput = "{os.devnull}"\n')
    many = f"ours, {READERS} readers"
    samples = {"curl --parallel": [], many: [], "ours, one reader": [], "git clone --depth 1, all files": []}
    curl(bench, config)
    for _ in range(min(bench.rounds, 3)):
        samples["curl --parallel"].append(curl(bench, config))
        samples[many].append(read_all(bench, READERS, names))
        samples["ours, one reader"].append(read_all(bench, 1, names))
        samples["git clone --depth 1, all files"].append(clone(bench))
    bench.report.compare(
        "fetch", f"{count} files on an empty cache", "s", samples, reference="curl --parallel",
        budgets=[(many, "curl --parallel", 1.0)])
