import WorkerProtocol

/// A request of the kernel as a value: it can be tried, put aside, and tried again when what it waits for has come.
struct Operation: Hashable, Sendable {
    enum Kind: Hashable, Sendable {
        /// `name` in the directory `node`.
        case lookup(name: [UInt8])
        case attributes
        case readLink
        case read(offset: UInt64, count: Int)
        /// Entries after `offset`; with `attributes` for READDIRPLUS.
        case list(offset: UInt64, count: Int, attributes: Bool)
        case statistics
    }

    var kind: Kind
    /// What it is counted as.
    var requestKind: RequestKind {
        switch kind {
        case .lookup: .lookup
        case .attributes: .attributes
        case .readLink: .readLink
        case .read: .read
        case .list(_, _, let attributes): attributes ? .listWithAttributes : .list
        case .statistics: .statistics
        }
    }

    var node: UInt64
    /// The thread that asks, as the kernel numbers it; 0 if that is not known.
    var asker: Int32 = 0

    init(_ kind: Kind, node: UInt64, asker: Int32 = 0) {
        self.kind = kind
        self.node = node
        self.asker = asker
    }
}
