"""The part `fetch`: everything read once on an empty cache, beside what else could bring it; and what is there, asked for by many."""
import multiprocessing
import os
import resource
import time
import urllib.request

from client import BenchError
from contenders import Default, Lazy

READERS = 16
WARM_MOUNTS = 200
WARM_FILES = 20
CLOCK = os.sysconf("SC_CLK_TCK")


def processor_time(pids):
    """Seconds of processor time that processes have had, and how many of them in the kernel (proc_pid_stat(5))."""
    user, kernel = 0, 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as line:
            fields = line.read().rpartition(")")[2].split()
        user += int(fields[11])
        kernel += int(fields[12])
    return (user + kernel) / CLOCK, kernel / CLOCK


def children_time():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime, used.ru_stime


class Meter:
    """What something costs: seconds, requests to the origin and bytes of it, and processor time on its side, in the kernel there, and on the origin's."""

    def __init__(self, bench):
        self.bench = bench
        self.values = {}

    def origin(self):
        """Requests that were answered, and bytes of objects."""
        with urllib.request.urlopen(f"{self.bench.farm.origin_url}/metrics", timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        sums = {"requests": 0, "bytes": 0}
        for line in lines:
            if line.startswith("antares_origin_requests_total{") and "/metrics" not in line:
                sums["requests"] += float(line.split()[-1])
            if line.startswith("antares_origin_object_bytes_total"):
                sums["bytes"] += float(line.split()[-1])
        return sums

    def used(self):
        """Processor time so far: of us and what was run, of that in the kernel, and of the origin."""
        services, children = processor_time(self.pids), children_time()
        return services[0] + children[0], services[1] + children[1], processor_time([self.bench.farm.origin.pid])[0]

    def __enter__(self):
        self.before = self.origin()
        self.pids = [pid for pids in self.bench.farm.roles().values() for pid in pids]
        self.used_before = self.used()
        self.begun = time.perf_counter()
        return self

    def __exit__(self, kind, error, trace):
        if kind:
            return
        seconds = time.perf_counter() - self.begun
        after = self.origin()
        processor, kernel, server = (now - before for now, before in zip(self.used(), self.used_before))
        self.values = {
            "seconds": seconds, "requests": after["requests"] - self.before["requests"],
            "megabytes": (after["bytes"] - self.before["bytes"]) / 1e6,
            "processor": processor, "kernel": kernel, "origin": server}


def read_all(bench, readers, names):
    """Empty cache, new mount, the files read by some readers at once."""
    bench.farm.renew()
    contender = Default(bench.farm, bench.tree)
    try:
        with open(names, "rb") as stream, Meter(bench) as meter:
            directory = contender.make()
            bench.farm.run(["xargs", "-0", "-n", "50", "-P", str(readers), "cat", "--"], cwd=directory, stdin=stream)
        return meter.values
    finally:
        contender.drop()


def curl(bench, config, *options):
    with Meter(bench) as meter:
        bench.farm.run(["curl", "-sS", "--fail", "--parallel", "--parallel-max", "50", *options, "--config", config])
    return meter.values


def clone(bench):
    """`git clone --depth 1` of the whole tree by the same machine's Git: pack, transfer through a pipe, checkout."""
    target = bench.farm.path("clone")
    with Meter(bench) as meter:
        bench.farm.run(["git", "-c", "safe.directory=*", "clone", "-q", "--depth", "1", "--no-local",
                        f"file://{bench.tree.repository}", target])
    bench.farm.run(["rm", "-rf", target])
    return meter.values


def cold(bench, chosen, rounds, label):
    """The chosen files by every contender."""
    names, config, keeping, kept = (
        bench.farm.path(name) for name in ("fetched", "curl.config", "keeping.config", "kept"))
    with open(names, "wb") as out:
        out.write(b"".join(bench.tree.files[index] + b"\0" for index in chosen))
    with open(config, "w", encoding="ascii") as lines, open(keeping, "w", encoding="ascii") as keeping_lines:
        for blob in dict.fromkeys(bench.tree.blobs[index] for index in chosen):
            url = f'url = "{bench.farm.origin_url}/api/v1/file/blob/{blob}"\n'
            lines.write(f'{url}output = "{os.devnull}"\n')
            keeping_lines.write(f'{url}output = "{kept}/{blob[:2]}/{blob[2:]}"\n')
    many = f"ours, {READERS} readers"
    found = {"curl --parallel": [], "curl that keeps": [], many: [], "ours, one reader": [], "git clone --depth 1, all files": []}
    curl(bench, config)
    for _ in range(rounds):
        found["curl --parallel"].append(curl(bench, config))
        found["curl that keeps"].append(curl(bench, keeping, "--create-dirs"))
        bench.farm.run(["rm", "-rf", kept])
        found[many].append(read_all(bench, READERS, names))
        found["ours, one reader"].append(read_all(bench, 1, names))
        found["git clone --depth 1, all files"].append(clone(bench))

    def samples(key, contenders):
        return {name: [one[key] for one in found[name]] for name in contenders}

    bench.report.compare(
        "fetch", label, "s", samples("seconds", found), reference="curl --parallel", budgets=[(many, "curl --parallel", 1.0)])
    for key, name in (("processor", "… processor time, all but the origin's"), ("kernel", "… of that in the kernel")):
        bench.report.compare("fetch", name, "s", samples(key, found), reference="curl --parallel")
    by_http = [name for name in found if "clone" not in name]
    for key, name, unit in (
            ("origin", "… processor time of the origin", "s"), ("requests", "… requests", "count"),
            ("megabytes", "… bytes of objects", "MB")):
        bench.report.compare("fetch", name, unit, samples(key, by_http), reference="curl --parallel")


def first_reads(directories, names, out):
    """How long each file's first opening and reading takes, each mount in turn; what their directories are is known before."""
    for directory in directories:
        for name in names:
            os.lstat(os.path.join(directory, name))
    times = []
    for name in names:
        for directory in directories:
            begun = time.perf_counter()
            file = os.open(os.path.join(directory, name), os.O_RDONLY)
            os.read(file, 1 << 16)
            os.close(file)
            times.append(time.perf_counter() - begun)
    out.send(times)
    out.close()


def warm(bench):
    """Requests for what the cache has, from many workers at once: the first opening of small files in lazy mounts."""
    count = 40 if bench.is_quick else WARM_MOUNTS
    farm = bench.farm
    farm.renew(seal=False)
    mounts = [Lazy(farm, bench.tree) for _ in range(count)]
    directories = [os.fsencode(mount.make()) for mount in mounts]
    sizes = {name: os.lstat(os.path.join(os.fsencode(bench.tree.native), name)).st_size for name in bench.tree.files[:4000]}
    small = [name for name, size in sizes.items() if 0 < size <= 16384]
    names = small[::max(1, len(small) // WARM_FILES)][:WARM_FILES]
    # One mount fetches them for all; it is asked no more.
    for name in names:
        with open(os.path.join(directories[0], name), "rb") as file:
            file.read()
    context = multiprocessing.get_context("fork")
    readers = []
    for share in range(8):
        mine = directories[1 + share::8]
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=first_reads, args=(mine, names, sender))
        process.start()
        sender.close()
        readers.append((process, receiver))
    times = []
    for process, receiver in readers:
        if not receiver.poll(120):
            raise BenchError("a reader of warm files does not end")
        times += receiver.recv()
        process.join()
    for mount in mounts:
        mount.drop()
    bench.report.spread(
        "fetch", f"first open + read + close of {len(names)} cached small files in each of {count - 1} lazy mounts, 8 readers", times)


def fetch_part(bench):
    everything = len(bench.tree.files)
    count = min(10_000, everything)
    chosen = [int(index * everything / count) for index in range(count)]
    cold(bench, chosen, min(bench.rounds, 3), f"{count} files on an empty cache")
    if everything > count:
        cold(bench, range(everything), 1, f"all {everything} files on an empty cache")
    warm(bench)
