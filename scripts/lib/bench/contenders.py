"""Ways to have a writable tree. Each is made anew for a round: nobody has touched it before."""
import ctypes
import os
import shutil
import subprocess
import time

from farm import BenchError

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

    def drop(self):
        if self.base and os.path.ismount(os.path.join(self.base, "mnt")):
            unmount(os.path.join(self.base, "mnt"), MNT_DETACH)
        if self.process:
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
            self.process = None


class Lazy:
    """Ours; the objects are in the cache, the mount is new."""
    name = "lazy"

    def __init__(self, farm, tree):
        self.farm, self.tree, self.client, self.mount = farm, tree, None, None

    def make(self):
        self.client = self.farm.client()
        self.mount = self.client.mount(job_id=self.farm.next_job(), rev=self.tree.commit)
        return self.mount["mountpoint"]

    def drop(self):
        self.client.unmount(self.mount["mount_id"])
        self.client.close()
