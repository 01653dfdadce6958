"""What is measured on: a Git repository, generated or Debian's Linux source, and a checkout of it."""
import os
import random
import subprocess

LINUX = "/usr/src/linux-source-6.1.tar.xz"


def generate(where, files, directories):
    """A source tree: sizes log-normal around 4 KB as in real ones, directories up to 7 deep, every seventh name a header."""
    dice = random.Random(73)
    words = [bytes(dice.choices(b"abcdefghijklmnopqrstuvwxyz_", k=dice.randrange(2, 11))) for _ in range(4000)]
    pool = b"".join(dice.choice(words) + dice.choice((b" ", b" ", b"(", b");\n", b" = ", b"\n    ")) for _ in range(600_000))
    folders = [""]
    while len(folders) < directories:
        parent = dice.choice(folders)
        if parent.count("/") < 7:
            folders.append(f"{parent}{dice.choice(words).decode()}{len(folders)}/")
    subprocess.run(["git", "init", "-q", "--bare", where], check=True)
    stream = subprocess.Popen(
        ["git", "-C", where, "-c", "core.compression=1", "fast-import", "--quiet", "--depth=0"], stdin=subprocess.PIPE)
    send = stream.stdin.write
    who = b"Bench <bench@example.invalid> 1700000123 +0000"
    send(b"commit refs/heads/main\nauthor %s\ncommitter %s\ndata 4\ntree\n" % (who, who))
    for index in range(files):
        folder = folders[index] if index < len(folders) else dice.choice(folders)
        path = f"{folder}file{index}.{'h' if index % 7 == 0 else 'c'}"
        size = min(int(dice.lognormvariate(8.3, 1.5)), 1 << 20)
        start = dice.randrange(len(pool) - size)
        data = b"/* %d */\n" % index + pool[start:start + size]
        send(b"M %s inline %s\ndata %d\n" % (b"100755" if index % 50 == 0 else b"100644", path.encode(), len(data)))
        send(data + b"\n")
    for path, data in project():
        send(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
    stream.stdin.close()
    if stream.wait():
        raise OSError("git fast-import failed")
    subprocess.run(["git", "-C", where, "symbolic-ref", "HEAD", "refs/heads/main"], check=True)


BUILD_FILES = 60
PROJECT_MAKEFILE = b"""OUT ?= out
OBJECTS := $(patsubst %.c,$(OUT)/%.o,$(wildcard *.c))
$(OUT)/program: $(OBJECTS)
\t$(CC) -o $@ $^
$(OUT)/%.o: %.c $(wildcard *.h)
\t@mkdir -p $(OUT)
\t$(CC) -O1 -c -o $@ $<
"""


def project():
    """A program of some dozen files for those trees whose other files are no C: names and contents."""
    yield "project/Makefile", PROJECT_MAKEFILE
    names = range(BUILD_FILES)
    for number in names:
        yield f"project/unit{number}.h", b"int unit%d(int);\n" % number
        includes = b"".join(b'#include "unit%d.h"\n' % other for other in names)
        body = b"    for (int i = 0; i < %d; i++) x = x * 31 + i;\n" % (number + 1) * 20
        yield f"project/unit{number}.c", includes + b"int unit%d(int x)\n{\n%s    return x;\n}\n" % (number, body)
    calls = b"".join(b"    x += unit%d(x);\n" % number for number in names)
    includes = b"".join(b'#include "unit%d.h"\n' % other for other in names)
    yield "project/main.c", includes + b"int main(int x, char **a)\n{\n    (void)a;\n%s    return x == 7;\n}\n" % calls


def generate_flat(where, files, directories):
    """Many small files in directories three levels deep; the commit. For the part `scale`, where only the number counts."""
    subprocess.run(["git", "init", "-q", "--bare", where], check=True)
    stream = subprocess.Popen(
        ["git", "-C", where, "-c", "core.compression=1", "fast-import", "--quiet", "--depth=0"], stdin=subprocess.PIPE)
    send = stream.stdin.write
    send(b"commit refs/heads/main\ncommitter Bench <bench@example.invalid> 1700000123 +0000\ndata 4\ntree\n")
    for number in range(files):
        folder = number % directories
        data = b"contents of file %d\n" % number
        send(b"M 100644 inline top%d/middle%d/folder%d/file_%d_name.c\ndata %d\n%s\n" % (
            folder % 40, folder // 40 % 50, folder, number, len(data), data))
    stream.stdin.close()
    if stream.wait():
        raise OSError("git fast-import failed")
    subprocess.run(["git", "-C", where, "symbolic-ref", "HEAD", "refs/heads/main"], check=True)
    return subprocess.run(["git", "-C", where, "rev-parse", "main"], check=True, stdout=subprocess.PIPE).stdout.decode().strip()


def import_linux(where, scratch):
    """Debian's kernel source as one commit."""
    os.mkdir(scratch)
    subprocess.run(["tar", "-C", scratch, "--strip-components=1", "-xf", LINUX], check=True)
    subprocess.run(["git", "init", "-q", "--bare", where], check=True)
    git = ["git", f"--git-dir={where}", f"--work-tree={scratch}", "-c", "core.autocrlf=false", "-c", "core.safecrlf=false"]
    subprocess.run([*git, "-c", "core.compression=1", "add", "-A", "-f", "."], check=True)
    subprocess.run(
        [*git, "-c", "user.name=Bench", "-c", "user.email=bench@example.invalid", "commit", "-q", "-m", "source"], check=True)
    subprocess.run(["rm", "-rf", scratch], check=True)


class Tree:
    """The repository, its checkout on the native filesystem, and what is in it."""

    def __init__(self, farm, kind):
        self.repository = farm.path("repository.git")
        self.native = farm.path("native")
        self.kind = kind
        if kind == "linux":
            self.build_name = "make tinyconfig init/"
            self.build = 'make -s O="$OUT" tinyconfig && make -s -j2 O="$OUT" init/'
            self.first_object = "cc -O1 -c -o first-object.o scripts/basic/fixdep.c"
        else:
            self.build_name = f"make of {BUILD_FILES + 1} C files"
            self.build = 'make -s -j2 -C project OUT="$OUT"'
            self.first_object = "cc -O1 -c -o first-object.o project/unit0.c"
        if kind == "linux":
            import_linux(self.repository, farm.path("source"))
        else:
            generate(self.repository, *((2000, 120) if kind == "quick" else (20_000, 1200)))
        self.commit = self._git("rev-parse", "HEAD").strip().decode()
        self._git("-c", "core.autocrlf=false", "worktree", "add", "-q", "--detach", self.native, self.commit)
        os.unlink(os.path.join(self.native, ".git"))
        self.files, self.blobs, self.directories = [], [], set()
        for line in self._git("ls-tree", "-r", "-z", self.commit).split(b"\0")[:-1]:
            head, _, path = line.partition(b"\t")
            mode, _, identity = head.split()
            parent = os.path.dirname(path)
            while parent and parent not in self.directories:
                self.directories.add(parent)
                parent = os.path.dirname(parent)
            if mode in (b"100644", b"100755"):
                self.files.append(path)
                self.blobs.append(identity.decode())
        self.headers = [path for path in self.files if path.endswith(b".h")][:1000]
        self.list = farm.path("files")
        with open(self.list, "wb") as names:
            names.write(b"".join(path + b"\0" for path in self.files))
        self.bytes = sum(os.path.getsize(os.path.join(os.fsencode(self.native), path)) for path in self.files)
        self.entries = int(subprocess.run(
            ["sh", "-c", "find . -printf x | wc -c"], cwd=self.native, check=True, stdout=subprocess.PIPE).stdout)

    def middling_directory(self):
        """A directory at the top with between a fiftieth and a fifth of all files, or else the nearest to that."""
        counts = {}
        for name in self.files:
            top, slash, _ = name.partition(b"/")
            if slash and top != b"project":
                counts[top] = counts.get(top, 0) + 1
        return min(counts, key=lambda top: (abs(counts[top] - len(self.files) // 10), top))

    def changelist(self, count):
        """The name of a changelist of the commit that changes so many files, evenly spread."""
        name, index = f"BENCH{count}", {"GIT_INDEX_FILE": self.list + ".index"}
        blob = self._git("hash-object", "-w", "--stdin", data=b"changed\n").strip()
        step = len(self.files) / count
        chosen = [self.files[int(number * step)] for number in range(count)]
        self._git("read-tree", self.commit, more=index)
        lines = b"".join(b"100644 " + blob + b"\t" + path + b"\0" for path in chosen)
        self._git("update-index", "-z", "--index-info", data=lines, more=index)
        tree = self._git("write-tree", more=index).strip().decode()
        identity = ("-c", "user.name=Bench", "-c", "user.email=bench@example.invalid")
        tip = self._git(*identity, "commit-tree", "-p", self.commit, "-m", name, tree).strip().decode()
        self._git("update-ref", f"refs/cl/{name}", tip)
        return name

    def _git(self, *arguments, data=None, more=None):
        return subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", self.repository, *arguments], check=True, stdout=subprocess.PIPE,
            input=data, env={**os.environ, **(more or {})}).stdout

    def __str__(self):
        return f"{len(self.files)} files, {self.entries} entries, {self.bytes / 1e6:.0f} MB ({self.kind})"
