import Glibc

/// Finds the program that a command names, as a shell in the mount would.
enum CommandLookup {
    enum Failure: Error, Hashable {
        /// Exit code 127.
        case notFound
        /// It is there, but cannot be executed: exit code 126.
        case notExecutable
    }

    /// `name` with a slash is a path, relative to `directory`; else it is looked for in the absolute directories of `path`.
    static func find(_ name: String, directory: String, path: String) throws(Failure) -> String {
        if name.contains("/") {
            let full = name.hasPrefix("/") ? name : directory + "/" + name
            return try checked(full)
        }
        var failure = Failure.notFound
        for entry in path.split(separator: ":") where entry.hasPrefix("/") {
            do throws(Failure) {
                return try checked("\(entry)/\(name)")
            } catch {
                if error == .notExecutable { failure = error }
            }
        }
        throw failure
    }

    private static func checked(_ path: String) throws(Failure) -> String {
        var status = stat()
        guard stat(path, &status) == 0 else { throw .notFound }
        guard status.st_mode & S_IFMT == S_IFREG, access(path, X_OK) == 0 else { throw .notExecutable }
        return path
    }
}
