"""The part `mount`: how long the API takes, one at a time and many at once."""
import os
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

from contenders import mount_overlay, unmount
from client import BenchError
from report import median


def timed(call, *arguments, **fields):
    begun = time.perf_counter()
    result = call(*arguments, **fields)
    return time.perf_counter() - begun, result


def in_parallel(farm, threads, items, work):
    """Calls work(client, item) for all items from some threads; the seconds until the last one is done, and the results."""
    results, failures, pending = [], [], list(reversed(items))
    clients = [farm.client() for _ in range(threads)]
    start = threading.Barrier(threads + 1, timeout=30)

    def run(client):
        start.wait()
        while True:
            try:
                item = pending.pop()
            except IndexError:
                return
            try:
                results.append(work(client, item))
            except (OSError, BenchError) as error:
                failures.append(str(error))

    crowd = [threading.Thread(target=run, args=(client,), daemon=True) for client in clients]
    for thread in crowd:
        thread.start()
    start.wait()
    begun = time.perf_counter()
    for thread in crowd:
        thread.join(120)
    seconds = time.perf_counter() - begun
    for client in clients:
        client.close()
    if failures:
        raise BenchError(f"{len(failures)} of {len(items)} requests failed: {failures[0]}")
    return seconds, results


def overlay_alone(bench, count):
    """The same number of kernel overlays on the checkout, by mount(2): what no supervisor can go below."""
    made, ended, base = [], [], bench.farm.path("plain-overlays")
    for index in range(count):
        paths = [os.path.join(base, str(index), part) for part in ("upper", "work", "mnt")]

        def make(paths=paths):
            for path in paths:
                os.makedirs(path)
            mount_overlay(bench.tree.native, *paths)
        made.append(timed(make)[0])
    for index in range(count):
        ended.append(timed(unmount, os.path.join(base, str(index), "mnt"))[0])
    bench.farm.run(["rm", "-rf", base])
    return made, ended


def first_mounts(bench):
    times, inside = [], []
    for _ in range(bench.rounds):
        bench.farm.renew()
        client = bench.farm.client()
        seconds, body = timed(client.mount, job_id=bench.farm.next_job(), rev=bench.tree.commit)
        times.append(seconds)
        inside.append(body["ready_after_ms"] / 1e3)
        client.unmount(body["mount_id"])
        client.close()
    bench.report.figure("mount", "first mount ever, empty cache: POST → Ready", median(times), "s", 0.050, times)
    bench.report.figure("mount", "… as the server counts it (ready_after_ms)", median(inside), "s", None, inside)


@contextmanager
def busy_processes(count, own_session):
    """Processes that want all the processor time there is; in a session of their own the kernel gives them a share of their own, too (sched(7), autogroup)."""
    processes = []
    try:
        for _ in range(count):
            processes.append(subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=own_session))
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def one_after_the_other(bench, client, count, pause=0):
    """Makes mounts; the seconds that each took, and the answers."""
    times, bodies = [], []
    for _ in range(count):
        time.sleep(pause)
        seconds, body = timed(client.mount, job_id=bench.farm.next_job(), rev=bench.tree.commit)
        times.append(seconds)
        bodies.append(body)
    return times, bodies


def mounts_beside_others(bench):
    count, busy = 40, 2 * os.cpu_count()
    client = bench.farm.client()
    for own_session in (False, True):
        with busy_processes(busy, own_session):
            # As jobs come: one on the heels of the other they would wait for their share of the processors.
            times, bodies = one_after_the_other(bench, client, count, pause=0.05)
        for body in bodies:
            client.unmount(body["mount_id"])
        where = "of another session" if own_session else "of the same session"
        bench.report.spread("mount", f"{count} of them, 50 ms apart, beside {busy} busy processes {where}", times)
    client.close()


def mount_part(bench):
    report, farm, count = bench.report, bench.farm, bench.mount_count
    first_mounts(bench)
    client = farm.client()
    client.unmount(client.mount(job_id=farm.next_job(), rev=bench.tree.commit)["mount_id"])
    farm.service.await_seal(bench.tree.commit)
    farm_idle = [timed(client.call, "GET", "/health")[0] for _ in range(100)]
    times, bodies = one_after_the_other(bench, client, count)
    report.spread("mount", f"{count} POST /mounts, one after the other", times, (0.003, 0.015))
    report.spread("mount", "… as the server counts it (ready_after_ms)", [body["ready_after_ms"] / 1e3 for body in bodies])
    tail = max(1, count // 20)
    report.figure("mount", f"… the last {tail} against the first {tail} (medians)",
                  median(times[-tail:]) / median(times[:tail]), "x", 1.5)
    made, _ = overlay_alone(bench, count)
    report.spread("mount", "mkdir and mount(2) of a kernel overlay alone", made)
    report.spread("mount", "GET /health, for the price of a request", farm_idle)
    client.close()
    mounts_beside_others(bench)
    gone, _ = in_parallel(farm, 24, bodies, lambda client, body: client.unmount(body["mount_id"]))
    report.figure("mount", f"{count} concurrent DELETE: all gone", gone, "s")
    jobs = [farm.next_job() for _ in range(count)]
    seconds, bodies = in_parallel(farm, count, jobs, lambda client, job: client.mount(job_id=job, rev=bench.tree.commit))
    report.figure("mount", f"{count} concurrent POST /mounts: all Ready", seconds, "s", 1.5 * count / 200)
    bench.live = [body["mount_id"] for body in bodies]
