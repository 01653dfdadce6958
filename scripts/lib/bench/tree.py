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
    stream.stdin.close()
    if stream.wait():
        raise OSError("git fast-import failed")
    subprocess.run(["git", "-C", where, "symbolic-ref", "HEAD", "refs/heads/main"], check=True)


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

    def _git(self, *arguments):
        return subprocess.run(
            ["git", "-c", "safe.directory=*", "-C", self.repository, *arguments], check=True, stdout=subprocess.PIPE).stdout

    def __str__(self):
        return f"{len(self.files)} files, {self.entries} entries, {self.bytes / 1e6:.0f} MB ({self.kind})"
