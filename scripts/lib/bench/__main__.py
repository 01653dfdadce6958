"""Measures the budgets side by side with what else there is. See `scripts/bench --help`."""
import argparse
import os
import platform
import signal
import subprocess
import sys
import time

from client import BenchError
from farm import Farm
from parts_api import api_part
from parts_changelists import changelist_part
from parts_compile import compile_part
from parts_fetch import fetch_part
from parts_files import files_part
from parts_memory import memory_part
from parts_mounts import mount_part
from parts_scale import scale_part
from parts_takeover import takeover_part
from parts_unmount import unmount_part
from parts_write import write_part
from process import wake_ups
from report import Report
from tree import Tree

STEPS = {
    "mount": mount_part, "unmount": unmount_part, "takeover": takeover_part, "memory": memory_part, "metadata": files_part,
    "read": files_part, "compile": compile_part, "write": write_part, "fetch": fetch_part, "api": api_part, "scale": scale_part,
    "cl": changelist_part}
PARTS = tuple(STEPS)


class Bench:
    """What the parts share."""

    def __init__(self, options):
        self.report = Report()
        self.rounds = options.rounds or (3 if options.quick else 5)
        self.is_quick = options.quick
        self.plot = options.plot
        self.mount_count = 40 if options.quick else 200
        self.kill_count = 10 if options.quick else 50
        self.exchange_count = 20 if options.quick else 100
        self.takeover_count = options.takeovers or (50 if options.quick else 1000)
        self.farm = None
        self.tree = None
        self.live = []


def parse():
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measures the budgets. Needs root and some minutes.")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="2,000 generated files and fewer repetitions: everything runs, the times mean little")
    size.add_argument("--generated", action="store_true", help="20,000 generated files instead of Debian's linux-source-6.1")
    parser.add_argument("--rounds", type=int, metavar="N", help="how often what is compared is repeated (5; quick: 3)")
    parser.add_argument("--takeovers", type=int, metavar="N", help="workers that are killed for the histogram (1000; quick: 50)")
    parser.add_argument("--json", metavar="FILE", help="writes all samples there")
    parser.add_argument("--plot", metavar="FILE", help="draws the part scale there, as SVG")
    parser.add_argument("--limit", type=int, default=3600, metavar="SECONDS", help="ends the run after this time (3600)")
    parser.add_argument("--binaries", required=True, help=argparse.SUPPRESS)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of: {', '.join(PARTS)} (all)")
    options = parser.parse_args()
    for part in options.parts:
        if part not in PARTS:
            parser.error(f"there is no part {part}; there are {', '.join(PARTS)}")
    return options


def log(text, begun=time.monotonic()):
    print(f"{time.monotonic() - begun:5.0f}s  {text}", file=sys.stderr, flush=True)


def measure(bench, parts, kind):
    log("repository")
    bench.tree = Tree(bench.farm, kind)
    bench.report.environment = {
        "kernel": platform.release(), "cpus": os.cpu_count(), "load_before": os.getloadavg()[0], "tree": str(bench.tree),
        "rounds": bench.rounds, "wake_ups": wake_ups()}
    log(str(bench.tree))
    # Writing it back is no part of what is measured.
    os.sync()
    bench.farm.start_origin(bench.tree.repository)
    bench.farm.start_supervisor()
    files = [part for part in ("metadata", "read") if part in parts]
    done = False
    for part in PARTS:
        if part not in parts or (part in files and done):
            continue
        log(part if part not in files else " and ".join(files))
        try:
            if part in files:
                done = True
                files_part(bench, files)
            else:
                STEPS[part](bench)
        except (BenchError, OSError, KeyError, TypeError, ValueError, subprocess.SubprocessError) as error:
            bench.report.error(f"{part}: {type(error).__name__}: {error}\n{bench.farm.tail(bench.farm.service.name)}")
            bench.live = []
            bench.farm.renew()
    bench.farm.stop_supervisor()
    bench.report.environment["load_after"] = os.getloadavg()[0]


def main():
    options = parse()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(options)
    bench.farm = Farm(options.binaries, options.limit)
    try:
        measure(bench, options.parts or PARTS, "quick" if options.quick else "generated" if options.generated else "linux")
    except (BenchError, OSError, subprocess.SubprocessError) as error:
        bench.report.error(f"{type(error).__name__}: {error}")
    finally:
        tell(bench, options)
        bench.farm.destroy()
    return 1 if bench.report.errors else 0


def tell(bench, options):
    facts = bench.report.environment
    print(f"{facts.get('tree')}; {bench.rounds} rounds; Linux {facts.get('kernel')}, {facts.get('cpus')} CPUs, "
          f"load {facts.get('load_before', 0):.1f} before and {facts.get('load_after', 0):.1f} after")
    print(facts.get("wake_ups", "what waking costs is not known"))
    print(bench.report.noise() + "\n")
    print(bench.report.text(), flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            out.write(bench.report.json() + "\n")


sys.exit(main())
