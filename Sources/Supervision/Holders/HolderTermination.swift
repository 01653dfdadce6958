import Glibc
import LinuxSystem
import Probes

/// Ends the processes that hold a mount, each by a pidfd of which it is sure: pid and start time are those that were found.
struct HolderTermination: Sendable {
    /// Who asks: root may end everybody's processes, others their own and those of the mount's owner.
    let caller: UInt32
    let owner: UInt32

    /// Processes that may be ended. Never the first process of the machine, nor this one.
    func targets(among holders: [Holder]) -> [Holder] {
        var seen: Set<Int32> = [0, 1, getpid()]
        return holders.filter { holder in
            (caller == 0 || holder.uid == caller || holder.uid == owner) && holder.use != .namespace
                && seen.insert(holder.pid).inserted
        }
    }

    /// The processes that still are those that were found.
    static func living(_ holders: [Holder]) -> [ChildProcess] {
        holders.compactMap { holder in
            guard let process = try? ChildProcess(adopting: holder.pid),
                process.identity == ProcessIdentity(pid: holder.pid, startTime: holder.startTime)
            else { return nil }
            return process
        }
    }
}
