"""The part `compile`: a build in each contender, and how long it takes from nothing to the first object file."""
import os
import time

from contenders import Default, Native, Sealed, Worktree
from parts_files import usable_contenders


def build(bench, contender, directory):
    """Seconds of the build; what it makes is below a directory of its own."""
    out = bench.farm.path("native-out") if isinstance(contender, Native) else os.path.join(directory, "bench-out")
    begun = time.perf_counter()
    bench.farm.run(["sh", "-ec", bench.tree.build], cwd=directory, env={**os.environ, "OUT": out})
    seconds = time.perf_counter() - begun
    bench.farm.run(["rm", "-rf", out])
    return seconds


def first_object(bench, contender):
    """From nothing to the first object file; and what the disk has to hold for it."""
    begun = time.perf_counter()
    directory = contender.make()
    bench.farm.run(["sh", "-ec", bench.tree.first_object], cwd=directory)
    seconds = time.perf_counter() - begun
    used = 0
    for folder, _, names in os.walk(os.fsencode(contender.upper())):
        used += sum(os.lstat(os.path.join(folder, name)).st_blocks * 512 for name in names)
    contender.drop()
    return seconds, used / 1e3


def compile_part(bench):
    contenders = usable_contenders(bench)
    samples = {contender.name: [] for contender in contenders}
    rounds = min(bench.rounds, 3)
    for number in range(rounds):
        for contender in contenders[number % len(contenders):] + contenders[:number % len(contenders)]:
            directory = contender.make()
            try:
                samples[contender.name].append(build(bench, contender, directory))
            finally:
                contender.drop()
    bench.report.compare("compile", bench.tree.build_name, "s", samples, budgets=[("sealed", "overlayfs", 1.05)])

    sealed = next(contender for contender in contenders if isinstance(contender, Sealed))
    ways = [Worktree(bench.farm, bench.tree), sealed]
    found = {way.name: [] for way in ways}
    empty = "ours, empty cache"
    found[empty] = []
    for _ in range(rounds):
        for way in ways:
            found[way.name].append(first_object(bench, way))
    for _ in range(rounds):
        bench.farm.renew()
        found[empty].append(first_object(bench, Default(bench.farm, bench.tree)))
    for name, unit, place in (("from nothing to the first object file", "s", 0), ("… disk used by the job", "kB", 1)):
        bench.report.compare("compile", name, unit, {way: [pair[place] for pair in pairs] for way, pairs in found.items()},
                             reference="git worktree add")
    first_build(bench, rounds)


class Clone(Worktree):
    """What is done where there is no clone yet, by the same machine's Git: pack, transfer through a pipe, checkout."""
    name = "git clone --depth 1"

    def make(self):
        self.path = self.farm.path("first-clone")
        self.farm.run(["git", "-c", "safe.directory=*", "clone", "-q", "--depth", "1", "--no-local",
                       f"file://{self.tree.repository}", self.path])
        return self.path

    def drop(self):
        self.farm.run(["rm", "-rf", self.path])


def first_build(bench, rounds):
    """From nothing, an empty cache, to the end of the build."""
    samples = {Clone.name: [], "ours, empty cache": []}
    for _ in range(rounds):
        bench.farm.renew()
        for name, way in zip(samples, (Clone(bench.farm, bench.tree), Default(bench.farm, bench.tree))):
            begun = time.perf_counter()
            directory = way.make()
            try:
                build(bench, way, directory)
                samples[name].append(time.perf_counter() - begun)
            finally:
                way.drop()
    bench.report.compare("compile", f"from nothing to the end of {bench.tree.build_name}", "s", samples, reference=Clone.name)
