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
