import CacheProtocol
import FoundationEssentials
import GitObjects

extension AntaresReplies {
    private struct Answer: Decodable {
        struct File: Decodable {
            var path: String
            var action: String
            var id: String
            var mode: String
            var size: UInt64?
            var oldPath: String?

            enum CodingKeys: String, CodingKey {
                case path, action, id, mode, size
                case oldPath = "old_path"
            }
        }
        var base: String?
        var tip: String
        var tree: String
        var time: Int64
        var shares: Bool?
        var files: [File]

        enum CodingKeys: String, CodingKey {
            case base, tip, time, files
            case tree = "tip_tree"
            case shares = "shares_history"
        }
    }

    /// The answer of `changelists/{name}`.
    static func changelist(_ body: [UInt8], _ name: String) throws(CacheError) -> Changelist {
        guard let answer = try? JSONDecoder().decode(Answer.self, from: Data(body)),
            let tip = ObjectID(hex: answer.tip), let tree = ObjectID(hex: answer.tree)
        else { throw CacheError(.corrupt, "the origin's answer for changelist \(name) cannot be read") }
        var base = Changelist.Base.empty
        if let text = answer.base {
            guard let commit = ObjectID(hex: text) else { throw malformed(text, name) }
            base = .commit(commit)
        }
        var files: [ChangedFile] = []
        files.reserveCapacity(answer.files.count)
        for file in answer.files {
            guard let id = ObjectID(hex: file.id) else { throw malformed(file.id, name) }
            guard let mode = FileMode(octal: Array(file.mode.utf8)), mode != .directory else {
                throw malformed(file.mode, name)
            }
            guard let path = PercentEncoding.decode(file.path) else { throw malformed(file.path, name) }
            var old: [UInt8]?
            if let text = file.oldPath {
                old = PercentEncoding.decode(text)
                if old == nil { throw malformed(text, name) }
            }
            files += try ChangedFile.files(
                action: file.action, path: path, old: old, of: name,
                ChangedFile.Put(id: id, mode: mode, size: file.size)
            )
        }
        return Changelist(
            base: base, tip: Changelist.Tip(commit: tip, tree: tree, time: answer.time),
            sharesHistory: answer.shares ?? false, files: files)
    }

    private static func malformed(_ text: String, _ name: String) -> CacheError {
        CacheError(.corrupt, "changelist \(name) has an entry that cannot be read: \"\(text.prefix(80))\"")
    }
}
