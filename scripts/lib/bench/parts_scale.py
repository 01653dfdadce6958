"""The part `scale`: how everything grows with the size of the repository."""
import os
import time

from parts_memory import anonymous, private
from parts_mounts import timed
from plot import plot
from tree import generate_flat

SIZES = ((10_000, 1000), (100_000, 10_000), (1_000_000, 100_000))
QUICK = ((1000, 100), (5000, 500))
# Seconds for sealing, megabytes of the image and of the owner, by the number of files. The budget for 80,000 files, in proportion; and a million's.
MOST = {100_000: {"seal": 0.2 * 10 / 8, "image": 15.0 * 10 / 8}, 1_000_000: {"seal": 2.0, "image": 180.0, "owner": 200.0}}


def used(directory):
    """Bytes on the disk below a directory."""
    return sum(os.lstat(os.path.join(folder, name)).st_blocks * 512
               for folder, _, names in os.walk(directory) for name in names)


def walk(bench, directory):
    begun = time.perf_counter()
    bench.farm.run(["find", directory, "-printf", "%m %s\n"])
    return time.perf_counter() - begun


def measure(bench, files, directories):
    farm, row = bench.farm, {"files": files, "directories": directories}
    repository = farm.path(f"scale{files}.git")
    commit = generate_flat(repository, files, directories)
    origin, url = farm.new_origin(repository)
    service = farm.start_service(seal=True, origin_url=url)
    client = service.client()
    try:
        row["ready"], mount = timed(client.mount, job_id="first", rev=commit)
        if mount["lower"] != "lazy":
            raise ValueError("the first mount is not lazy")
        row["fetched"] = timed(service.await_seal, commit)[0]
        row["lazy walk"] = walk(bench, mount["mountpoint"])
        row["lazy walk again"] = walk(bench, mount["mountpoint"])
        row["worker"] = private(client.status(mount["mount_id"])["worker"]["pid"])
        client.unmount(mount["mount_id"])
        row["owner"] = anonymous(service.owner())
        row["index"] = used(os.path.join(service.cache, "local", "index")) / 1e6
        client.close()
        service.forget_images()
        client = service.client()
        client.unmount(client.mount(job_id="again", rev=commit)["mount_id"])
        said = service.await_seal(commit)
        row["seal"] = int(said["ms"]) / 1e3
        row["image"] = int(said["bytes"]) / 1e6
        row["owner after sealing"] = anonymous(service.owner())
        mount = client.mount(job_id="sealed", rev=commit)
        row["sealed walk"] = walk(bench, mount["mountpoint"])
        client.unmount(mount["mount_id"])
        mount = client.mount(job_id="sealed again", rev=commit)
        row["sealed walk again"] = walk(bench, mount["mountpoint"])
        client.unmount(mount["mount_id"])
    finally:
        client.close()
        service.stop()
        farm.stop(origin)
        farm.run(["rm", "-rf", repository])
    return row


COLUMNS = (
    ("ready", "first mount ever, empty cache: POST → Ready", "s", 0.050), ("fetched", "… until its trees are fetched and sealed", "s", None),
    ("lazy walk", "first walk, lazy, trees cached", "s", None), ("lazy walk again", "… second walk", "s", None),
    ("worker", "… the worker's private memory", "MB", None), ("seal", "sealing, trees cached", "s", None),
    ("image", "the image", "MB", None), ("sealed walk", "first walk, sealed, the image's first mount", "s", None),
    ("sealed walk again", "first walk, sealed, later mounts", "s", None), ("owner", "the owner's memory after the walk", "MB", None),
    ("owner after sealing", "the owner's memory after sealing", "MB", None), ("index", "the index", "MB", None))


def scale_part(bench):
    rows = [measure(bench, *size) for size in (QUICK if bench.is_quick else SIZES)]
    for key, name, unit, budget in COLUMNS:
        for row in rows:
            most = MOST.get(row["files"], {}).get(key, budget)
            bench.report.figure("scale", f"{name}, {row['files']:,} files", row[key], unit, most)
    if bench.plot:
        with open(bench.plot, "w", encoding="utf-8") as out:
            out.write(plot(rows))
