"""Compares a mount with a checkout of the same commit: compare-trees.py MOUNT WORKTREE COMMIT-TIME [--uid N --gid N]

Every path, type, mode, size, count of blocks, owner, symlink target and byte; the time of every entry must be the commit's. With
--text-names, names that are not UTF-8 are expected with U+FFFD in them: the published Mega protocol carries names as text.
Ends with a line `N entries, N differences` and code 1 if there is any.
"""
import argparse
import os
import stat
import sys

parser = argparse.ArgumentParser()
parser.add_argument("mount")
parser.add_argument("worktree")
parser.add_argument("time", type=int)
parser.add_argument("--uid", type=int, default=0)
parser.add_argument("--gid", type=int, default=0)
parser.add_argument("--changed", action="store_true", help="with a changelist: what it has changed is newer")
parser.add_argument("--text-names", action="store_true")
options = parser.parse_args()
entries = differences = 0


def differs(path, what):
    global differences
    differences += 1
    if differences <= 20:
        print(f"{path!r}: {what}", file=sys.stderr)


def names(directory, top):
    found = sorted(os.listdir(directory))
    if len(found) != len(set(found)):
        differs(directory, "lists a name twice")
    return [name for name in found if not (top and name == b".git")]


def shown(name):
    return name.decode(errors="replace").encode() if options.text_names else name


def same_content(path, left, right):
    with open(left, "rb", buffering=0) as one, open(right, "rb", buffering=0) as two:
        while True:
            a, b = one.read(1 << 20), two.read(1 << 20)
            if a != b:
                return differs(path, "content")
            if not a:
                return None


def compare(path, left, right):
    global entries
    entries += 1
    one, two = os.lstat(left), os.lstat(right)
    if stat.S_IFMT(one.st_mode) != stat.S_IFMT(two.st_mode):
        return differs(path, f"type {one.st_mode:o}, wanted {two.st_mode:o}")
    if (one.st_uid, one.st_gid) != (options.uid, options.gid):
        differs(path, f"owner {one.st_uid}:{one.st_gid}")
    commit_time = options.time * 10**9
    if path and one.st_mtime_ns != commit_time and not (options.changed and one.st_mtime_ns > commit_time):
        differs(path, f"time {one.st_mtime_ns}")
    if stat.S_ISDIR(one.st_mode):
        if one.st_mode & 0o777 != 0o755:
            differs(path, f"mode {one.st_mode:o}")
        ours = names(left, not path)
        theirs = {shown(name): name for name in names(right, not path)}
        if set(ours) != set(theirs):
            differs(path, f"names: only here {sorted(set(ours) - set(theirs))[:5]}, only there {sorted(set(theirs) - set(ours))[:5]}")
        for name in sorted(set(ours) & set(theirs)):
            compare(path + b"/" + name, left + b"/" + name, right + b"/" + theirs[name])
        return None
    if one.st_nlink != 1:
        differs(path, f"nlink {one.st_nlink}")
    if one.st_size != two.st_size:
        return differs(path, f"size {one.st_size}, wanted {two.st_size}")
    if stat.S_ISLNK(one.st_mode):
        if os.readlink(left) != os.readlink(right):
            differs(path, "target")
        return None
    wanted = 0o755 if two.st_mode & 0o100 else 0o644
    if one.st_mode & 0o7777 != wanted:
        differs(path, f"mode {one.st_mode:o}, wanted {wanted:o}")
    if not one.st_size <= one.st_blocks * 512 < one.st_size + 4096:
        differs(path, f"{one.st_blocks} blocks for {one.st_size} bytes")
    return same_content(path, left, right)


sys.setrecursionlimit(10000)
compare(b"", os.fsencode(options.mount), os.fsencode(options.worktree))
print(f"{entries} entries, {differences} differences")
sys.exit(1 if differences else 0)
