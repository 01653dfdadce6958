"""The part `takeover`: how long jobs wait when a worker is killed with SIGKILL.

The readers are a process of their own, so that the killer's clock does not wait for their interpreter. Run as a program, this file is the readers.
"""
import json
import os
import random
import select
import signal
import subprocess
import sys
import threading
import time

if __name__ != "__main__":
    from client import BenchError
    from report import percentile

THREADS = 4


def readers():
    """Until standard input ends: cold lookups and reads in the mount argv[1] of the files listed in argv[2], one JSON line at the end.

    A name that nobody asked for before, and a file whose pages were dropped, can only be answered by the worker.
    """
    root = os.fsencode(sys.argv[1])
    with open(sys.argv[2], "rb") as names:
        files = names.read().split(b"\0")[:-1]
    folders = sorted({os.path.dirname(path) for path in files})
    operations, errors, ended = [], [], threading.Event()
    lock = threading.Lock()

    def loop(number):
        dice = random.Random(number)
        mine, count = [], 0
        while not ended.is_set():
            count += 1
            begun = time.monotonic()
            try:
                if count % 2:
                    kind = "lookup"
                    try:
                        os.lstat(os.path.join(root, dice.choice(folders), b"absent-%d-%d" % (number, count)))
                        errors.append("a name that is not there was found")
                    except FileNotFoundError:
                        pass
                else:
                    kind = "read"
                    fd = os.open(os.path.join(root, dice.choice(files)), os.O_RDONLY)
                    try:
                        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                        begun = time.monotonic()
                        size = os.fstat(fd).st_size
                        if len(os.pread(fd, 4096, 0)) != min(size, 4096):
                            errors.append("a short read")
                    finally:
                        os.close(fd)
            except OSError as error:
                errors.append(f"{kind}: {error}")
            mine.append((begun, time.monotonic(), kind))
        with lock:
            operations.extend(mine)

    crowd = [threading.Thread(target=loop, args=(number,)) for number in range(THREADS)]
    for thread in crowd:
        thread.start()
    print("reading", flush=True)
    sys.stdin.read()
    ended.set()
    for thread in crowd:
        thread.join()
    print(json.dumps({"operations": sorted(operations), "errors": errors}))


def kill_worker(client, mount_id):
    """The moment before the signal and the moment the process was gone."""
    pid = client.status(mount_id)["worker"]["pid"]
    fd = os.pidfd_open(pid)
    try:
        before = time.monotonic()
        signal.pidfd_send_signal(fd, signal.SIGKILL)
        watch = select.poll()
        watch.register(fd, select.POLLIN)
        if not watch.poll(5000):
            raise BenchError(f"worker {pid} does not die")
        return before, time.monotonic()
    finally:
        os.close(fd)


