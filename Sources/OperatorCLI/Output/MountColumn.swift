/// A column of the list of mounts.
enum MountColumn: String, CaseIterable {
    case job, state, commit, path, mountpoint, id, origin, lower, worker, restarts, memory, waiting, served, cause,
        reason, labels, age, ready

    static let names = allCases.map(\.rawValue).joined(separator: ", ")

    var title: String {
        switch self {
        case .id: "MOUNT ID"
        case .cause: "LAST CAUSE"
        default: rawValue.uppercased()
        }
    }

    /// `now` in milliseconds after 1970.
    func text(_ mount: MountReport, now: Int64) -> String {
        let worker = mount.worker
        switch self {
        case .job: return Presentation.name(of: mount)
        case .state: return mount.state.name
        case .commit: return Presentation.commit(mount)
        case .path: return mount.path
        case .mountpoint: return mount.mountpoint
        case .id: return mount.id
        case .origin: return mount.origin ?? "-"
        case .lower: return mount.lower ?? "-"
        case .worker: return worker.map { "\($0.pid)" } ?? "-"
        case .restarts: return worker.map { "\($0.restarts)" } ?? "-"
        case .memory: return worker?.memoryBytes.map(Printable.size) ?? "-"
        case .waiting: return worker?.waiting.map(String.init) ?? "-"
        case .served: return worker.map { "\($0.served)" } ?? "-"
        case .cause: return worker?.lastRestartCause ?? "-"
        case .reason: return mount.state.reason ?? "-"
        case .labels:
            let labels = (mount.labels ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            return labels.isEmpty ? "-" : labels.joined(separator: " ")
        case .age: return Printable.duration(seconds: Int(max(0, now - mount.createdAt) / 1000))
        case .ready: return mount.readyAfter.map { "\(($0 * 10).rounded() / 10) ms" } ?? "-"
        }
    }

    /// Numbers by their value, the rest by their text.
    func isLess(_ left: MountReport, _ right: MountReport) -> Bool {
        if let numbers = number(left).flatMap({ one in number(right).map { (one, $0) } }) {
            return numbers.0 < numbers.1
        }
        return text(left, now: 0) < text(right, now: 0)
    }

    private func number(_ mount: MountReport) -> Double? {
        switch self {
        case .worker: Double(mount.worker?.pid ?? 0)
        case .restarts: Double(mount.worker?.restarts ?? 0)
        case .memory: Double(mount.worker?.memoryBytes ?? 0)
        case .waiting: Double(mount.worker?.waiting ?? 0)
        case .served: Double(mount.worker?.served ?? 0)
        // The oldest is the one that was made first.
        case .age: -Double(mount.createdAt)
        case .ready: mount.readyAfter ?? 0
        default: nil
        }
    }
}
