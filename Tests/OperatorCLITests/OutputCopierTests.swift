import Glibc
import LinuxSystem
import Testing

@testable import OperatorCLI

@Suite struct OutputCopierTests {
    private func withDirectories(_ body: (_ mount: String, _ target: String) throws -> Void) throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        try Directory.create(directory + "/mount")
        try Directory.create(directory + "/target")
        try body(directory + "/mount", directory + "/target")
    }

    private func write(_ path: String, _ text: String, mode: UInt32 = 0o644) throws {
        let slash = path.lastIndex(of: "/") ?? path.startIndex
        try Directory.create(String(path[..<slash]))
        try File.replace(path, with: Array(text.utf8), mode: mode)
        chmod(path, mode)
    }

    private func copy(_ outputs: [String], _ mount: String, _ target: String) throws -> [String] {
        try OutputCopier(mountpoint: mount, directory: target) { false }.copy(outputs.map { try OutputSpec($0) })
    }

    @Test func filesKeepTheirModeAndTime() throws {
        try withDirectories { mount, target in
            try write(mount + "/build/app", "binary", mode: 0o4755)
            var times = [timespec(tv_sec: 1000, tv_nsec: 5), timespec(tv_sec: 2000, tv_nsec: 7)]
            utimensat(AT_FDCWD, mount + "/build/app", &times, 0)
            #expect(try copy(["build/app", "build/app:dist/"], mount, target) == [])
            for path in ["/build/app", "/dist/app"] {
                #expect(try File.text(target + path) == "binary")
                var status = stat()
                stat(target + path, &status)
                #expect(status.st_mode & 0o7777 == 0o755)
                #expect(status.st_mtim.tv_sec == 2000 && status.st_mtim.tv_nsec == 7)
            }
        }
    }

    @Test func directoriesAreMerged() throws {
        try withDirectories { mount, target in
            try write(mount + "/out/a/new", "new")
            try write(mount + "/out/both", "mine")
            symlink("a/new", mount + "/out/link")
            symlink("/etc/passwd", mount + "/out/outside")
            let odd: [UInt8] = [0x6F, 0xFF, 0x0A, 0x64]
            let oddPath = Array((mount + "/out/").utf8) + odd + [0]
            close(
                oddPath.withUnsafeBufferPointer {
                    creat(UnsafeRawPointer($0.baseAddress!).assumingMemoryBound(to: CChar.self), 0o600)
                })
            try write(target + "/out/old", "old")
            try write(target + "/out/both", "theirs")
            #expect(try copy(["out"], mount, target) == [])
            #expect(try File.text(target + "/out/a/new") == "new")
            #expect(try File.text(target + "/out/both") == "mine")
            #expect(try File.text(target + "/out/old") == "old")
            var link = [CChar](repeating: 0, count: 64)
            #expect(readlink(target + "/out/link", &link, 63) == 5)
            // A link is copied as one, so what it points to stays where it is.
            #expect(readlink(target + "/out/outside", &link, 63) == 11)
            #expect(try Set(Directory.names(target + "/out")).contains(odd))
        }
    }

    @Test func linksDoNotLeadOut() throws {
        try withDirectories { mount, target in
            symlink("/etc/passwd", mount + "/absolute")
            symlink("../target", mount + "/relative")
            try write(mount + "/real/file", "inside")
            symlink("real", mount + "/inside")
            let problems = try copy(["absolute", "relative", "inside/file:x"], mount, target)
            #expect(problems.count == 2)
            #expect(problems.allSatisfy { $0.contains("is a link out of the mount") })
            #expect(try Directory.names(target) == [Array("x".utf8)])
        }
    }

    @Test func aLinkInThePlaceOfTheTargetIsReplaced() throws {
        try withDirectories { mount, target in
            try write(mount + "/f", "new")
            try write(target + "/victim", "untouched")
            symlink("victim", target + "/f")
            #expect(try copy(["f"], mount, target) == [])
            #expect(try File.text(target + "/victim") == "untouched")
            #expect(try File.text(target + "/f") == "new")
        }
    }

    @Test func whatIsMissingOrNoFileIsTold() throws {
        try withDirectories { mount, target in
            mkfifo(mount + "/pipe", 0o600)
            try write(mount + "/dir/f", "x")
            mkfifo(mount + "/dir/pipe", 0o600)
            #expect(
                try copy(["nothing", "pipe", "dir"], mount, target) == [
                    "output nothing is missing: the command did not make it",
                    "output pipe is no file, link or directory and was left out",
                    "output dir/pipe is no file, link or directory and was left out",
                ])
            #expect(try File.text(target + "/dir/f") == "x")
        }
    }

    @Test func aFileIsNotPutOverADirectory() throws {
        try withDirectories { mount, target in
            try write(mount + "/x", "file")
            try write(target + "/x/keep", "kept")
            let problems = try copy(["x"], mount, target)
            #expect(problems.count == 1 && problems[0].contains("Is a directory"))
            #expect(try File.text(target + "/x/keep") == "kept")
            #expect(try Directory.names(target).count == 1)
        }
    }

    @Test func aSignalEndsTheCopy() throws {
        try withDirectories { mount, target in
            try write(mount + "/x", "file")
            let problems = OutputCopier(mountpoint: mount, directory: target) { true }.copy([try OutputSpec("x")])
            #expect(problems == ["output x: interrupted"])
            #expect(try Directory.names(target).isEmpty)
        }
    }

    @Test func programsAreFoundAsAShellDoes() throws {
        try withDirectories { mount, target in
            try write(mount + "/bin/tool", "", mode: 0o755)
            try write(target + "/tool", "", mode: 0o644)
            func find(_ name: String, _ path: String) -> Result<String, CommandLookup.Failure> {
                Result { () throws(CommandLookup.Failure) in
                    try CommandLookup.find(name, directory: mount, path: path)
                }
            }
            #expect(find("tool", "\(target):\(mount)/bin") == .success(mount + "/bin/tool"))
            #expect(find("tool", target) == .failure(.notExecutable))
            #expect(find("tool", "bin::relative") == .failure(.notFound))
            #expect(find("bin/tool", "") == .success(mount + "/bin/tool"))
            #expect(find("./bin", "") == .failure(.notExecutable))
            #expect(find("bin/none", "") == .failure(.notFound))
        }
    }
}