def observe(bench, client, kills, pause):
    """Kills the worker of a new mount some times under readers: the moments of each kill, all operations, all errors."""
    body = client.mount(job_id=bench.farm.next_job(), rev=bench.tree.commit)
    with bench.farm.log("readers") as log:
        child = subprocess.Popen(
            [sys.executable, __file__, body["mountpoint"], bench.tree.list],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    try:
        if child.stdout.readline() != b"reading\n":
            raise BenchError(f"the readers do not start\n{bench.farm.tail('readers')}")
        moments = []
        time.sleep(0.15)
        for _ in range(kills):
            moments.append(kill_worker(client, body["mount_id"]))
            time.sleep(pause)
        seen = json.loads(child.communicate(timeout=60)[0])
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    client.unmount(body["mount_id"])
    return moments, seen["operations"], seen["errors"]


def gap_after(moment, operations):
    """From the kill to the first answer to something that was asked when the old worker was gone, and the longest wait of one operation."""
    before, gone = moment
    answers = [end for begin, end, _ in operations if begin >= gone]
    # What waited from before the kill, or was asked soon after it.
    waits = [end - begin for begin, end, _ in operations if end >= before and begin <= gone + 0.1]
    return (min(answers) - before if answers else None), max(waits, default=0.0)


BOUNDS = (0.001, 0.002, 0.003, 0.005, 0.010, 0.020, 0.050, 0.100, 0.5)


def cold_answer(root, number):
    """The wait of one lookup of a name that nobody asked for before."""
    begun = time.monotonic()
    try:
        os.lstat(os.path.join(root, f"absent-{number}"))
    except FileNotFoundError:
        return time.monotonic() - begun
    raise BenchError("a name that is not there was found")


def histogram(bench, client):
    """Many first kills: each mount's worker dies once, and a lookup that starts then waits for the next worker.

    The gap is from the moment the process was gone to the answer, so it has the takeover and one cold lookup in it.
    """
    report, gaps, errors = bench.report, [], []
    for number in range(bench.takeover_count):
        body = client.mount(job_id=bench.farm.next_job(), rev=bench.tree.commit)
        try:
            cold_answer(body["mountpoint"], "before")
            before, _ = kill_worker(client, body["mount_id"])
            cold_answer(body["mountpoint"], number)
            gaps.append(time.monotonic() - before)
        except OSError as error:
            errors.append(str(error))
        finally:
            client.unmount(body["mount_id"])
    report.spread("takeover", f"{len(gaps)} × kill -9 of as many mounts, kill → cold answer", gaps, (0.010, 0.050))
    report.figure("takeover", "… longest", max(gaps, default=0.0), "s")
    report.figure("takeover", "… errors", len(errors), "count", 0)
    counts = [sum(low < gap <= high for gap in gaps) for low, high in zip((0.0, *BOUNDS), (*BOUNDS, float("inf")))]
    names = [f"≤ {bound * 1000:g} ms" for bound in BOUNDS] + ["more"]
    report.note("takeover gaps: " + ", ".join(f"{name}: {count}" for name, count in zip(names, counts) if count))
    if errors:
        report.error(f"takeover: {errors[0]}")


def restart(bench, client):
    """The supervisor is killed and started again, under somebody who asks every mount's worker something new all the time."""
    report, service = bench.report, bench.farm.service
    count = 20 if bench.is_quick else 100
    bodies = [client.mount(job_id=bench.farm.next_job(), rev=bench.tree.commit) for _ in range(count)]
    workers = {body["mount_id"]: client.status(body["mount_id"])["worker"]["pid"] for body in bodies}
    waits, errors, ended = [], [], threading.Event()

    def ask():
        number = 0
        while not ended.is_set():
            number += 1
            for body in bodies:
                try:
                    waits.append(cold_answer(body["mountpoint"], f"restart-{number}"))
                except (OSError, BenchError) as error:
                    errors.append(str(error))

    asker = threading.Thread(target=ask)
    asker.start()
    try:
        service.kill()
        begun = time.monotonic()
        client = service.launch()
        adopted = {}
        while len(adopted) < count and time.monotonic() < begun + 30:
            status, body = client.call("GET", "/mounts")
            if status != 200:
                raise BenchError(f"GET /mounts: {status} {body}")
            adopted = {one["mount_id"]: (one.get("worker") or {}).get("pid") for one in body["mounts"] if one["state"] == "Ready"}
        seconds = time.monotonic() - begun
    finally:
        ended.set()
        asker.join()
    lost = sum(mount_id not in adopted for mount_id in workers)
    report.figure("takeover", f"the supervisor killed and started again: all {count} mounts adopted", seconds, "s", 1.0)
    report.figure("takeover", "… mounts lost", lost, "count", 0)
    report.figure("takeover", "… mounts that have another worker", sum(adopted.get(one) != pid for one, pid in workers.items()), "count", 0)
    report.figure("takeover", "… errors seen by a reader", len(errors), "count", 0)
    report.figure("takeover", "… the longest wait of one operation", max(waits, default=0.0), "s")
    if errors:
        report.error(f"takeover of the supervisor: {errors[0]}")
    for mount_id in adopted:
        client.unmount(mount_id)
    client.close()


def takeover_part(bench):
    """A supervisor may let a worker that dies again and again wait longer, so that each kill here is the first of its mount.

    The mounts are lazy: of a sealed one the kernel answers nearly everything without a worker.
    """
    bench.farm.renew(seal=False)
    report, client, kills = bench.report, bench.farm.client(), bench.kill_count
    gaps, waits, errors, quiet = [], [], [], []
    for _ in range(kills):
        moments, operations, seen = observe(bench, client, 1, 0.3)
        gap, wait = gap_after(moments[0], operations)
        errors += seen
        if gap is None:
            errors.append("no answer within 0.3 s of the kill")
            continue
        gaps.append(gap)
        waits.append(wait)
        quiet += [end - begin for begin, end, _ in operations if end < moments[0][0]]
    if not gaps:
        raise BenchError(f"no operation was answered after any kill: {errors[:1]}")
    report.spread("takeover", f"{kills} × kill -9, kill → first cold answer", gaps, (0.010, 0.050))
    report.spread("takeover", "… the longest wait of one operation around a kill", waits)
    report.figure("takeover", "… a cold operation with no kill, p50", percentile(quiet, 0.5), "s")
    report.figure("takeover", "… errors seen by readers", len(errors), "count", 0)
    if errors:
        report.error(f"takeover: {errors[0]}")

    histogram(bench, client)

    moments, operations, seen = observe(bench, client, 3, 3.0)
    again = [gap_after(moment, operations)[0] for moment in moments]
    report.figure("takeover", "the same mount killed 3 times, 3 s apart: longest gap",
                  None if None in again else max(again), "s", None, again)
    report.figure("takeover", "… errors seen by readers", len(seen), "count", 0)
    if seen:
        report.error(f"takeover of the same mount: {seen[0]}")
    restart(bench, client)
    client.close()


if __name__ == "__main__":
    readers()
