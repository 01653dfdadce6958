/// What a view is to its mount.
enum Standing: Equatable, Sendable {
    /// The one that clients see.
    case current
    /// It is being made, to take the place of another.
    case building(Succession)
    /// Another has its place.
    case retired

    static func == (one: Standing, other: Standing) -> Bool {
        switch (one, other) {
        case (.current, .current), (.retired, .retired): true
        case (.building(let one), .building(let other)): one === other
        default: false
        }
    }
}
