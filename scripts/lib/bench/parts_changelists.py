"""The part `cl`: how long a mount takes that has a changelist on top, and what its readers see when that is exchanged.

Run as a program, this file is the reader.
"""
import json
import os
import subprocess
import sys
import threading
import time

if __name__ != "__main__":
    from client import BenchError
    from parts_mounts import timed
    from report import median


def reader():
    """Until standard input ends: opens and reads the file argv[1] by its path, again and again. One JSON line at the end: when each round ended, errors."""
    moments, errors, ended = [], [], threading.Event()

    def loop():
        while not ended.is_set():
            try:
                fd = os.open(sys.argv[1], os.O_RDONLY)
                try:
                    os.pread(fd, 4096, 0)
                finally:
                    os.close(fd)
            except OSError as error:
                errors.append(str(error))
            moments.append(time.monotonic())

    thread = threading.Thread(target=loop)
    thread.start()
    print("reading", flush=True)
    sys.stdin.read()
    ended.set()
    thread.join()
    print(json.dumps({"moments": moments, "errors": errors}))


def first_and_next(bench, name):
    """Seconds until Ready on an empty cache, and of the next mount of the same changelist."""
    first, following = [], []
    for _ in range(bench.rounds):
        bench.farm.renew()
        client = bench.farm.client()
        for times in (first, following):
            seconds, body = timed(client.mount, job_id=bench.farm.next_job(), rev=bench.tree.commit, cl=name)
            times.append(seconds)
            client.unmount(body["mount_id"])
        client.close()
    return first, following


def on_sealed_base(bench, name):
    """Seconds until Ready of the first mount of a changelist whose base is sealed, and how many of these mounts were sealed."""
    times, sealed = [], 0
    for _ in range(bench.rounds):
        bench.farm.renew()
        bench.farm.service.await_seal(bench.tree.commit)
        client = bench.farm.client()
        seconds, body = timed(client.mount, job_id=bench.farm.next_job(), rev=bench.tree.commit, cl=name)
        times.append(seconds)
        sealed += body["lower"] == "sealed"
        client.unmount(body["mount_id"])
        client.close()
    return times, sealed


def longest_gap(moments, begin, end):
    """The longest time between the ends of two rounds of which at least one lies in the interval."""
    pairs = zip(moments, moments[1:])
    return max((after - before for before, after in pairs if after >= begin and before <= end), default=0.0)


def exchanges(bench, name):
    """Exchanges the changelist of one mount to and fro under a reader: seconds of each exchange, the reader's longest gap at each, and with none."""
    client = bench.farm.client()
    body = client.mount(job_id=bench.farm.next_job(), rev=bench.tree.commit)
    path = os.path.join(os.fsencode(body["mountpoint"]), min(bench.tree.files))
    with bench.farm.log("reader") as log:
        child = subprocess.Popen(
            [sys.executable, __file__, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    try:
        if child.stdout.readline() != b"reading\n":
            raise BenchError(f"the reader does not start\n{bench.farm.tail('reader')}")
        seconds, intervals = [], []
        time.sleep(0.2)
        for number in range(bench.exchange_count):
            begun = time.monotonic()
            if number % 2:
                client.call("DELETE", f"/mounts/{body['mount_id']}/cl")
            else:
                client.call("POST", f"/mounts/{body['mount_id']}/cl", {"cl": name})
            ended = time.monotonic()
            seconds.append(ended - begun)
            intervals.append((begun, ended))
            # As long again without one, for comparison.
            time.sleep(ended - begun)
        seen = json.loads(child.communicate(timeout=60)[0])
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()
    client.unmount(body["mount_id"])
    client.close()
    gaps = [longest_gap(seen["moments"], *interval) for interval in intervals]
    quiet = [longest_gap(seen["moments"], end, end + (end - begin)) for begin, end in intervals]
    return seconds, gaps, quiet, seen["errors"]


def changelist_part(bench):
    report = bench.report
    for count in (10, 1_000, 10_000):
        if count > len(bench.tree.files):
            continue
        name = bench.tree.changelist(count)
        first, following = first_and_next(bench, name)
        report.figure("cl", f"{count} files, empty cache: POST → Ready", median(first), "s", None, first)
        report.figure("cl", "… the next mount of it", median(following), "s", None, following)
        times, sealed = on_sealed_base(bench, name)
        report.figure("cl", "… the first mount of it, its base sealed", median(times), "s", None, times)
        report.figure("cl", f"… sealed at once, of {bench.rounds}", sealed, "count")
        bench.farm.renew()
        seconds, gaps, quiet, errors = exchanges(bench, name)
        report.spread("cl", f"… {len(seconds)} exchanges of it, under a reader", seconds)
        report.spread("cl", "… the reader's longest gap at an exchange", gaps)
        report.spread("cl", "… as long without an exchange", quiet)
        report.figure("cl", "… errors seen by the reader", len(errors), "count", 0)
        if errors:
            report.error(f"exchange of a changelist: {errors[0]}")


if __name__ == "__main__":
    reader()
