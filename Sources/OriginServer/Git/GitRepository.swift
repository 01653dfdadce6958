import GitObjects
import Glibc
import LinuxSystem

/// A repository on disk: where it is, whose it is, and whether it is still the same one.
struct GitRepository: Sendable {
    let git: GitProgram
    let directory: String
    /// Whom git runs as; nil is the user of this process.
    let user: Accounts.User?
    private let objects: String
    /// That of the repository, if `directory` is that of a work tree.
    let commonDirectory: String

    /// Finds the repository at `path` itself; directories above are not searched.
    /// - Throws: `notARepository`, `objectFormat`, `gitUnusable`, `timedOut`.
    init(_ path: String, git: GitProgram, deadline: Deadline) throws(OriginError) {
        guard let resolved = realpath(path, nil) else {
            throw OriginError(
                .notARepository, "\(path) cannot be opened: name an existing repository with --repo",
                cause: SystemError(.current, "realpath", path))
        }
        let absolute = String(cString: resolved)
        free(resolved)
        let user = Self.userToBecome(at: absolute)
        var parent = absolute
        while parent.last != "/" { parent.removeLast() }
        let spec = git.specification(
            [
                "-C", absolute, "rev-parse", "--path-format=absolute", "--git-dir", "--git-path", "objects",
                "--show-object-format", "--git-common-dir",
            ], as: user, environment: ["GIT_CEILING_DIRECTORIES=\(parent)"])
        let output = try GitProgram.run(spec, deadline)
        let lines = output.text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        guard output.succeeded, lines.count >= 4 else {
            throw OriginError(
                .notARepository,
                "\(path) is not a git repository that \(user.map { "uid \($0.uid)" } ?? "this user") can read: "
                    + output.complaint.split(separator: "\n").joined(separator: "; "))
        }
        guard lines[2] == "sha1" else {
            throw OriginError(.objectFormat, "\(path) uses \(lines[2]) object ids: only sha1 is served")
        }

        self.git = git
        self.directory = lines[0]
        self.objects = lines[1]
        self.commonDirectory = lines[3]
        // A work tree of root's may point into a directory of someone else, whose rights are then enough.
        self.user = user ?? Self.userToBecome(at: lines[1])
    }

    /// Root has no business in a repository of somebody else: its owner can point git at any file by `objects/info/alternates`.
    private static func userToBecome(at path: String) -> Accounts.User? {
        guard geteuid() == 0, let owner = try? FileStatus(of: path), owner.uid != 0 else { return nil }
        return Accounts.User(uid: owner.uid, gid: owner.gid)
    }

    /// Nil when the repository is gone.
    var identity: FileStatus.Identity? {
        guard access(self.directory + "/HEAD", F_OK) == 0 else { return nil }
        return try? FileStatus(of: self.objects).identity
    }

    /// Starts a long-running `cat-file`.
    func startCatFile(format: String, deadline: Deadline) throws(OriginError) -> GitProcess {
        let arguments = ["--git-dir=\(self.directory)", "cat-file", "--batch-command=\(format)", "--buffer"]
        return try GitProcess(self.git.specification(arguments, as: self.user), deadline: deadline)
    }
    /// Starts a long-running `diff-tree` that detects renames as git-diff(1) does unless told otherwise: identical contents always,
    /// similar ones (at least half) among up to 1000 files.
    func startDiffTree(deadline: Deadline) throws(OriginError) -> GitProcess {
        let arguments = [
            // Without a work tree there are no attribute files of a directory that happens to be the current one.
            "-c", "core.bare=true", "-c", "diff.renameLimit=1000", "--git-dir=\(self.directory)",
            "diff-tree", "--stdin", "-r", "-z", "--raw", "--no-abbrev", "--find-renames=50%", "--no-ext-diff",
            "--ignore-submodules=none",
        ]
        return try GitProcess(self.git.specification(arguments, as: self.user), deadline: deadline)
    }

    /// The best common ancestor of two commits (git-merge-base(1)); nil if they have none.
    func mergeBase(_ one: ObjectID, _ other: ObjectID, deadline: Deadline) throws(OriginError) -> ObjectID? {
        let arguments = ["--git-dir=\(self.directory)", "merge-base", one.hex, other.hex]
        let output = try GitProgram.run(self.git.specification(arguments, as: self.user), deadline)
        if output.succeeded, let id = output.text.split(separator: "\n").first.flatMap({ ObjectID(hex: $0) }) {
            return id
        }
        // It ends with 1 and says nothing if there is no common ancestor.
        guard output.complaint.isEmpty, output.text.isEmpty else {
            throw OriginError(.gitFailed, "git merge-base failed: \(output.complaint)")
        }
        return nil
    }
}
