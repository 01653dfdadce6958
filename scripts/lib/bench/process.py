"""What a process of the farm takes, and many clients at once as processes of their own."""
import multiprocessing
import os
import time

from client import BenchError, Client

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


def exchange_seconds(processors, rounds=2000):
    """A question to another process and its answer, the median: two wake-ups, between `processors`, or on one if both are the same."""
    question, answer = os.eventfd(0), os.eventfd(0)
    mine = os.sched_getaffinity(0)
    child = os.fork()
    if child == 0:
        os.sched_setaffinity(0, {processors[1]})
        for _ in range(rounds):
            os.eventfd_read(question)
            os.eventfd_write(answer, 1)
        os._exit(0)
    try:
        os.sched_setaffinity(0, {processors[0]})
        samples = []
        for _ in range(rounds):
            begun = time.perf_counter()
            os.eventfd_write(question, 1)
            os.eventfd_read(answer)
            samples.append(time.perf_counter() - begun)
    finally:
        os.sched_setaffinity(0, mine)
        os.waitpid(child, 0)
        os.close(question)
        os.close(answer)
    return sorted(samples)[rounds // 2]


def wake_ups():
    """What waking costs on this machine, in words: much of what a lazy mount and a request take (Documentation/virt/guest-halt-polling.rst)."""
    processors = sorted(os.sched_getaffinity(0))
    same = exchange_seconds((processors[0], processors[0]))
    text = f"a question to another process and its answer: {same * 1e6:.0f} µs on one processor"
    if len(processors) > 1:
        text += f", {exchange_seconds((processors[0], processors[1])) * 1e6:.0f} µs on two"
    try:
        with open("/sys/devices/system/cpu/cpuidle/current_governor", encoding="ascii") as governor:
            if governor.read().strip() == "haltpoll":
                with open("/sys/module/haltpoll/parameters/guest_halt_poll_ns", encoding="ascii") as polling:
                    text += f" (guest_halt_poll_ns {polling.read().strip()})"
    except OSError:
        pass
    return text


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
