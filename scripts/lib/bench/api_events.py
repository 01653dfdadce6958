"""How events reach those who follow them: when the last of many has one, and what that costs the supervisor."""
import json
import select
import socket
import time

from client import BenchError
from process import Crowd, cpu_seconds
from report import percentile

SECONDS = 60


class Listener:
    """One `GET /events`: what came, with the moment it came. Read by whoever polls it."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(30)
        self.socket.connect(path)
        self.socket.sendall(b"GET /events HTTP/1.1\r\nHost: antares\r\n\r\n")
        self.parts, self.text = [], bytearray()

    def receive(self):
        data = self.socket.recv(1 << 20)
        self.parts.append((time.time(), data))
        self.text += data
        if not data:
            raise BenchError("the supervisor closed a stream of events")

    def events(self):
        """[(event, when it was here)], in the order in which they came."""
        found, buffer, taken, head = [], b"", b"", True
        for moment, data in self.parts:
            buffer += data
            if head:
                if b"\r\n\r\n" not in buffer:
                    continue
                line, _, buffer = buffer.partition(b"\r\n\r\n")
                head = False
                if b" 200 " not in line.split(b"\r\n")[0] + b" ":
                    raise BenchError(f"GET /events: {line[:200]!r}")
            # Chunks (RFC 9112 §7.1), which may come in pieces.
            while b"\r\n" in buffer:
                size, _, rest = buffer.partition(b"\r\n")
                length = int(size, 16)
                if len(rest) < length + 2:
                    break
                taken, buffer = taken + rest[:length], rest[length + 2:]
            while b"\n\n" in taken:
                text, _, taken = taken.partition(b"\n\n")
                for line in text.split(b"\n"):
                    if line.startswith(b"data: "):
                        found.append((json.loads(line[6:]), moment))
        return found


def make_and_end(client, jobs, commit):
    """The ids of the mounts that were made and ended, one after the other."""
    made = []
    for job in jobs:
        made.append(client.mount(job_id=job, rev=commit)["mount_id"])
        client.unmount(made[-1])
    return made


def until(listeners, done, limit):
    """Takes what comes, until `done` says so, asked after each turn."""
    watch, deadline = select.epoll(), time.monotonic() + limit
    by_descriptor = {listener.socket.fileno(): listener for listener in listeners}
    for descriptor in by_descriptor:
        watch.register(descriptor, select.EPOLLIN)
    while not done():
        if time.monotonic() > deadline:
            raise BenchError(f"events did not reach all listeners in {limit} s")
        for descriptor, _ in watch.poll(0.1):
            by_descriptor[descriptor].receive()
    watch.close()


def rounds_of(bench, listeners, rounds):
    """The mounts made and ended under these listeners, and the supervisor's processor time for one."""
    farm = bench.farm
    pid = farm.service.process.pid
    crowd = Crowd(farm.service, 1, make_and_end, [farm.next_job() for _ in range(rounds)], bench.tree.commit)
    used = cpu_seconds(pid)
    crowd.begin()
    pipe = crowd.members[0][1]
    until(listeners, lambda: pipe.poll(), SECONDS)
    made = crowd.results()[0]
    # Members are in the order of their names, and one event is written at a time.
    end = f'"kind":"mount_unmounted","mount_id":"{made[-1]}"'.encode()
    until(listeners, lambda: all(end in listener.text for listener in listeners), SECONDS)
    return made, (cpu_seconds(pid) - used) / rounds


def fan_out(bench):
    report, farm = bench.report, bench.farm
    count, rounds = (20, 5) if bench.is_quick else (100, 20)
    client = farm.client()
    rounds_of(bench, [], rounds)
    _, alone = rounds_of(bench, [], rounds)
    listeners = [Listener(farm.service.socket) for _ in range(count)]
    until(listeners, lambda: all(b": events" in listener.text for listener in listeners), SECONDS)
    made, beside = rounds_of(bench, listeners, rounds)
    heard = [listener.events() for listener in listeners]
    for listener in listeners:
        listener.socket.close()
    wanted, lost, moments = set(made), 0, {}
    for events in heard:
        for event, moment in events:
            if event.get("mount_id") in wanted:
                moments.setdefault(event["id"], (event["time_epoch_ms"] / 1e3, []))[1].append(moment)
    lost = sum(count - len(came) for _, came in moments.values())
    lost += sum(event["kind"] == "gap" for events in heard for event, _ in events)
    each = [moment - begun for begun, came in moments.values() for moment in came]
    last = [max(came) - begun for begun, came in moments.values()]
    name = f"an event to {count} listeners (times with a granularity of 1 ms)"
    report.spread("api", f"{name}: to each", each)
    report.spread("api", "… until all have it", last)
    report.figure("api", "… until all have it, longest", max(last), "s")
    report.figure("api", f"… lost of {len(moments)} events × {count}", lost, "count", 0)
    report.figure("api", "the supervisor's processor time, one mount made and ended, nobody listening", alone, "s")
    report.figure("api", f"… {count} listening", beside, "s")
    report.figure("api", "… for one event to one listener", (beside - alone) * rounds / max(1, len(each)) * 1e6, "µs")
    client.close()
