import CacheProtocol
import FoundationEssentials
import GitObjects

extension MegaReplies {
    private struct Files: Decodable {
        struct File: Decodable {
            var path: String
            var sha: String
            var action: String
            var oldPath: String?

            enum CodingKeys: String, CodingKey {
                case path, sha, action
                case oldPath = "old_path"
            }
        }
        var result: Bool
        var data: [File]?
        var message: String?

        enum CodingKeys: String, CodingKey {
            case data
            case result = "req_result"
            case message = "err_message"
        }
    }

    private struct UpdateStatus: Decodable {
        struct Status: Decodable {
            var base: String

            enum CodingKeys: String, CodingKey { case base = "base_commit" }
        }
        var data: Status?
    }

    /// The answer of `cl/{link}/files-list`. A renamed file is one that is taken away and one that is put.
    static func files(_ body: [UInt8], of name: String) throws(CacheError) -> [ChangedFile] {
        guard let envelope = try? JSONDecoder().decode(Files.self, from: Data(body)) else {
            throw CacheError(.corrupt, "the origin's list of changelist \(name) cannot be read")
        }
        guard envelope.result, let data = envelope.data else {
            throw CacheError(
                .unreachable,
                "the origin refused the list of changelist \(name): \(envelope.message ?? "no reason given")")
        }
        var files: [ChangedFile] = []
        files.reserveCapacity(data.count)
        for file in data {
            guard let id = ObjectID(hex: file.sha) else {
                throw CacheError(.corrupt, "changelist \(name) has the object id \"\(file.sha.prefix(80))\"")
            }
            files += try ChangedFile.files(
                action: file.action, path: Array(file.path.utf8), old: file.oldPath.map { Array($0.utf8) }, of: name,
                ChangedFile.Put(id: id))
        }
        return files
    }

    /// The answer of `cl/{link}/update-status`; zeros stand for nothing.
    static func base(_ body: [UInt8]) throws(CacheError) -> Changelist.Base? {
        guard let status = try? JSONDecoder().decode(UpdateStatus.self, from: Data(body)),
            let base = status.data?.base, let commit = ObjectID(hex: base)
        else { return nil }
        return base.allSatisfy { $0 == "0" } ? .empty : .commit(commit)
    }
}

extension ChangedFile {
    /// What a record of an origin means.
    static func files(
        action: String, path: [UInt8], old: [UInt8]?, of changelist: String, _ put: Put
    ) throws(CacheError) -> [ChangedFile] {
        let path = try components(path, changelist)
        var put = put
        switch action {
        case "new":
            return [ChangedFile(path: path, action: .put(put))]
        case "modified":
            put.before = path
            return [ChangedFile(path: path, action: .put(put))]
        case "deleted":
            return [ChangedFile(path: path, action: .delete)]
        case "renamed":
            guard let old else { throw CacheError(.corrupt, "changelist \(changelist) renames a file from nowhere") }
            put.before = try components(old, changelist)
            return [
                ChangedFile(path: put.before ?? [], action: .delete), ChangedFile(path: path, action: .put(put)),
            ]
        default:
            // To pass over it would show a tree that nobody made.
            throw CacheError(
                .corrupt, "changelist \(changelist) has the action \"\(action.prefix(40))\", which is not known here")
        }
    }
}
