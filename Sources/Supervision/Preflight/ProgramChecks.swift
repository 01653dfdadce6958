import Glibc
import LinuxSystem

/// The programs that the supervisor starts, and the users they run as.
enum ProgramChecks {
    static func all(_ configuration: SupervisorConfiguration) -> [Check] {
        [
            program(workerProgram(configuration), "antares-worker"),
            program(cacheProgram(configuration), "dicfuse-cache"),
            user(configuration.workerUser, "worker_user"), user(configuration.cacheUser, "[cache] user"),
            hardening(configuration),
        ]
    }

    static func workerProgram(_ configuration: SupervisorConfiguration) -> String {
        configuration.workerProgram ?? besideExecutable("antares-worker")
    }

    static func cacheProgram(_ configuration: SupervisorConfiguration) -> String {
        configuration.cacheProgram ?? besideExecutable("dicfuse-cache")
    }

    private static func hardening(_ configuration: SupervisorConfiguration) -> Check {
        if configuration.hardening { return .ok("hardening", "workers and cache owner give up what they do not need") }
        return Check(
            "hardening", .warning, "off: workers and cache owner may use all system calls",
            fix: "set hardening = true again once what it was switched off for works", topic: .configuration)
    }

    private static func program(_ path: String, _ name: String) -> Check {
        if access(path, X_OK) == 0 { return .ok(name, path) }
        return Check(
            name, .failure, "the program \(name) is not at \(path): \(Errno.current)",
            fix: "install it there or set its path")
    }

    private static func besideExecutable(_ name: String) -> String {
        let own = (try? File.linkTarget("/proc/self/exe")) ?? ""
        return String(own[..<(own.lastIndex(of: "/") ?? own.startIndex)]) + "/" + name
    }

    private static func user(_ name: String, _ key: String) -> Check {
        guard let user = Accounts.user(name) else {
            return Check(
                key, .failure, "there is no user `\(name)`",
                fix: "make it (`useradd --system \(name)`) or name another",
                topic: .configuration)
        }
        if user.uid == 0 {
            return Check(key, .failure, "`\(name)` is root", fix: "name an unprivileged user", topic: .configuration)
        }
        return .ok(key, "`\(name)` is \(user.uid)")
    }
}
