import LinuxSystem

/// What must be true before the supervisor serves. All problems are found and told at once.
public enum Preflight {
    struct Programs: Sendable {
        let worker: String
        let cache: String
        let workerUser: Accounts.User
        let cacheUser: Accounts.User
    }

    /// Checks the machine and finds the programs and users. Logs warnings. Throws one line for each problem: `.conflict` if another process has what is
    /// needed, else `.internalError`.
    static func run(
        _ configuration: SupervisorConfiguration, log: any SupervisorLog
    ) throws(SupervisorError) -> Programs {
        Privileges.raiseOpenFileLimit()
        let checks = checks(configuration, originTimeout: .milliseconds(500))
        for check in checks where check.outcome == .warning {
            log.log(.warning, check.what, [("check", check.name), ("fix", check.fix)])
        }
        let failures = checks.filter { $0.outcome == .failure }
        guard failures.isEmpty, let workerUser = Accounts.user(configuration.workerUser),
            let cacheUser = Accounts.user(configuration.cacheUser)
        else {
            let code: SupervisorError.Code = failures.contains { $0.topic == .address } ? .conflict : .internalError
            throw SupervisorError(code, failures.map { "\($0.name): \($0.what); \($0.fix)" }.joined(separator: "\n"))
        }
        return Programs(
            worker: workerProgram(configuration), cache: ProgramChecks.cacheProgram(configuration),
            workerUser: workerUser,
            cacheUser: cacheUser)
    }

    /// Everything that can be found without a supervisor. With `runningPID`, what that process holds is in order.
    public static func checks(
        _ configuration: SupervisorConfiguration, originTimeout: Duration = .seconds(2), runningPID: Int32? = nil
    ) -> [Check] {
        checksOfMachine() + NamespaceChecks.all(configuration)
            + ProgramChecks.all(configuration) + AddressChecks.all(configuration, runningPID: runningPID)
            + DirectoryChecks.all(configuration) + [KernelChecks.sealed(configuration)].compactMap(\.self)
            + OriginChecks.all(configuration, timeout: originTimeout)
    }

    /// What needs no configuration.
    public static func checksOfMachine() -> [Check] {
        PrivilegeChecks.all() + KernelChecks.all()
    }

    /// What makes everything slower than it need be and hinders nothing: for whoever asks, no start logs it.
    public static func advice() -> [Check] {
        [KernelChecks.idle()].compactMap(\.self)
    }

    /// The path of antares-worker, which is also what looks at things that may hang.
    public static func workerProgram(_ configuration: SupervisorConfiguration) -> String {
        ProgramChecks.workerProgram(configuration)
    }
}
