import CacheProtocol
import FoundationEssentials
import GitHashing
import GitObjects

/// What `antares-origin` answers at its extensions.
enum AntaresReplies {
    private struct Commit: Decodable {
        var commit: String
        var tree: String
        var time: Int64
    }

    /// `{"commit": hex, "tree": hex, "time": seconds after 1970}`.
    static func commit(_ body: [UInt8]) throws(CacheError) -> ResolvedCommit {
        guard let reply = try? JSONDecoder().decode(Commit.self, from: Data(body)),
            let commit = ObjectID(hex: reply.commit), let tree = ObjectID(hex: reply.tree)
        else { throw CacheError(.corrupt, "the origin's answer for a commit cannot be read") }
        return ResolvedCommit(commit: commit, record: SnapshotRecord(root: tree, time: reply.time))
    }

    /// A tree frame, checked against the id, as entries; `known` gives sizes the frame has not.
    static func tree(
        _ body: [UInt8], id: ObjectID, known: (ObjectID) -> UInt64?
    ) throws(CacheError) -> [DirectoryPacker.Item] {
        let (payload, sizes) = try frame(body, id: id)
        let found = ObjectID.hash(tree: payload, kind: id.kind)
        guard found == id else { throw CacheError(.corrupt, "the origin sent a tree for \(id) whose id is \(found)") }
        let entries: [TreeEntry]
        do throws(GitObjectError) {
            entries = try TreeParser.entries(of: payload, kind: id.kind)
        } catch {
            // The bytes are the ones asked for, so it is the tree itself that is wrong.
            throw CacheError(.refused, "tree \(id): \(error)")
        }
        guard entries.count == sizes.count else {
            throw CacheError(
                .corrupt, "the origin sent \(sizes.count) sizes for \(entries.count) entries of tree \(id)")
        }
        return zip(entries, sizes).map { entry, size in
            var packed = PackedEntry(mode: entry.mode, id: entry.id, size: 0)
            if entry.mode.hasBlob {
                if let size = size == ObjectFrame.noSize ? known(entry.id) : size {
                    packed.size = size
                } else {
                    packed.flags = .sizeUnknown
                }
            }
            return DirectoryPacker.Item(name: entry.name, entry: packed)
        }
    }

    private static func frame(
        _ body: [UInt8], id: ObjectID
    ) throws(CacheError) -> (payload: [UInt8], sizes: [UInt64]) {
        var decoder = ObjectFrameDecoder()
        var tree: (payload: [UInt8], sizes: [UInt64])?
        let failure: CacheError? = body.withUnsafeBytes { bytes in
            var rest = bytes
            do throws(ObjectFrameError) {
                while let event = try decoder.next(&rest) {
                    switch event {
                    case .tree(let found, let payload, let sizes) where found == id && tree == nil:
                        tree = (payload, sizes)
                    case .missing:
                        return CacheError(.corrupt, "the origin has no tree \(id), though a commit or tree names it")
                    case .end:
                        continue
                    default:
                        return CacheError(.corrupt, "the origin sent something else than tree \(id)")
                    }
                }
                return nil
            } catch {
                return CacheError(.corrupt, "the origin's answer for tree \(id): \(error)")
            }
        }
        if let failure { throw failure }
        guard let tree, decoder.isComplete else {
            throw CacheError(.corrupt, "the origin's answer for tree \(id) is cut off")
        }
        return tree
    }
}
