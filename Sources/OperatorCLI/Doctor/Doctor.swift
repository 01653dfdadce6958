import FoundationEssentials
import Glibc
import LinuxSystem
import Supervision
import SupervisorConfig

/// Examines machine, supervisor and mounts. Reads only /proc, the run directory and the API; whatever may hang is looked at by disposable children.
struct Doctor {
    /// For each question to the supervisor.
    static let answerLimit = 2
    /// For all mounts together.
    static let probeLimit: Duration = .seconds(3)

    let socket: String
    private let inForce: ConfigurationInForce
    private var configuration: SupervisorConfiguration? { inForce.loaded?.configuration }

    init(_ inForce: ConfigurationInForce, socket: String) {
        (self.inForce, self.socket) = (inForce, socket)
    }

    private struct Mounted {
        let id: String
        let name: String
        let path: String
    }

    func examine() -> [Check] {
        let serving = ServingProcess(socket)
        var checks: [Check]
        if let configuration {
            checks = [Check("configuration", .ok, inForce.source)]
            checks += Preflight.checks(configuration, runningPID: serving.pid)
        } else {
            checks = [
                Check(
                    "configuration", .warning, "\(inForce.source); what depends on it is not examined",
                    fix: "run doctor as root, or name the file with --config")
            ]
            checks += Preflight.checksOfMachine()
        }
        checks += Preflight.advice()
        let client = SupervisorClient(address: .socket(socket), timeout: Self.answerLimit)
        checks.append(supervisor(client, serving))
        let mounts = (try? client.mounts())?.value.mounts.compactMap { mount -> Mounted? in
            guard mount.state.name == "Ready" || mount.state.name == "Unmounting" else { return nil }
            return Mounted(id: mount.id, name: mount.job ?? mount.build ?? mount.id, path: mount.mountpoint)
        }
        return checks + probe(mounts ?? recorded())
    }

    private func supervisor(_ client: SupervisorClient, _ serving: ServingProcess) -> Check {
        let pid: Int32
        switch serving {
        case .none:
            return Check(
                "supervisor", .warning, "nobody serves \(socket)",
                fix: "start antares-supervisor; its log says why it does not run")
        case .unknown(let error):
            return Check(
                "supervisor", .warning, "\(socket) cannot be used: \(error.errno)",
                fix: "run doctor as root, or join the group of the socket (socket_group)")
        case .some(let found):
            pid = found
        }
        do throws(CLIError) {
            let health = try client.health().value
            let what = "process \(pid), version \(health.version), \(health.mountCount) mounts"
            guard let problem = health.problems.first else { return Check("supervisor", .ok, what) }
            return Check("supervisor", .warning, "\(what): \(problem)", fix: "see `antares status` and the log")
        } catch {
            return Check(
                "supervisor", .failure, "process \(pid) does not answer: \(error.message)",
                fix:
                    "see what it waits for (/proc/\(pid)/task/*/wchan); it can be killed, the next one goes on with its mounts"
            )
        }
    }

    /// What a supervisor that is gone, or does not answer, has noted.
    private func recorded() -> [Mounted] {
        struct Record: Decodable {
            let id: String
            let mountpointRoot: String
            let mountpointName: String
        }
        guard let configuration else { return [] }
        let directory = configuration.runDirectory + "/mounts"
        return ((try? Directory.names(directory)) ?? []).compactMap { name in
            guard let bytes = try? File.contents(directory + "/" + String(decoding: name, as: UTF8.self)),
                let record = try? JSONDecoder().decode(Record.self, from: Data(bytes))
            else { return nil }
            return Mounted(id: record.id, name: record.id, path: record.mountpointRoot + "/" + record.mountpointName)
        }
    }

    private func probe(_ mounts: [Mounted]) -> [Check] {
        let program = Preflight.workerProgram(configuration ?? SupervisorConfiguration())
        let deadline = Deadline.after(Self.probeLimit)
        let probes = mounts.map { mount in
            (mount, try? DisposableChild(program, ["--probe", mount.path], until: deadline))
        }
        return probes.map { mount, child in
            let name = "mount \(mount.name)"
            guard let child else {
                return Check(name, .warning, "cannot be probed", fix: "see the check of antares-worker")
            }
            switch child.finish(patience: .zero).status {
            case .code(0): return Check(name, .ok, mount.path)
            case .code(let number):
                return Check(
                    name, .failure, "\(mount.path): \(Errno(rawValue: number))",
                    fix: "`antares status \(mount.name)` says why; `antares umount \(mount.name)` and mount again")
            case .signal, .unknown:
                return Check(name, .failure, "\(mount.path): the probe was killed", fix: "run doctor again")
            case nil:
                return Check(
                    name, .failure, "\(mount.path) does not answer within \(Self.probeLimit.components.seconds) s",
                    fix: "is its worker stopped, or the origin silent? `antares status \(mount.name)`; "
                        + "`antares umount --force \(mount.name)` ends it")
            }
        }
    }
}

/// The findings as JSON.
struct DoctorReport: Encodable {
    private struct Finding: Encodable {
        let name: String
        let outcome: String
        let what: String
        let fix: String?
    }

    private let ok: Bool
    private let checks: [Finding]

    init(_ checks: [Check]) {
        ok = !checks.contains { $0.outcome == .failure }
        self.checks = checks.map {
            Finding(name: $0.name, outcome: $0.outcome.rawValue, what: $0.what, fix: $0.fix.isEmpty ? nil : $0.fix)
        }
    }

    var json: [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return Array((try? encoder.encode(self)) ?? Data()) + [0x0A]
    }
}
