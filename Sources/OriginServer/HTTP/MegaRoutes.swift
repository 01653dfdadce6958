import GitObjects
import Hummingbird
import NIOCore

/// The published Mega API by path. Its surprises are kept: a missing directory is an empty one, an unknown commit is a 500.
struct MegaRoutes: Sendable {
    let store: ObjectStore
    let listing: Listing

    private var walk: TreeWalk { TreeWalk(store: self.store) }

    /// An answer decided early.
    private struct Refusal: Error {
        let response: Response
    }

    func respond(_ route: Route, _ target: RequestTarget) async throws -> Response {
        do {
            let path = MonorepoPath(try target.parameter("path") ?? [])
            switch route {
            case .contentHash: return try await self.contentHash(path, target)
            case .dirHash: return try await self.dirHash(path, target)
            case .fileTree: return try await self.fileTree(path, target)
            case .latestCommit: return try await self.latestCommit(path, target)
            default: return try await self.tree(path, target)
            }
        } catch let duplicate as RequestTarget.Duplicate {
            return Responses.text(
                "Failed to deserialize query string: duplicate field `\(duplicate.name)`", status: .badRequest)
        } catch let refusal as Refusal {
            return refusal.response
        }
    }

    /// The commit to answer from: HEAD, or what `refs` names: 40 digits of a commit, or a tag.
    private func commit(_ target: RequestTarget) async throws -> (ObjectID, Commit) {
        let refs = String(decoding: try target.parameter("refs") ?? [], as: UTF8.self)
        var id: ObjectID?
        if refs.isEmpty {
            id = try await self.store.commitID(of: "HEAD")
        } else if let named = ObjectID(hex: refs), named.kind == .sha1 {
            id = named
        } else if let name = RevisionName(refs), !refs.hasPrefix("refs/") {
            id = try await self.store.commitID(of: "refs/tags/\(name.text)")
        }
        guard let id, let commit = try await self.store.commit(id) else {
            throw Refusal(response: Responses.envelopeFailure(.internalServerError, ""))
        }
        return (id, commit)
    }

    private func contentHash(_ path: MonorepoPath, _ target: RequestTarget) async throws -> Response {
        let root = try await self.commit(target).1.tree
        let entries = try await self.walk.entries(at: path, root: root) ?? []
        return Responses.envelope { json in
            json.array(self.listing.sorted(entries)) { self.listing.write($1, to: &$0) }
        }
    }

    /// No entry or one: the directory at `path` as its parent lists it. The root has no parent.
    private func dirHash(_ path: MonorepoPath, _ target: RequestTarget) async throws -> Response {
        let root = try await self.commit(target).1.tree
        var found: [TreeEntry] = []
        if !path.isRoot, let entry = try await self.walk.entry(at: path, root: root), entry.mode == .directory {
            found = [entry]
        }
        return Responses.envelope { json in
            json.array(found) { self.listing.write($1, to: &$0) }
        }
    }

    /// The raw tree at HEAD. `oid` is a guard: another id, like a path that is not there, gives no bytes.
    private func fileTree(_ path: MonorepoPath, _ target: RequestTarget) async throws -> Response {
        guard let head = try await self.store.commitID(of: "HEAD"), let commit = try await self.store.commit(head)
        else {
            return Responses.envelopeFailure(.internalServerError, "")
        }
        let expected = String(decoding: try target.parameter("oid") ?? [], as: UTF8.self)
        var bytes: [UInt8] = []
        if let entry = try await self.walk.entry(at: path, root: commit.tree), entry.mode == .directory,
            expected.isEmpty || expected.lowercased() == self.listing.treeOID(entry.id).hex,
            let payload = try await self.store.tree(entry.id)
        {
            do {
                bytes = try self.listing.treeBytes(payload)
            } catch {
                throw OriginError(.objectDamaged, "tree \(entry.id) is not readable: \(error)")
            }
        }
        var response = Responses.bytes(ByteBuffer(bytes: bytes), type: "application/octet-stream")
        response.headers[.contentDisposition] = "inline; filename=\"\""
        return response
    }

    private func latestCommit(_ path: MonorepoPath, _ target: RequestTarget) async throws -> Response {
        let start = try await self.commit(target).0
        guard let (id, commit) = try await self.walk.lastChange(of: path, from: start) else {
            return Responses.envelopeFailure(.notFound, "File not found")
        }
        var json = JSONText()
        json.object([
            ("oid", { $0.string(id.hex) }),
            ("date", { $0.string(String(commit.time)) }),
            ("short_message", { $0.string(commit.summary) }),
            ("author", { $0.string(commit.author) }),
            ("committer", { $0.string(commit.committer) }),
            ("status", { $0.string("success") }),
        ])
        return Responses.json(json)
    }

    /// The listing without hashes: of the directory, and of each one above it by path.
    private func tree(_ path: MonorepoPath, _ target: RequestTarget) async throws -> Response {
        let root = try await self.commit(target).1.tree
        let entries = try await self.walk.entries(at: path, root: root) ?? []
        var above: [(path: MonorepoPath, entries: [TreeEntry])] = []
        for depth in 0..<path.names.count {
            let ancestor = MonorepoPath(names: Array(path.names.prefix(depth)))
            above.append((ancestor, try await self.walk.entries(at: ancestor, root: root) ?? []))
        }
        return Responses.envelope { json in
            json.object([
                (
                    "file_tree",
                    { json in
                        json.object(
                            above.map { ancestor in
                                (
                                    String(decoding: ancestor.path.absolute, as: UTF8.self),
                                    { json in
                                        json.object([
                                            (
                                                "tree_items",
                                                { self.items(ancestor.entries, of: ancestor.path, to: &$0) }
                                            ),
                                            ("total_count", { $0.raw(String(ancestor.entries.count)) }),
                                        ])
                                    }
                                )
                            })
                    }
                ), ("tree_items", { self.items(entries, of: path, to: &$0) }),
            ])
        }
    }

    private func items(_ entries: [TreeEntry], of directory: MonorepoPath, to json: inout JSONText) {
        json.array(entries) { json, entry in
            json.object([
                ("name", { $0.string(entry.name) }),
                ("path", { $0.string(MonorepoPath(names: directory.names + [entry.name]).absolute) }),
                ("content_type", { $0.string(self.listing.contentType(entry)) }),
            ])
        }
    }
}
