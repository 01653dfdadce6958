"""What a process of the farm takes, and many clients at once as processes of their own."""
import multiprocessing
import os
import select
import time

from client import BenchError, Client
from report import percentile

PROCESSES = multiprocessing.get_context("fork")


def cpu_seconds(pid):
    """The processor time of a process and all its threads, those that have ended too, by its clock (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def rollup(pid):
    """The sums of smaps_rollup in bytes (proc_pid_smaps_rollup(5))."""
    sums = {}
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as lines:
        for line in lines:
            name, _, rest = line.partition(":")
            if rest.endswith("kB\n"):
                sums[name] = int(rest.split()[0]) * 1024
    return sums


def _answer(question, answer, processor, count):
    os.sched_setaffinity(0, {processor})
    for _ in range(count):
        os.eventfd_read(question)
        os.eventfd_write(answer, 1)


def exchange_seconds(asking, answering, count=2000):
    """A question to another process and its answer, the median: two wake-ups, between two processors or on one."""
    question, answer = os.eventfd(0), os.eventfd(0)
    before = os.sched_getaffinity(0)
    process = PROCESSES.Process(target=_answer, args=(question, answer, answering, count), daemon=True)
    process.start()
    waiting = select.poll()
    waiting.register(answer, select.POLLIN)
    samples = []
    try:
        os.sched_setaffinity(0, {asking})
        for _ in range(count):
            begun = time.perf_counter()
            os.eventfd_write(question, 1)
            if not waiting.poll(10_000):
                raise BenchError("another process does not answer in 10 s")
            os.eventfd_read(answer)
            samples.append(time.perf_counter() - begun)
    finally:
        os.sched_setaffinity(0, before)
        process.kill()
        process.join(10)
        os.close(question)
        os.close(answer)
    return percentile(samples, 0.5)


def halt_polling():
    """How long an idle processor of a virtual machine waits before it halts, in nanoseconds (Documentation/virt/guest-halt-polling.rst); None
    where another governor decides."""
    try:
        with open("/sys/devices/system/cpu/cpuidle/current_governor", encoding="ascii") as governor:
            if governor.read().strip() != "haltpoll":
                return None
        with open("/sys/module/haltpoll/parameters/guest_halt_poll_ns", encoding="ascii") as polling:
            return int(polling.read())
    except OSError:
        return None


def wake_ups():
    """What waking costs on this machine, in words: much of what a lazy mount and a request take."""
    first, *others = sorted(os.sched_getaffinity(0))
    text = f"a question to another process and its answer: {exchange_seconds(first, first) * 1e6:.0f} µs on one processor"
    if others:
        text += f", {exchange_seconds(first, others[0]) * 1e6:.0f} µs on two"
    polling = halt_polling()
    return text if polling is None else f"{text} (guest_halt_poll_ns {polling})"


def _client(path, work, arguments, pipe):
    try:
        client = Client(path)
        pipe.send(None)
        pipe.recv()
        pipe.send((work(client, *arguments), None))
    except Exception as error:  # pylint: disable=broad-except
        pipe.send((None, f"{type(error).__name__}: {error}"))


class Crowd:
    """Some processes that each call work(client, *arguments) on a connection of their own, once all are told to begin. `work` is a function of
    a module, since threads of one Python would wait for each other."""

    def __init__(self, service, count, work, *arguments, limit=60):
        self.limit, self.members = limit, []
        for _ in range(count):
            ours, theirs = PROCESSES.Pipe()
            process = PROCESSES.Process(target=_client, args=(service.socket, work, arguments, theirs), daemon=True)
            process.start()
            theirs.close()
            self.members.append((process, ours))
        try:
            for _, pipe in self.members:
                self._receive(pipe)
        except BenchError:
            self.end()
            raise

    def begin(self):
        for _, pipe in self.members:
            pipe.send(None)

    def results(self):
        """Of each process what `work` returned; an error if one of them failed or is not done in time."""
        try:
            return [self._receive(pipe) for _, pipe in self.members]
        finally:
            self.end()

    def end(self):
        for process, pipe in self.members:
            pipe.close()
            process.kill()
            process.join(10)
        self.members = []

    def _receive(self, pipe):
        try:
            if not pipe.poll(self.limit):
                raise BenchError(f"a client is not done in {self.limit} s")
            said = pipe.recv()
        except EOFError:
            raise BenchError("a client has died") from None
        if said is None:
            return None
        result, failure = said
        if failure:
            raise BenchError(failure)
        return result
