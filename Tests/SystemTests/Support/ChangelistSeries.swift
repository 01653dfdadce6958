import LinuxSystem

/// A repository with changelists S0, S1, …, each of which puts its number into several files of the base.
struct ChangelistSeries {
    static let files = ["a", "deep/b", "deep/er/c"]

    let repository: Repository

    init(in directory: String, count: Int) throws {
        repository = try Repository(in: directory, Self.tree("base"))
        for number in 0..<count {
            try repository.git("update-ref", "refs/heads/s\(number)", "refs/heads/main")
            try repository.commit(
                Self.tree("\(number)") + [("only/\(number)", .file("new\n"))], branch: "s\(number)")
            try repository.git("update-ref", "refs/cl/S\(number)", "refs/heads/s\(number)")
        }
    }

    private static func tree(_ version: String) -> [(String, Repository.Content)] {
        files.map { ($0, .file(version + "\n")) } + [
            ("same/one", .file("one\n")), ("same/two", .file("two\n")), ("gone", .file("gone\n")),
            ("moves/x", .file("x\n")),
            ("moves/y", .file("y\n")),
        ]
    }

    /// What each of the files says in a mount.
    static func versions(in mount: Farm.Mount) throws -> [String] {
        try files.map { String(try File.text("\(mount.path)/\($0)").dropLast()) }
    }
}
