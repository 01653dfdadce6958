"""The part `api`: what it costs to ask, with as many live mounts as the part `mount` makes."""
import time

from api_diff import difference
from api_events import fan_out
from api_listing import listing
from parts_mounts import in_parallel, timed

QUESTIONS = ("/health", "/mounts", "/metrics", "/cache")


def api_part(bench):
    report, farm = bench.report, bench.farm
    farm.renew()
    client = farm.client()
    client.unmount(client.mount(job_id=farm.next_job(), rev=bench.tree.commit)["mount_id"])
    farm.service.await_seal(bench.tree.commit)
    live = [client.mount(job_id=farm.next_job(), rev=bench.tree.commit)["mount_id"] for _ in range(bench.mount_count)]
    for question in QUESTIONS + (f"/mounts/{live[0]}",):
        name = question if question in QUESTIONS else "/mounts/{mount_id}"
        times = [timed(client.raw, "GET", question)[0] for _ in range(50)]
        report.spread("api", f"GET {name}, {len(live)} live mounts", times)

    def ask(client, mount_id):
        begun = time.perf_counter()
        client.raw("GET", f"/mounts/{mount_id}")
        return time.perf_counter() - begun

    seconds, times = in_parallel(farm, len(live), live, ask)
    report.spread("api", f"{len(live)} clients at once, GET /mounts/{{mount_id}} each", times)
    listing(bench, len(live))
    jobs = [farm.next_job() for _ in range(bench.mount_count)]

    def pair(client, job):
        begun = time.perf_counter()
        client.unmount(client.mount(job_id=job, rev=bench.tree.commit)["mount_id"])
        return time.perf_counter() - begun

    seconds, times = in_parallel(farm, 8, jobs, pair)
    report.spread("api", f"POST and DELETE beside {len(live)} live mounts, 8 clients", times)
    report.figure("api", "… mounts made and ended a second", len(times) / seconds, "count")
    fan_out(bench)
    in_parallel(farm, 24, live, lambda client, item: client.unmount(item))
    client.close()
    difference(bench)
