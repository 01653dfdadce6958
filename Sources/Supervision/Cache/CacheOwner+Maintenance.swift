import CacheProtocol
import LinuxSystem

/// What an operator asks of the cache. The owner answers at once; how it goes on is in its status.
extension CacheOwner {
    private static let maintenanceTimeout: Duration = .seconds(5)
    private static let scrapeTimeout: Duration = .milliseconds(300)

    /// JSON.
    func status() async throws(SupervisorError) -> String {
        guard case .status(let json) = try await ask(.status, deadline: .after(Self.maintenanceTimeout)) else {
            throw Self.unexpected
        }
        return json
    }

    /// What a scrape shows; nil while the owner does not answer at once.
    func figures() async -> CacheFigures? {
        guard case .status(let json) = try? await ask(.status, deadline: .after(Self.scrapeTimeout)) else { return nil }
        return try? CacheFigures(json: json)
    }

    /// Owners tell of requests to origins that take longer from now on, this one and those that come after it.
    func tellSlow(from limit: Duration) async {
        slowOperation = limit
        await tellSlow()
    }

    /// Says it to an owner that was started with another limit. One of an earlier build keeps that.
    func tellSlow() async {
        let limit = slowOperation.nanoseconds / 1_000_000
        let deadline = Deadline.after(Self.attachTimeout)
        guard case .greeted(let version) = try? await ask(Self.greeting, deadline: deadline),
            version >= ControlProtocolVersion.limits
        else { return }
        _ = try? await ask(.tell(slowMilliseconds: limit), deadline: deadline)
    }

    func collect(target: UInt64?) async throws(SupervisorError) {
        guard case .collecting = try await ask(.collect(target: target), deadline: .after(Self.maintenanceTimeout))
        else { throw Self.unexpected }
    }

    func verify() async throws(SupervisorError) -> UInt64 {
        guard case .verifying(let sweep) = try await ask(.verify, deadline: .after(Self.maintenanceTimeout)) else {
            throw Self.unexpected
        }
        return sweep
    }
}
