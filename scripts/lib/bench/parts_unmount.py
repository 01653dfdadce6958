"""The part `unmount`: idle mounts one after the other, then each situation that is in the way of an unmount."""
import contextlib
import os
import signal
import subprocess
import sys

from parts_mounts import in_parallel, overlay_alone, timed

HOLDER = "import os, sys; f = open(sys.argv[1], 'rb'); print(1, flush=True); sys.stdin.read()"


@contextlib.contextmanager
def holder(bench, mountpoint, prefix=()):
    """Sits in the mount with a file open, as a process does that a job left behind."""
    name = os.path.join(os.fsencode(mountpoint), bench.tree.files[0])
    with bench.farm.log("holder") as log:
        process = subprocess.Popen([*prefix, sys.executable, "-c", HOLDER, name], cwd=os.path.dirname(name),
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    try:
        process.stdout.readline()
        yield process
    finally:
        process.stdin.close()
        process.kill()
        process.wait()
        process.stdout.close()


@contextlib.contextmanager
def stopped(pids):
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def scenarios(bench):
    """Names, query of the DELETE, and what is done to a mount before it."""
    def worker(body):
        return stopped([bench.farm.client().status(body["mount_id"])["worker"]["pid"]])

    def reader(body):
        stack = contextlib.ExitStack()
        stack.enter_context(worker(body))
        path = os.path.join(os.fsencode(body["mountpoint"]), bench.tree.files[-1])
        process = subprocess.Popen(["cat", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        stack.callback(process.wait)
        stack.callback(process.kill)
        return stack

    return [
        ("a file open and a working directory in it", "", lambda body: holder(bench, body["mountpoint"])),
        ("the same, --force", "?force=true", lambda body: holder(bench, body["mountpoint"])),
        ("the same, --kill", "?kill=true", lambda body: holder(bench, body["mountpoint"])),
        ("its worker stopped", "", worker),
        ("its worker stopped and a reader in it", "", reader),
        ("a copy in a private mount namespace", "",
         lambda body: holder(bench, body["mountpoint"], ("unshare", "--mount", "--propagation", "private"))),
    ]


def unmount_part(bench):
    report, farm = bench.report, bench.farm
    client = farm.client()
    while len(bench.live) < bench.mount_count:
        bench.live.append(client.mount(job_id=farm.next_job(), rev=bench.tree.commit)["mount_id"])
    times = [timed(client.unmount, mount_id)[0] for mount_id in bench.live]
    bench.live = []
    report.spread("unmount", f"{len(times)} idle mounts, DELETE → gone", times, (None, 0.050))
    _, ended = overlay_alone(bench, bench.mount_count)
    report.spread("unmount", "umount(2) of a kernel overlay alone", ended)

    worst = 0
    for name, query, situation in scenarios(bench):
        body = client.mount(job_id=farm.next_job(), rev=bench.tree.commit)
        with situation(body):
            seconds, (status, answer) = timed(client.call, "DELETE", f"/mounts/{body['mount_id']}{query}")
        worst = max(worst, seconds)
        rung = (answer or {}).get("unmount", {}).get("rung") if isinstance(answer, dict) else None
        report.figure("unmount", f"{name} ({rung})", seconds, "s", 5.5)
        if status >= 300:
            report.note(f"unmount: {name}: answered {status} {answer}")

    bodies = [client.mount(job_id=farm.next_job(), rev=bench.tree.commit) for _ in range(bench.mount_count)]
    with contextlib.ExitStack() as stack:
        for body in bodies:
            stack.enter_context(holder(bench, body["mountpoint"]))
        seconds, _ = in_parallel(farm, bench.mount_count, [body["mount_id"] for body in bodies],
                                 lambda client, item: client.unmount(item))
    report.figure("unmount", f"{len(bodies)} busy mounts at once: all gone", seconds, "s", 10)
    report.figure("unmount", "the worst of one mount's situations", worst, "s", 5.5)
    client.close()
