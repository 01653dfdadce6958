import CacheProtocol
import GitHashing
import GitObjects
import Testing

@testable import Dicfuse

@Suite("Dialects")
struct DialectTests {
    private func error<Value>(_ body: () throws -> Value) -> CacheError.Code? {
        do {
            _ = try body()
            return nil
        } catch {
            return (error as? CacheError)?.code
        }
    }

    @Test("A listing: unknown keys and empty names are passed over, everything else must be right")
    func listing() throws {
        let hex = ObjectID.emptyBlobSHA1.hex
        let good = """
            {"req_result":true,"more":1,"data":[
              {"name":"a b","content_type":"file","oid":"\(hex)","size":3},
              {"name":"","content_type":"directory","oid":"\(hex)"},
              {"name":"d\\u00e4","content_type":"directory","oid":"\(hex)"}],"err_message":""}
            """
        let listed = try MegaReplies.listing(Array(good.utf8))
        #expect(listed.map(\.name) == [Array("a b".utf8), Array("dä".utf8)])
        #expect(listed.map(\.isDirectory) == [false, true])
        #expect(error { try MegaReplies.listing(Array("{}".utf8)) } == .corrupt)
        #expect(error { try MegaReplies.listing(Array("<html>".utf8)) } == .corrupt)
        let refused = #"{"req_result":false,"data":null,"err_message":"no"}"#
        #expect(error { try MegaReplies.listing(Array(refused.utf8)) } == .unreachable)
        let badID = good.replacing(hex, with: "xyz")
        #expect(error { try MegaReplies.listing(Array(badID.utf8)) } == .corrupt)
    }

    @Test("The latest commit has its date as text")
    func latestCommit() throws {
        let hex = ObjectID.emptyBlobSHA1.hex
        let reply = try MegaReplies.latestCommit(Array(#"{"oid":"\#(hex)","date":"1719900000"}"#.utf8))
        #expect(reply.commit == .emptyBlobSHA1)
        #expect(reply.time == 1_719_900_000)
        #expect(error { try MegaReplies.latestCommit(Array(#"{"oid":"\#(hex)","date":"soon"}"#.utf8)) } == .corrupt)
    }

    @Test("A path key depends on commit and path, and on nothing in between")
    func pathKeys() {
        let commit = ObjectID.emptyTreeSHA1
        let text = Array("antares-path\0\(commit.hex)\0/a".utf8)
        #expect(PathKey.of(commit: commit, path: Array("/a".utf8)).bytes == SHA256.digest(text))
        #expect(PathKey.of(commit: commit, path: Array("/a".utf8)).kind == .path)
        #expect(PathKey.child(of: [0x2F], [0x61]) == Array("/a".utf8))
        #expect(PathKey.child(of: Array("/a".utf8), [0x62]) == Array("/a/b".utf8))
        #expect(PathKey.components(Array("//a//b/".utf8)) == [[0x61], [0x62]])
    }

    @Test("Everything but unreserved characters is percent-encoded")
    func encoding() {
        let path = Array("/a b&c%41#+\"\u{e4}~._-".utf8) + [0xFF]
        #expect(
            PercentEncoding.encode(path, keepingSlashes: true) == "/a%20b%26c%2541%23%2B%22%C3%A4~._-%FF")
        #expect(PercentEncoding.encode("a/b".utf8, keepingSlashes: false) == "a%2Fb")
    }

    @Test("Programs are known by how they begin")
    func executables() {
        #expect(Executables.isExecutable(Array("#!/b".utf8)))
        #expect(Executables.isExecutable([0x7F, 0x45, 0x4C, 0x46]))
        #expect(!Executables.isExecutable([0x7F, 0x45, 0x4C]))
        #expect(!Executables.isExecutable([]))
    }
}
