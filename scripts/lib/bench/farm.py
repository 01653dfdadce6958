"""A private farm for the benchmark: origin, supervisor and their directories, all below one temporary directory.

Whatever ends the benchmark (an error, a signal, kill -9, the time limit), a guardian process takes the farm away again.
"""
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from client import BenchError
from service import Service

PROGRAMS = ("antares", "antares-supervisor", "antares-worker", "dicfuse-cache", "antares-origin")


def await_end(pid, seconds):
    """Returns the moment that a child has ended, which is still to be waited for."""
    fd = os.pidfd_open(pid)
    try:
        watch = select.poll()
        watch.register(fd, select.POLLIN)
        if not watch.poll(seconds * 1000):
            raise subprocess.TimeoutExpired(str(pid), seconds)
    finally:
        os.close(fd)


def processes(directory):
    """The pids whose standard error is a log of the farm: all that belong to it."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                target = os.readlink(f"/proc/{entry}/fd/2")
            except OSError:
                continue
            if target.startswith(directory + "/") and target.endswith(".log"):
                found.append(int(entry))
    return found


def mounts(directory):
    """The mountpoints below the directory, innermost first."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        points = [line.split()[4] for line in table]
    return [point for point in reversed(points) if point.startswith(directory + "/")]


def abort_connections(pids):
    """Ends the FUSE connections that these processes hold: whoever waits in one gets an error."""
    for pid in pids:
        try:
            entries = os.listdir(f"/proc/{pid}/fdinfo")
        except OSError:
            continue
        for entry in entries:
            try:
                with open(f"/proc/{pid}/fdinfo/{entry}", encoding="ascii") as info:
                    numbers = [line.split()[1] for line in info if line.startswith("fuse_connection:")]
                for number in numbers:
                    with open(f"/sys/fs/fuse/connections/{number}/abort", "w", encoding="ascii") as abort:
                        abort.write("1")
            except OSError:
                continue


def wipe(directory):
    """Ends what belongs to the farm and removes its directory, whatever state it is in."""
    if not os.path.isdir(directory):
        return
    for _ in range(3):
        pids = [pid for pid in processes(directory) if pid != os.getpid()]
        abort_connections(pids)
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        if not pids:
            break
        time.sleep(0.1)
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 60, "check": False}
    for point in mounts(directory):
        subprocess.run(["umount", "-l", "--", point], **quiet)
    subprocess.run(["find", directory, "-xdev", "-maxdepth", "4", "-type", "d", "-exec", "chattr", "-i", "--", "{}", "+"], **quiet)
    # Some dozen caches and checkouts.
    subprocess.run(["rm", "-rf", "--one-file-system", "--", directory], **{**quiet, "timeout": 600})


def guard(directory, limit):
    """Starts the guardian; the returned descriptor keeps it waiting."""
    reader, writer = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child:
        os.close(reader)
        os.set_inheritable(writer, False)
        return writer
    try:
        os.setsid()
        os.close(writer)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        late = not select.select([reader], [], [], limit)[0]
        if late:
            print(f"bench: not done after {limit} seconds; ending it", file=sys.stderr, flush=True)
            abort_connections(processes(directory))
            os.kill(parent, signal.SIGTERM)
            select.select([reader], [], [], 10)
        wipe(directory)
    finally:
        os._exit(0)


class Farm:
    def __init__(self, binaries, limit):
        self.directory = tempfile.mkdtemp(prefix="ant.")
        if len(self.directory) >= 60:
            os.rmdir(self.directory)
            raise BenchError(f"TMPDIR is too long for the paths of sockets: {self.directory}")
        self.guardian = guard(self.directory, limit)
        os.chmod(self.directory, 0o711)
        os.mkdir(self.path("bin"))
        os.chmod(self.path("bin"), 0o755)
        for program in PROGRAMS:
            shutil.copy(os.path.join(binaries, program), self.path("bin", program))
            os.chmod(self.path("bin", program), 0o755)
        self.origin_url = None
        self.origin = None
        self.service = None
        self.services = []
        self.generation = 0
        self.origins = 0
        self.job = 0

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def log(self, name):
        return open(self.path(f"{name}.log"), "ab")

    def start(self, name, arguments):
        with self.log(name) as log:
            return subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=True)

    def run(self, arguments, timeout=600, **more):
        """Runs a command as one of the farm's processes; its failure is an error."""
        more.setdefault("stdout", subprocess.DEVNULL)
        more.setdefault("stdin", subprocess.DEVNULL)
        data = more.pop("input", None)
        if data is not None:
            more["stdin"] = subprocess.PIPE
        with self.log("commands") as log, subprocess.Popen(arguments, stderr=log, **more) as process:
            try:
                if more["stdout"] == subprocess.DEVNULL and data is None:
                    # Popen.wait with a timeout looks every 50 ms, which is longer than what is measured here.
                    await_end(process.pid, timeout)
                try:
                    out, _ = process.communicate(data, timeout=timeout)
                except BrokenPipeError:
                    # It ended before it had read everything; what it said is told below.
                    out = b""
                    process.wait(timeout)
                    process.stdin = None
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        result = subprocess.CompletedProcess(arguments, process.returncode, out)
        if result.returncode:
            raise BenchError(f"{' '.join(map(str, arguments[:4]))} … ended with {result.returncode}\n{self.tail('commands')}")
        return result

    def tail(self, name, lines=12):
        try:
            with open(self.path(f"{name}.log"), encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except OSError:
            return ""

    def wait_for(self, name, process, found, seconds=30):
        """The first line of a log that the function takes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with open(self.path(f"{name}.log"), encoding="utf-8", errors="replace") as log:
                for line in log:
                    if found(line):
                        return line.strip()
            if process.poll() is not None:
                break
            time.sleep(0.01)
        raise BenchError(f"{name} does not start\n{self.tail(name)}")

    def start_origin(self, repository):
        self.origin, self.origin_url = self.new_origin(repository)

    def new_origin(self, repository):
        """Process and address of an origin that serves the repository."""
        self.origins += 1
        name = f"origin{self.origins}"
        process = self.start(name, [self.path("bin", "antares-origin"), "--repo", repository, "--listen", "127.0.0.1:0"])
        line = self.wait_for(name, process, lambda line: line.startswith("listening on "))
        return process, line.split()[2]

    def stop(self, process):
        process.terminate()
        process.wait(30)

    def start_service(self, seal, origin_url=None):
        """A supervisor beside the farm's own, with an empty cache."""
        self.generation += 1
        service = Service(self, f"g{self.generation}", seal, origin_url)
        self.services.append(service)
        return service

    def start_supervisor(self, seal=True):
        self.service = self.start_service(seal)

    def stop_supervisor(self):
        for service in self.services:
            service.stop()
        self.services = []

    def renew(self, seal=True):
        """Another supervisor with an empty cache instead of all there are."""
        self.stop_supervisor()
        self.start_supervisor(seal)

    def client(self):
        return self.service.client()

    def next_job(self):
        self.job += 1
        return f"bench-{self.job}"

    def roles(self):
        """The farm's processes but the origin and helpers, by program: {name: [pid, …]}."""
        found = {}
        for pid in processes(self.directory):
            try:
                program = os.path.basename(os.readlink(f"/proc/{pid}/exe"))
            except OSError:
                continue
            if program in PROGRAMS and program != "antares-origin":
                found.setdefault(program, []).append(pid)
        return found

    def destroy(self):
        wipe(self.directory)
        os.close(self.guardian)
