"""How long it takes to tell what a job wrote, when it wrote much."""
import os
import subprocess

from client import BenchError
from parts_mounts import timed
from process import cpu_seconds, rollup

EACH = 1000


def write_much(directory, count):
    """New files, a thousand in a directory, no two alike."""
    for number in range(0, count, EACH):
        place = os.path.join(directory, f"written-{number // EACH}")
        os.mkdir(place)
        for index in range(number, min(number + EACH, count)):
            with open(f"{place}/file-{index}", "wb") as out:
                out.write(b"%d\n" % index)


def copy_up(directory, names):
    """Each of these files comes into the upper as it is, so that only its contents tell that it is the same; the last is changed."""
    for name in names:
        # Opened for writing: a new time alone would not bring the contents.
        with open(os.path.join(os.fsencode(directory), name), "r+b"):
            pass
    with open(os.path.join(os.fsencode(directory), names[-1]), "ab") as out:
        out.write(b"more")


def difference(bench):
    report, farm = bench.report, bench.farm
    count = 5_000 if bench.is_quick else 100_000
    pid, client = farm.service.process.pid, farm.client()
    client.socket.settimeout(150)
    mount = client.mount(job_id=farm.next_job(), rev=bench.tree.commit)
    target = f"/mounts/{mount['mount_id']}/diff?limit=1000000"

    def told(wanted, name):
        used = cpu_seconds(pid)
        seconds, (status, body) = timed(client.call, "GET", target)
        if status != 200 or body["total"] != wanted or body["truncated"]:
            raise BenchError(f"GET /mounts/{{mount_id}}/diff: {status}, {str(body)[:200]}, not {wanted} changes")
        report.figure("api", name, seconds, "s")
        report.figure("api", "… the supervisor's processor time for it", cpu_seconds(pid) - used, "s")

    write_much(mount["mountpoint"], count)
    before = rollup(pid)["Pss"]
    told(count, f"GET /mounts/{{mount_id}}/diff of {count} new files")
    report.figure("api", "… the supervisor's PSS more than before", (rollup(pid)["Pss"] - before) / 1e6, "MB")
    command = [farm.path("bin", "antares"), "--socket", farm.service.socket, "diff", mount["mount_id"]]
    seconds, done = timed(farm.run, command, timeout=150, stdout=subprocess.PIPE)
    lines = done.stdout.count(b"\n")
    if lines != count:
        raise BenchError(f"antares diff: {lines} lines, not {count}")
    report.figure("api", f"antares diff of {count} new files", seconds, "s")
    names = [name for name in bench.tree.files if not os.path.islink(os.path.join(os.fsencode(mount["mountpoint"]), name))][:count]
    copy_up(mount["mountpoint"], names)
    told(count + 1, f"GET /mounts/{{mount_id}}/diff of these and {len(names)} that were copied up as they are")
    client.unmount(mount["mount_id"])
    client.close()
