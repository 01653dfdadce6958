import CacheProtocol
import Foundation
import GitObjects
import LinuxSystem

/// What is fetched before anybody asks for it. The owner does it, and goes on after a restart; here its progress becomes events.
extension CacheOwner {
    private static let preloadEventInterval: Duration = .seconds(5)
    /// Looks without an answer after which a preload is not followed any more.
    private static let preloadLooks = 24

    func prefetch(
        _ request: PrefetchRequest, deadline: Deadline
    ) async throws(SupervisorError) -> PrefetchStatus {
        let question = ControlRequest.prefetch(
            origin: request.origin ?? "", revision: request.revision ?? "", path: Array(request.path.utf8),
            depth: request.depth, contents: request.contents)
        guard case .prefetching(let number, let snapshot) = try await askPatiently(question, deadline: deadline) else {
            throw SupervisorError(.internalError, "the cache owner answered something else")
        }
        let status = PrefetchStatus(
            preload: number, origin: snapshot.origin, commit: snapshot.commit.hex, isSealed: snapshot.isSealed)
        events.record(
            .preloadStarted,
            details: [
                ("origin", status.origin), ("preload", "\(number)"), ("commit", status.commit), ("path", request.path),
                ("contents", "\(request.contents)"),
            ])
        Task { await self.follow(status) }
        return status
    }

    /// The part of the owner's status that is needed here.
    private struct Status: Decodable {
        struct Part: Decodable {
            let done: UInt64
            let total: UInt64
        }

        struct Tally: Decodable {
            let directories: Part
            let contents: Part
            let bytes: Part
            let failed: UInt64
        }

        struct Request: Decodable {
            let number: UInt64
            let commit: String
        }

        struct Preload: Decodable {
            let request: Request
            let state: String
            let phase: String
            let tally: Tally
            let rate: Double
            let secondsLeft: UInt64?
            let cause: String?
        }

        struct Origin: Decodable {
            let name: String
            let preloads: [Preload]
        }

        let origins: [Origin]
    }

    /// Records how a preload goes on until it has ended.
    private func follow(_ wanted: PrefetchStatus) async {
        var failed = 0
        var quiet = Duration.zero
        var pause = Duration.milliseconds(100)
        while !stopping, failed < Self.preloadLooks {
            try? await Pause.sleep(for: pause)
            quiet += pause
            pause = min(pause * 2, Self.preloadEventInterval)
            let look: Status.Preload?
            do throws(SupervisorError) {
                look = Self.find(wanted, try await status())
            } catch {
                failed += 1
                continue
            }
            // It ended so long ago that it is not shown any more, or the owner's store was replaced.
            guard let look else { return }
            failed = 0
            let hasEnded = look.state == "complete" || look.state == "incomplete"
            guard hasEnded || quiet >= Self.preloadEventInterval else { continue }
            quiet = .zero
            events.record(
                hasEnded ? .preloadEnded : .preloadProgress, cause: look.cause, details: Self.details(wanted, look))
            if hasEnded { return }
        }
    }

    private static func find(_ wanted: PrefetchStatus, _ json: String) -> Status.Preload? {
        let status = try? JSONDecoder().decode(Status.self, from: Data(json.utf8))
        return status?.origins.first { $0.name == wanted.origin }?.preloads.first {
            $0.request.number == wanted.preload && $0.request.commit == wanted.commit
        }
    }

    private static func details(_ wanted: PrefetchStatus, _ look: Status.Preload) -> [(String, String)] {
        var details = [
            ("origin", wanted.origin), ("preload", "\(wanted.preload)"), ("commit", wanted.commit),
            ("state", look.state),
            ("phase", look.phase), ("directories", "\(look.tally.directories.done)"),
            ("files", "\(look.tally.contents.done)/\(look.tally.contents.total)"),
            ("bytes", "\(look.tally.bytes.done)/\(look.tally.bytes.total)"), ("failed", "\(look.tally.failed)"),
            ("rate", "\(UInt64(max(0, look.rate)))"),
        ]
        if let left = look.secondsLeft { details.append(("seconds_left", "\(left)")) }
        return details
    }
}
