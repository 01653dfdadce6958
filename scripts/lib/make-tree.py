"""Makes a Git repository with every kind of entry and every awkward name: make-tree.py DIRECTORY [FILES] [--text-directories]

With --text-directories no directory has a name that is not UTF-8: the published Mega protocol asks for directories by path, as text.

The commit is written by git fast-import, so that no shell, checkout or filesystem has a say in the names.
"""
import os
import random
import subprocess
import sys

where = sys.argv[1]
wanted = int(sys.argv[2]) if len(sys.argv) > 2 else 3000
text_directories = "--text-directories" in sys.argv
dice = random.Random(61)
entries = {}


def add(path, data=b"", mode=b"100644"):
    entries[path if isinstance(path, bytes) else path.encode()] = (mode, data)


def quoted(path):
    """The C-style quoting of fast-import (git-fast-import(1), <path>)."""
    out = b""
    for byte in path:
        if byte in b'"\\':
            out += b"\\" + bytes([byte])
        elif byte < 0x20 or byte >= 0x7F:
            out += b"\\%03o" % byte
        else:
            out += bytes([byte])
    return b'"' + out + b'"'


odd = [
    b"a space", b" leading", b"trailing ", b"'single'", b'"double"', b"amp&er", b"per%cent", b"%2e%2E", b"ha#sh", b"ques?tion",
    b"plus+", b"semi;colon", b"equals=", b"new\nline", b"tab\there", b"back\\slash", b"dollar$HOME", b"star*", b"tilde~",
    b"brackets[x]", b"{braces}", b"<angle>", b"pipe|", b"-dash", b"--double-dash", b"colon:", b"comma,", b"at@", b"bell\x07",
    "gr\u00fc\u00dfe".encode(), "\u65e5\u672c\u8a9e".encode(), "\U0001f980".encode(), "e\u0301".encode(), "\u00e9".encode(),
    b"invalid\xff\xfe", b"\xc3", b"\x80middle", b"...", b".hidden", b"..double", b"n" * 255, ("\u00e9" * 127).encode(),
]
for name in odd:
    add(b"odd/" + name, b"content of " + name + b"\n")
    if text_directories and name.decode(errors="replace").encode() != name:
        continue
    add(b"odd-directories/" + name + b"/inner", b"inside " + name + b"\n")

add("README.md", b"# A repository for tests\n")
add("empty/file")
add("empty/.gitkeep")
add("program/run", b"#!/bin/sh\necho it runs\n", b"100755")
add("program/data", b"x" * 4096)
for size in (1, 4095, 4096, 4097, 65535, 65536, 65537, 131073, 1 << 20, 5 * (1 << 20) + 3):
    add(f"sizes/{size}", dice.randbytes(size))
add("links/file", b"../README.md", b"120000")
add("links/directory", b"../program", b"120000")
add("links/dangling", b"no/such/file", b"120000")
add("links/absolute", b"/etc/hostname", b"120000")
add("links/odd", b"a \"b\" %20 \xff\n", b"120000")
add("links/long", b"d/" * 2000, b"120000")
add("links/up", b"../../..", b"120000")
add("module", b"1" * 40, b"160000")
add("modules/inner/deep", b"2" * 40, b"160000")
add("deep/" + "/".join(f"d{level}" for level in range(60)) + "/leaf", b"deep\n")
add("deep/" + "/".join(["n" * 200] * 15) + "/leaf", b"long\n")
add("name-order/a", b"1")
add("name-order/a.b", b"2")
add("name-order/a/b".replace("a/", "a-/"), b"3")
add("name-order/a0", b"4")
add("name-order/A", b"5")
for index in range(5000):
    add(f"many/entry-{index:05d}", b"%d\n" % index)
for index in range(wanted):
    data = b"file %d\n" % index * dice.randrange(1, 60)
    add(f"src/part{index % 37:02d}/module{index % 11}/file{index}.c", data, b"100755" if index % 50 == 0 else b"100644")

subprocess.run(["git", "init", "-q", "--bare", where], check=True)
stream = subprocess.Popen(
    ["git", "-C", where, "fast-import", "--quiet", "--force"], stdin=subprocess.PIPE)
send = stream.stdin.write
who = b"Test <test@example.invalid> 1700000123 +0130"
send(b"commit refs/heads/main\nauthor %s\ncommitter %s\ndata 11\nevery kind\n\n" % (who, who))
for path, (mode, data) in entries.items():
    if mode == b"160000":
        send(b"M 160000 %s %s\n" % (data, quoted(path)))
    else:
        send(b"M %s inline %s\ndata %d\n" % (mode, quoted(path), len(data)) + data + b"\n")
stream.stdin.close()
if stream.wait() != 0:
    sys.exit("git fast-import failed")
subprocess.run(["git", "-C", where, "symbolic-ref", "HEAD", "refs/heads/main"], check=True)
print(len(entries))
