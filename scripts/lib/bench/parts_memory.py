"""The part `memory`: what processes cost that have nothing to do, and workers that have seen everything."""
import os
import subprocess
import time

from client import BenchError

from contenders import Default, Lazy, Sealed
from parts_files import walk
from process import rollup

MOUNTS = 20
SHARED_BYTES = 150_000_000
QUIET_SECONDS = 10
# Longer than the deadlines of requests, which may leave a last wake-up behind each.
SETTLE_SECONDS = 15


def private(pid):
    sums = rollup(pid)
    return (sums["Private_Clean"] + sums["Private_Dirty"]) / 1e6


def anonymous(pid):
    """What a process has in memory that is no file's (RssAnon of proc_pid_status(5)), in megabytes."""
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon:")) / 1e6


def machine():
    """Page cache and slab of the whole machine, in megabytes: of use only where nothing else runs."""
    with open("/proc/meminfo", encoding="ascii") as lines:
        values = {line.partition(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines}
    return values["Cached"], values["Slab"]


def shared_part(bench):
    """Mounts that start together on an empty cache and read the same: what the machine keeps in memory for it."""
    farm, names = bench.farm, bench.farm.path("shared")
    chosen, total = [], 0
    for size, name in sorted(((os.lstat(os.path.join(os.fsencode(bench.tree.native), name)).st_size, name)
                              for name in bench.tree.files), reverse=True):
        if total >= SHARED_BYTES or size == 0:
            break
        chosen.append(name)
        total += size
    with open(names, "wb") as out:
        out.write(b"".join(name + b"\0" for name in chosen))
    for kind, wanted in ((Default, "started together on an empty cache"), (Sealed, "sealed")):
        farm.renew()
        if kind is Sealed:
            farm.service.await_seal(bench.tree.commit)
        mounts = [kind(farm, bench.tree) for _ in range(MOUNTS)]
        directories = [mount.make() for mount in mounts]
        before = machine()
        readers = []
        for directory in directories:
            with open(names, "rb") as stream:
                readers.append(subprocess.Popen(["xargs", "-0", "cat", "--"], cwd=directory, stdin=stream,
                                                stdout=subprocess.DEVNULL))
        if any(reader.wait(600) for reader in readers):
            raise BenchError("a reader failed")
        cached, slab = (after - earlier for after, earlier in zip(machine(), before))
        for mount in mounts:
            mount.drop()
        text = f"{MOUNTS} mounts, {wanted}, that read the same {len(chosen)} files"
        budget = (1.2, 6.0) if kind is Sealed else (None, None)
        bench.report.figure("memory", f"{text}: page cache against their size", cached / (total / 1e6), "x", budget[0])
        bench.report.figure("memory", "… slab of each mount", slab / MOUNTS, "MB", budget[1])


def switches(pids):
    """How often the threads of these processes went to sleep, by process, thread and its name."""
    counts = {}
    for pid in pids:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/status", encoding="ascii") as lines:
                fields = dict(line.rstrip("\n").split(":\t", 1) for line in lines)
            counts[pid, thread, fields["Name"]] = int(fields["voluntary_ctxt_switches"])
    return counts


def memory_part(bench):
    report, farm = bench.report, bench.farm
    farm.renew(seal=False)
    mounts = [Lazy(farm, bench.tree) for _ in range(MOUNTS)]
    directories = [mount.make() for mount in mounts]
    one = mounts[0]

    def worker():
        return one.client.status(one.mount["mount_id"])["worker"]["pid"]

    report.figure("memory", "worker, idle: private", private(worker()), "MB", 0.5)
    roles = farm.roles()
    pids = [pid for group in roles.values() for pid in group]
    time.sleep(SETTLE_SECONDS)
    before = switches(pids)
    time.sleep(QUIET_SECONDS)
    after = switches(pids)
    rate = {}
    for program, group in roles.items():
        for key in after:
            if key[0] in group:
                name = f"{program} ({key[2]})"
                rate[name] = rate.get(name, 0) + (after[key] - before.get(key, 0)) / QUIET_SECONDS
    report.figure("memory", f"wake-ups per second, {MOUNTS} idle mounts, all processes", sum(rate.values()), "count", 1)
    busy = ", ".join(f"{name} {value:g}" for name, value in sorted(rate.items()) if value)
    if busy:
        report.note(f"memory: wake-ups per second by program and thread: {busy}")
    for name, group in sorted(roles.items()):
        report.figure("memory", f"PSS of {len(group)} × {name}, {MOUNTS} idle mounts",
                      sum(rollup(pid)["Pss"] for pid in group) / 1e6, "MB")
    walk(bench, directories[0])
    most = 4 * max(1, bench.tree.entries / 80_000)
    report.figure("memory", f"worker after a walk of {bench.tree.entries} entries: private", private(worker()), "MB", most)
    owner = farm.roles().get("dicfuse-cache", [])
    if owner:
        report.figure("memory", "cache owner after that walk: private", private(owner[0]), "MB", 200)
    for mount in mounts:
        mount.drop()
    shared_part(bench)
