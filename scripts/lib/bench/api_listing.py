"""What `GET /mounts` costs: how many are answered a second, and what the supervisor takes meanwhile."""
import time

from client import BenchError
from process import Crowd, cpu_seconds, rollup

CLIENTS = 8


def ask(client, seconds):
    """The duration of each request that one connection had answered in this time, and the bytes of the last answer."""
    times, size, until = [], 0, time.monotonic() + seconds
    while time.monotonic() < until:
        begun = time.perf_counter()
        status, text = client.raw("GET", "/mounts")
        times.append(time.perf_counter() - begun)
        size = len(text)
        if status != 200:
            raise BenchError(f"GET /mounts: {status} {text[:200]}")
    return times, size


def listing(bench, live):
    report, service = bench.report, bench.farm.service
    seconds = 1 if bench.is_quick else 5
    pid = service.process.pid
    before = rollup(pid)
    for count in (1, CLIENTS):
        crowd = Crowd(service, count, ask, seconds)
        used, begun = cpu_seconds(pid), time.monotonic()
        crowd.begin()
        answers = crowd.results()
        passed, used = time.monotonic() - begun, cpu_seconds(pid) - used
        times = [one for some, _ in answers for one in some]
        name = f"GET /mounts, {live} live mounts, {count} client{'s' if count > 1 else ''}"
        report.figure("api", f"{name}, answers a second", round(len(times) / passed), "count")
        report.spread("api", "…", times)
        report.figure("api", "… the supervisor's processor time for one", used / len(times), "s")
        report.figure("api", "… the supervisor's share of one processor", used / passed * 100, "%")
    after = rollup(pid)
    report.figure("api", "… bytes of one answer", answers[0][1] / 1e6, "MB")
    for kind in ("Rss", "Pss"):
        report.figure("api", f"the supervisor's {kind.upper()} before", before[kind] / 1e6, "MB")
        report.figure("api", "… and after", after[kind] / 1e6, "MB")
