/// Where a mount is in its life. The names are those of the published API.
public enum MountState: Hashable, Sendable {
    case provisioning
    case mounted
    case ready
    case quiescing
    case unmounting
    case unmounted
    case failed(reason: String)
    /// The worker cannot be kept alive; clients that know only the published states see `Failed`.
    case quarantined(reason: String)

    /// All published names, in the order of a mount's life.
    public static let names = [
        Self.provisioning, .mounted, .ready, .quiescing, .unmounting, .unmounted, .failed(reason: ""),
    ].map(\.name)

    /// The published name.
    public var name: String {
        switch self {
        case .provisioning: "Provisioning"
        case .mounted: "Mounted"
        case .ready: "Ready"
        case .quiescing: "Quiescing"
        case .unmounting: "Unmounting"
        case .unmounted: "Unmounted"
        case .failed, .quarantined: "Failed"
        }
    }

    /// Why, for the failed states.
    public var reason: String? {
        switch self {
        case .failed(let reason), .quarantined(let reason): reason
        default: nil
        }
    }
}
