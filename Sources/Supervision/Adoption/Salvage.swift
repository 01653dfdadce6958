import Glibc
import LinuxSystem
import WorkerProtocol

/// The descriptors of mounts, taken out of a cache owner that has to be ended because it does not answer (pidfd_getfd(2), which needs no
/// help from the process): it may be the last that holds them.
final class Salvage: Sendable {
    private let devices: [SharedFD]
    private let sessions: [SharedFD]

    init(from process: ChildProcess) {
        var (devices, sessions): ([SharedFD], [SharedFD]) = ([], [])
        let directory = "/proc/\(process.pid)/fd"
        for name in (try? Directory.names(directory)) ?? [] {
            guard let number = Int32(String(decoding: name, as: UTF8.self)),
                let target = try? File.linkTarget("\(directory)/\(number)"),
                target == HeldDescriptors.device || target == HeldDescriptors.session,
                let copy = try? SharedFD(process.duplicateFD(number))
            else { continue }
            if target == HeldDescriptors.device { devices.append(copy) } else { sessions.append(copy) }
        }
        self.devices = devices
        self.sessions = sessions
    }

    /// What belongs to a recorded mount; nil where it is not here.
    func descriptors(of record: MountRecord) -> (device: SharedFD?, session: SharedFD?) {
        let device = devices.first { (try? FuseConnection(of: $0.raw).number) == record.connection }
        let session = sessions.first { candidate in
            guard let memory = try? SessionMemory(keeping: candidate.duplicate()) else { return false }
            return memory.personality == record.personality
        }
        return (device, session)
    }
}
