import CacheProtocol
import Foundation
import GitHashing
import GitObjects
import LinuxSystem
import Testing

@testable import Dicfuse

/// Stores in which another user has been at work. Only root can make them.
@Suite(
    "Owner and files of other users",
    .enabled(if: getuid() == 0 && ProcessInfo.processInfo.environment["ANTARES_SANITIZE"] == nil),
    .timeLimit(.minutes(2)))
struct PermissionTests {
    private static let user: UInt32 = 12345

    let library: Library
    let configuration: CacheConfiguration

    /// A store of the user's, which has all of the library.
    init() throws {
        library = try Library(sizes: (0..<16).map { 1000 + $0 * 4000 })
        configuration = .test(library.world.cache, library.world.origin.url)
        try #require(chown(library.world.cache, Self.user, Self.user) == 0)
        let owner = try OwnerProcess(configuration, user: Self.user)
        try #require(owner.linesUntilReady().last == "info event=ready")
        let control = try owner.connect()
        let worker = try control.attach("main")
        _ = try worker.ask(.hello(oldest: 1, newest: 1))
        try #require(try library.wrong(worker, try library.root(control)) == [])
        try #require(try control.ask(.shutDown) == .shuttingDown)
        try #require(owner.end() == .code(0))
    }

    @Test(
        "What another user made in the store is named at the start, with what to do",
        arguments: [
            "lock", "main", "main/layer", "main/layer/.GIT", "main/layer/.GIT/7f",
            "main/inbox/.GIT/00", "main/incoming", "main/quarantine", "main/index",
            "main/index/data.mdb", "main/index/lock.mdb",
        ])
    func foreign(_ name: String) throws {
        let path = library.world.cache + "/" + name
        try #require(lchown(path, 0, 0) == 0)
        let owner = try OwnerProcess(configuration, user: Self.user)
        let lines = owner.linesUntilReady()
        #expect(owner.end() == .code(4))
        let message = try #require(lines.first { $0.hasPrefix("error event=store") })
        #expect(message.contains("\(path) belongs to user 0"))
        #expect(message.contains("runs as user \(Self.user)"))
        #expect(message.contains("chown -R \(Self.user) \(path)"))
        // What it says helps.
        try #require(lchown(path, Self.user, Self.user) == 0)
        let next = try OwnerProcess(configuration, user: Self.user)
        #expect(next.linesUntilReady().last == "info event=ready")
    }

    @Test(
        "A directory or an index that cannot be written is named at the start, with what to do",
        arguments: [
            ("", 0o500), ("main", 0o500), ("main/layer", 0o600), ("main/layer/.GIT/00", 0o555),
            ("main/incoming", 0o000),
            ("main/index", 0o555), ("main/index/data.mdb", 0o400),
        ] as [(String, UInt32)])
    func closed(_ name: String, _ mode: UInt32) throws {
        let path = name.isEmpty ? library.world.cache : library.world.cache + "/" + name
        try #require(chmod(path, mode) == 0)
        let owner = try OwnerProcess(configuration, user: Self.user)
        let lines = owner.linesUntilReady()
        #expect(owner.end() == .code(4))
        let message = try #require(lines.first { $0.hasPrefix("error event=store") })
        #expect(message.contains("\(path) has mode \(String(mode, radix: 8))"), "\(message)")
        #expect(message.contains("chmod u+rw"))
    }

    @Test("An object that cannot be read is named when it is asked for, set aside and fetched again")
    func object() throws {
        let foreign = library.id("d0/f3")
        let closed = library.id("d1/f12")
        try #require(lchown(library.object(foreign), 0, 0) == 0 && chmod(library.object(foreign), 0o400) == 0)
        try #require(chmod(library.object(closed), 0o200) == 0)
        let owner = try OwnerProcess(configuration, user: Self.user)
        #expect(owner.linesUntilReady().last == "info event=ready")
        let control = try owner.connect()
        let worker = try control.attach("main")
        _ = try worker.ask(.hello(oldest: 1, newest: 1))
        #expect(try library.wrong(worker, try library.root(control)) == [])
        #expect(try control.report().origins[0].quarantined == 2)
        #expect(try control.ask(.shutDown) == .shuttingDown)
        var lines: [String] = []
        while let line = owner.line() { lines.append(line) }
        #expect(owner.end() == .code(0))
        let said = lines.filter { $0.contains("event=object-damaged") }
        #expect(
            said.contains { $0.contains("\(library.object(foreign)) belongs to user 0") && $0.contains("chown -R") })
        #expect(said.contains { $0.contains("\(library.object(closed)) has mode 200") && $0.contains("chmod u+r") })
        #expect(said.count == 2)
    }
}
