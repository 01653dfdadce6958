import Glibc
import LinuxSystem
import WorkerProtocol

/// Reads the requests of mounts that have no worker, until one comes or the mount is gone: for those that were given up answers EIO, so that
/// jobs fail in milliseconds and do not hang; for those that wait for their next worker has jobs go on waiting, and lets those end that
/// are killed.
///
/// The kernel lets a killed job end by itself only while nobody has read its request. What the dead worker had read is sent again to
/// this reader, with an FUSE_INTERRUPT behind it when its job was killed, and the answer is EINTR; the rest stays unanswered for the next
/// worker, to whom it is sent again.
///
/// One thread for all of them, in the supervisor: it needs no program that could fail to start. The descriptors are non-blocking while they
/// are here, so no connection can hold up another. EIO is kept nowhere by the kernel: entries, attributes and pages that it had stay, and
/// what failed is asked for again.
final class Tombstones: Sendable {
    /// As large as a worker's: the kernel refuses reads into less than a write request.
    private static let bufferSize = 32 * 1024

    enum Manner: Hashable, Sendable {
        /// Answers EIO.
        case refusing
        /// Answers only those who were interrupted.
        case holding
    }

    private struct Entry {
        let custody: Custody
        let manner: Manner
    }

    private struct State {
        var tokens: [MountID: UInt64] = [:]
        var entries: [UInt64: Entry] = [:]
        var next: UInt64 = 1
    }

    private let epoll: Epoll
    private let state = Guarded(State())

    init() throws(SystemError) {
        epoll = try Epoll()
        try SystemThread.start(name: "tombstone") { self.run() }.detach()
    }

    /// Answers for a mount from now on. No worker may be left that reads its requests.
    func add(_ mount: MountID, _ custody: Custody, _ manner: Manner) throws(SystemError) {
        remove(mount)
        try custody.setNonBlocking(true)
        // What the last worker took comes again.
        custody.write(FuseMessage.resend)
        let token = state.with { state in
            let token = state.next
            state.next += 1
            state.tokens[mount] = token
            state.entries[token] = Entry(custody: custody, manner: manner)
            return token
        }
        do {
            try epoll.add(custody.raw, .readable, token: token)
        } catch {
            remove(mount)
            throw error
        }
    }

    /// Stops answering; when it returns, no request of the mount is in hand.
    func remove(_ mount: MountID) {
        let custody = state.with { state -> Custody? in
            guard let token = state.tokens.removeValue(forKey: mount) else { return nil }
            return state.entries.removeValue(forKey: token)?.custody
        }
        guard let custody else { return }
        epoll.remove(custody.raw)
        try? custody.setNonBlocking(false)
    }

    private func run() {
        var buffer = [UInt8](repeating: 0, count: Self.bufferSize)
        while true {
            for event in (try? epoll.wait()) ?? [] {
                // Under the lock, so that a mount which is taken out has nothing in hand. Neither call waits.
                state.with { state in
                    guard let entry = state.entries[event.token] else { return }
                    if !Self.answer(entry, &buffer) {
                        epoll.remove(entry.custody.raw)
                        state.entries[event.token] = nil
                    }
                }
            }
        }
    }

    /// Answers one request; false if the connection has ended.
    private static func answer(_ entry: Entry, _ buffer: inout [UInt8]) -> Bool {
        let custody = entry.custody
        let count = read(custody.raw, &buffer, buffer.count)
        guard count >= 0 else {
            switch Errno.current {
            // Taken back, or none left.
            case .interrupted, .notFound, .wouldBlock: return true
            default: return false
            }
        }
        let request = Array(buffer.prefix(count))
        guard let header = FuseRequestHeader(request) else { return true }
        if entry.manner == .holding {
            if let interrupted = FuseMessage.interrupted(by: request) {
                custody.write(FuseMessage.reply(to: interrupted, error: EINTR))
            }
            return true
        }
        guard FuseOpcode.expectsReply(header.opcode) else { return true }
        custody.write(FuseMessage.reply(to: header.unique, error: error(for: header.opcode)))
        custody.memory.add(.failures)
        custody.memory.note(.quarantined)
        return true
    }

    /// What ends the use of a file succeeds: the job has had its error.
    static func error(for opcode: UInt32) -> Int32 {
        switch opcode {
        case FuseOpcode.release, FuseOpcode.releaseDirectory, FuseOpcode.flush: 0
        default: EIO
        }
    }
}
