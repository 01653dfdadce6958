import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    @Suite struct OriginFaultTests {
        @Test func anUnreachableOriginIsSaidToBe() throws {
            // Port 1 of the loopback: nobody listens there.
            try Farm.run(Repository.small, Farm.Options(originURL: "http://127.0.0.1:1", requestTimeout: "3s")) {
                farm, _ in
                let answer = try farm.api.post("/mounts", ["path": "/", "job_id": "x"])
                #expect(answer.status == 502 && answer.body["code"] == "ORIGIN_UNREACHABLE", "\(answer)")
                #expect(answer.body["error"].text?.contains("127.0.0.1:1") == true)
                let finished = try farm.antares("mount", "y")
                #expect(finished.status == .code(6) && finished.errors.contains("127.0.0.1:1"))
                #expect(try farm.api.get("/mounts").body["mounts"].elements == [])
            }
        }

        @Test func anOriginThatDoesNotAnswerIsGivenUpAfterTheDeadline() throws {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "1s")) { farm, _ in
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                let answer = try farm.api.request("POST", "/mounts", ["path": "/"], limit: .seconds(20))
                #expect([502, 504].contains(answer.status), "\(answer)")
                origin.signal(SIGCONT)
                // One that comes while the question of before is still being given up may hear the same.
                let deadline = Deadline.after(.seconds(20))
                var later = try farm.api.post("/mounts", ["path": "/", "job_id": "later"])
                while [502, 504].contains(later.status), !deadline.hasPassed {
                    later = try farm.api.post("/mounts", ["path": "/", "job_id": "later"])
                }
                #expect(later.status == 200, "\(later)")
            }
        }

        @Test(arguments: Form.allCases) func whatWasReadStaysReadableWithoutTheOrigin(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, repository in
                let commit = try repository.head()
                let worktree = try repository.worktree(commit)
                let old = try farm.mount("old", ["rev": .string(commit)])
                try Program.shell("diff -r --no-dereference --exclude=.git '\(old.path)' '\(worktree)'")
                try farm.stopOrigin()
                try Program.shell("diff -r --no-dereference --exclude=.git '\(old.path)' '\(worktree)'")
                let new = try farm.mount("new", ["rev": .string(commit)])
                try Program.shell("diff -r --no-dereference --exclude=.git '\(new.path)' '\(worktree)'")
            }
        }

        @Test(arguments: Form.allCases) func aFileThatCannotBeFetchedIsAnErrorAndNotAbsence(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "1s", form: form)) { farm, _ in
                let mount = try farm.mount("m")
                _ = try Directory.names(mount.path + "/many")
                try farm.stopOrigin()
                let error = systemError { _ = try File.contents(mount.path + "/many/file7") }
                #expect([.ioError, .timedOut].contains(error?.errno), "\(String(describing: error))")
                #expect(access(mount.path + "/no-such-file", F_OK) == -1 && Errno.current == .notFound)
                try farm.startOrigin()
                #expect(
                    try Program.shell(
                        "for i in $(seq 100); do cat '\(mount.path)/many/file7' && exit; sleep 0.1; done; exit 1"
                    ).hasPrefix("line 7\n"))
            }
        }

        @Test(arguments: Form.allCases) func aColdReadThatWaitsDelaysNobody(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(requestTimeout: "30s", form: form)) { farm, _ in
                let mount = try farm.mount("m")
                // Warm: the listings and two files. Dropped from the page cache, so that the worker is asked again. What stands beside them
                // may have come along.
                try Program.shell(
                    "cd '\(mount.path)' && ls -l many lib src && cat many/file1 many/file2")
                let origin = try ChildProcess(adopting: try #require(farm.originPID))
                try origin.stop()
                let output = try CapturedOutput()
                let slow = try Program.start("/bin/cat", [mount.path + "/lib/one"], output: output.raw)
                let doomed = try Program.start("/bin/cat", [mount.path + "/src/name"])
                // It has asked when the mount has requests that wait.
                try Program.shell(
                    """
                    for i in $(seq 100); do
                        '\(Program.built("antares"))' --json status m | grep -qE '"waiting":[2-9]' && exit; sleep 0.05
                    done; exit 1
                    """, environment: ["ANTARES_SOCKET=\(farm.api.socket)"])
                for name in ["file1", "file2"] {
                    let script =
                        "dd if='\(mount.path)/many/\(name)' iflag=nocache count=0 status=none; cat '\(mount.path)/many/\(name)'"
                    #expect(try Program.shell(script, limit: .seconds(10)).hasPrefix("line"))
                }
                #expect(try Program.shell("ls '\(mount.path)/many' | wc -l", limit: .seconds(10)) == "200\n")
                doomed.signal(SIGKILL)
                #expect(doomed.waitForEnd(until: .after(.seconds(10))), "a reader that is killed while it waits exits")
                #expect(doomed.reap() == .signal(SIGKILL))
                #expect(slow.reap() == nil, "the cold read still waits")
                origin.signal(SIGCONT)
                #expect(slow.waitForEnd(until: .after(.seconds(30))))
                #expect(slow.reap() == .code(0))
                #expect(try output.text().hasPrefix("1\n"))
            }
        }
    }
}

/// The error that a body throws, if it is the system's.
func systemError(_ body: () throws -> Void) -> SystemError? {
    do {
        try body()
        return nil
    } catch {
        return error as? SystemError
    }
}
