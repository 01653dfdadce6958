"""Ways to have a writable tree. Each is made anew for a round: nobody has touched it before."""
import ctypes
import os
import shutil
import subprocess
import time

from client import BenchError

libc = ctypes.CDLL(None, use_errno=True)
MNT_DETACH = 2


def mount_overlay(lower, upper, work, target):
    """mount(2) with the options our own overlays have."""
    options = f"lowerdir={lower},upperdir={upper},workdir={work},redirect_dir=on,xino=off,index=off,nfs_export=off,volatile"
    if libc.mount(b"bench", os.fsencode(target), b"overlay", 0, options.encode()):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def unmount(target, flags=0):
    if libc.umount2(os.fsencode(target), flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


class Native:
    name = "native"

    def __init__(self, farm, tree):
        self.farm, self.tree = farm, tree

    def make(self):
        return self.tree.native

    def drop(self):
        pass


class Layered:
    """Upper, work and mountpoint for those that need them."""

    def __init__(self, farm, tree):
        self.farm, self.tree, self.base = farm, tree, None

    def layers(self):
        self.base = self.farm.path(f"{self.name}-layers")
        shutil.rmtree(self.base, ignore_errors=True)
        paths = [os.path.join(self.base, part) for part in ("upper", "work", "mnt")]
        for path in paths:
            os.makedirs(path)
        return paths


class Overlay(Layered):
    name = "overlayfs"

    def make(self):
        upper, work, target = self.layers()
        mount_overlay(self.tree.native, upper, work, target)
        return target

    def upper(self):
        return os.path.join(self.base, "upper")

    def drop(self):
        unmount(os.path.join(self.base, "mnt"), MNT_DETACH)


class FuseOverlay(Layered):
    name = "fuse-overlayfs"
    process = None

    def make(self):
        upper, work, target = self.layers()
        self.process = self.farm.start(self.name, [
            "fuse-overlayfs", "-f", "-o", f"lowerdir={self.tree.native},upperdir={upper},workdir={work}", target])
        deadline = time.monotonic() + 10
        while not os.path.ismount(target):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise BenchError(f"fuse-overlayfs does not mount\n{self.farm.tail(self.name)}")
            time.sleep(0.01)
        return target

    def upper(self):
        return os.path.join(self.base, "upper")

    def drop(self):
        if self.base and os.path.ismount(os.path.join(self.base, "mnt")):
            unmount(os.path.join(self.base, "mnt"), MNT_DETACH)
        if self.process:
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
            self.process = None


class Ours:
    """A new mount; what the cache of its service has is cached."""

    def __init__(self, farm, tree, service=None):
        self.farm, self.tree, self.service, self.client, self.mount = farm, tree, service or farm.service, None, None

    def make(self):
        self.client = self.service.client()
        self.mount = self.client.mount(job_id=self.farm.next_job(), rev=self.tree.commit)
        if self.name not in ("ours", self.mount["lower"]):
            raise BenchError(f"the mount is {self.mount['lower']}, not {self.name}")
        return self.mount["mountpoint"]

    def upper(self):
        return self.mount["layers"]["upper"]

    def drop(self):
        self.client.unmount(self.mount["mount_id"])
        self.client.close()


class Lazy(Ours):
    name = "lazy"


class Sealed(Ours):
    name = "sealed"


class Default(Ours):
    """In whatever form the default configuration gives it."""
    name = "ours"


class Worktree:
    """What a build farm does without any of this: a checkout for each job, from a clone on the same disk."""
    name = "git worktree add"

    def __init__(self, farm, tree):
        self.farm, self.tree, self.path, self.count = farm, tree, None, 0

    def make(self):
        self.count += 1
        self.path = self.farm.path(f"worktree{self.count}")
        self.farm.run(["git", "-c", "safe.directory=*", "-c", "core.autocrlf=false", "-C", self.tree.repository,
                       "worktree", "add", "-q", "--detach", self.path, self.tree.commit])
        return self.path

    def upper(self):
        return self.path

    def drop(self):
        self.farm.run(["git", "-c", "safe.directory=*", "-C", self.tree.repository, "worktree", "remove", "--force", self.path])
