"""The part `write`: what jobs do to a tree besides reading it."""
import os
import shutil
import sys
import time

from contenders import Native
from parts_files import usable_contenders

FILES = 2000
APPEND = """
import os, sys
os.chdir(sys.argv[1])
for name in sys.stdin.buffer.read().split(b"\\0")[:-1]:
    fd = os.open(name, os.O_WRONLY | os.O_APPEND)
    os.write(fd, b"appended")
    os.close(fd)
"""


class Copy(Native):
    """A copy of what is written to, because the checkout must stay as it is."""

    def __init__(self, farm, tree, names):
        super().__init__(farm, tree)
        self.names = names

    def make(self):
        target = self.farm.path("native-copy")
        shutil.rmtree(target, ignore_errors=True)
        os.mkdir(target)
        self.farm.run(["cpio", "--quiet", "-0", "-p", "-d", "-m", target], cwd=self.tree.native, stdin=None,
                      input=b"".join(name + b"\0" for name in self.names))
        return target


def timed(bench, arguments, **more):
    begun = time.perf_counter()
    bench.farm.run(arguments, **more)
    return time.perf_counter() - begun


def write_part(bench):
    farm, tree = bench.farm, bench.tree
    folder = tree.middling_directory()
    inside = [name for name in tree.files if name.startswith(folder + b"/")]
    outside = [name for name in tree.files if not name.startswith(folder + b"/")]
    appended = outside[::max(1, len(outside) // FILES)][:FILES]
    archive = farm.path("archive.tar")
    farm.run(["tar", "-C", tree.native, "-cf", archive, "--null", "-T", "-"], stdin=None,
             input=b"".join(name + b"\0" for name in appended))
    contenders = [Copy(farm, tree, inside + appended) if isinstance(one, Native) else one for one in usable_contenders(bench)]

    def unpack(directory):
        os.mkdir(os.path.join(directory, "unpacked"))
        return timed(bench, ["tar", "-C", os.path.join(directory, "unpacked"), "-xf", archive])

    def append(directory):
        return timed(bench, [sys.executable, "-c", APPEND, directory], stdin=None, input=b"".join(name + b"\0" for name in appended))

    def change_modes(directory):
        return timed(bench, ["chmod", "-R", "g-w,u+w,o-x", "--", os.fsdecode(folder)], cwd=directory)

    def remove(directory):
        return timed(bench, ["rm", "-rf", "--", os.fsdecode(folder)], cwd=directory)

    work = [(f"unpack {len(appended)} new files", unpack), (f"append to {len(appended)} files of the tree", append),
            (f"chmod -R of {len(inside)} files of the tree", change_modes), (f"rm -r of {len(inside)} files of the tree", remove)]
    samples = {name: {contender.name: [] for contender in contenders} for name, _ in work}
    for number in range(min(bench.rounds, 3)):
        for contender in contenders[number % len(contenders):] + contenders[:number % len(contenders)]:
            directory = contender.make()
            try:
                for name, act in work:
                    samples[name][contender.name].append(act(directory))
            finally:
                contender.drop()
    for name, _ in work:
        bench.report.compare("write", name, "s", samples[name])
