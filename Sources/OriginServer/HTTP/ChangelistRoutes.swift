import GitObjects
import Hummingbird
import NIOCore

/// Changelists: the published `files-list` and `update-status`, and the extension that tells what these do not.
struct ChangelistRoutes: Sendable {
    let store: ObjectStore
    let configured: [ChangelistRange]

    private var catalog: ChangelistCatalog { ChangelistCatalog(store: self.store, configured: self.configured) }

    /// `[{"path","sha","action"}]`, for a renamed file with `old_path` and `similarity`. What changed its mode only is not listed, and
    /// paths are text.
    func filesList(_ link: [UInt8]) async throws -> Response {
        guard let changelist = try await self.find(link) else { return self.absent(link) }
        let changes = try await self.store.changes(from: changelist.baseTree, to: changelist.tipTree)
        return Responses.envelope { json in
            json.array(changes.filter { $0.action != .modified || $0.id != $0.oldID }) { json, change in
                var members: [(String, (inout JSONText) -> Void)] = [
                    ("path", { $0.string(change.path) }), ("sha", { $0.string(change.id.hex) }),
                    ("action", { $0.string(change.action.rawValue) }),
                ]
                if let path = change.oldPath { members.append(("old_path", { $0.string(path) })) }
                if let similarity = change.similarity { members.append(("similarity", { $0.raw(String(similarity)) })) }
                json.object(members)
            }
        }
    }

    /// `{"base_commit","target_head","outdated"}`; a change that begins with nothing has zeros for its base.
    func updateStatus(_ link: [UInt8]) async throws -> Response {
        guard let changelist = try await self.find(link) else { return self.absent(link) }
        let head = try await self.store.commitID(of: "HEAD")
        let nothing = String(repeating: "0", count: 40)
        return Responses.envelope { json in
            json.object([
                ("base_commit", { $0.string(changelist.base?.hex ?? nothing) }),
                ("target_head", { $0.string(head?.hex ?? nothing) }),
                ("outdated", { $0.raw(changelist.base == head ? "false" : "true") }),
            ])
        }
    }

    /// All of it: commits, trees, the time, and of each file its mode and size. Paths are percent-encoded, so that their bytes arrive.
    func complete(_ name: [UInt8]) async throws -> Response {
        guard let changelist = try await self.find(name) else {
            return Responses.failure(
                .notFound, code: "not-found", "there is no changelist \(String(decoding: name, as: UTF8.self))")
        }
        let changes = try await self.store.changes(from: changelist.baseTree, to: changelist.tipTree)
        let present = changes.filter { $0.action != .deleted && $0.mode.hasBlob }
        let sizes = try await self.store.blobSizes(present.map(\.id))
        let known = Dictionary(zip(present.map(\.id), sizes), uniquingKeysWith: { first, _ in first })
        var json = JSONText()
        json.object([
            ("base", { json in changelist.base.map { json.string($0.hex) } ?? json.raw("null") }),
            ("base_tree", { $0.string(changelist.baseTree.hex) }),
            ("tip", { $0.string(changelist.tip.hex) }),
            ("tip_tree", { $0.string(changelist.tipTree.hex) }),
            ("time", { $0.raw(String(changelist.time)) }),
            ("shares_history", { $0.raw(changelist.sharesHistory ? "true" : "false") }),
            (
                "files",
                { json in
                    json.array(changes) { json, change in
                        let size = change.action == .deleted ? nil : known[change.id]
                        json.object(Self.members(of: change, size: size == ObjectFrame.noSize ? nil : size))
                    }
                }
            ),
        ])
        var response = Responses.json(json)
        response.headers[.cacheControl] = "no-cache"
        return response
    }

    private static func members(
        of change: ChangedFile, size: UInt64?
    ) -> [(String, (inout JSONText) -> Void)] {
        var members: [(String, (inout JSONText) -> Void)] = [
            ("path", { $0.string(RequestTarget.encode(change.path)) }),
            ("action", { $0.string(change.action.rawValue) }),
            ("id", { $0.string(change.id.hex) }),
            ("mode", { $0.string(change.mode.octal) }),
        ]
        if let size { members.append(("size", { $0.raw(String(size)) })) }
        if let path = change.oldPath { members.append(("old_path", { $0.string(RequestTarget.encode(path)) })) }
        if let similarity = change.similarity { members.append(("similarity", { $0.raw(String(similarity)) })) }
        return members
    }

    private func find(_ name: [UInt8]) async throws(OriginError) -> Changelist? {
        guard let text = String(validating: name, as: UTF8.self), let name = RevisionName(text) else { return nil }
        return try await self.catalog.changelist(name)
    }

    /// What the published server says.
    private func absent(_ link: [UInt8]) -> Response {
        Responses.envelopeFailure(.notFound, "Not Found error: CL \(String(decoding: link, as: UTF8.self)) not found")
    }
}
