import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// Mounts of a commit with a changelist on top.
    @Suite struct ChangelistTests {
        /// The branch `change` is a changelist of `main`: with files that come, change, go, move, change their mode and their type.
        private static func changed(in directory: String) throws -> Repository {
            let text = (0..<30).map { "line \($0)\n" }.joined()
            let common: [(String, Repository.Content)] = [
                ("lib/kept", .file("kept\n")), ("top", .file("top\n")), ("src/kept.c", .file("int kept;\n")),
            ]
            let repository = try Repository(
                in: directory,
                common + [
                    ("src/edited.c", .file("int old;\n")), ("src/run", .program("#!/bin/sh\necho old\n")),
                    ("src/moved.c", .file(text)), ("src/gone.c", .file("gone\n")), ("only/one/file", .file("1\n")),
                    ("was-file", .file("file\n")), ("was-directory/a", .file("a\n")), ("mode", .file("mode\n")),
                    ("link", .link("top")),
                ])
            try repository.git("update-ref", "refs/heads/change", "refs/heads/main")
            try repository.commit(
                common + [
                    ("src/edited.c", .file("int new;\n")), ("src/run", .program("#!/bin/sh\necho new\n")),
                    ("lib/deep/moved.c", .file(text + "more\n")), ("src/fresh", .program("#!/bin/sh\necho fresh\n")),
                    ("was-file/inside", .file("inside\n")), ("was-directory", .file("now a file\n")),
                    ("mode", .program("mode\n")), ("link", .link("lib")), ("odd \u{e4}&%41", .file("odd\n")),
                ], branch: "change")
            try repository.git("update-ref", "refs/cl/CHANGE01", "refs/heads/change")
            return repository
        }

        private func compare(_ mount: Farm.Mount, _ worktree: String) throws {
            let script = "python3 '\(Sources.root)/scripts/lib/compare-trees.py' '\(mount.path)' '\(worktree)'"
            let times = "\(Repository.time) --changed"
            try Program.shell("\(script) \(times) >&2", limit: .seconds(120))
        }

        @Test(arguments: Form.allCases) func theMountIsTheTip(form: Form) throws {
            let options = Farm.Options(form: form, awaitsImage: false)
            try Farm.run({ try Self.changed(in: $0) }, options) { farm, repository in
                let (base, tip) = (try repository.head(), try repository.head("change"))
                let worktree = try repository.worktree(tip)
                let mount = try farm.mount("m", ["cl": "CHANGE01"])
                let status = try farm.status(mount)
                #expect(status["cl"] == "CHANGE01" && status["cl_path"] == "/" && status["base"] == "head")
                #expect(status["commit"] == .string(base))
                let tree = try repository.git("rev-parse", "\(tip)^{tree}").filter { !$0.isWhitespace }
                #expect(status["cl_tree"].text == tree)
                try compare(mount, worktree)
                if form == .sealed {
                    // The second mount finds the image that the first one asked for.
                    var sealed = mount
                    let deadline = Deadline.after(.seconds(30))
                    for number in 0... {
                        sealed = try farm.mount("sealed \(number)", ["cl": "CHANGE01"])
                        if try farm.status(sealed)["lower"] == "sealed" { break }
                        try #require(!deadline.hasPassed, "never sealed")
                        try farm.unmount(sealed)
                        _ = poll(nil, 0, 50)
                    }
                    try compare(sealed, worktree)
                    try expectTimes(sealed)
                }
                try expectTimes(mount)
                try Program.shell("echo x >>src/edited.c; rm -r lib; mv src moved", in: mount.path)
                let other = try farm.mount("other", ["cl": "CHANGE01"])
                try compare(other, worktree)
            }
        }

        /// What differs from the commit is newer than what does not, for make(1) and everybody else.
        private func expectTimes(_ mount: Farm.Mount) throws {
            func time(_ name: String) throws -> Int {
                try Int(Program.shell("stat -c %Y '\(name)'", in: mount.path).filter(\.isNumber)) ?? 0
            }
            for name in ["top", "lib/kept", "src/kept.c"] { #expect(try time(name) == Repository.time, "\(name)") }
            for name in [
                "src/edited.c", "src/run", "lib/deep/moved.c", "src/fresh", "was-file/inside", "was-directory", "mode",
                "src", "lib/deep",
            ] {
                #expect(try time(name) == Repository.time + 1, "\(name)")
            }
            let link = try Program.shell("stat -c %Y link", in: mount.path)
            #expect(link == "\(Repository.time + 1)\n")
        }

        /// Commits as they come: nothing about them was thought of beforehand.
        @Test(arguments: [false, true]) func anyChangeIsItsTip(strictMega: Bool) throws {
            try Farm.run(
                { try Repository(in: $0, [("seed", .file("x"))]) },
                Farm.Options(strictMega: strictMega, limit: .seconds(300))
            ) { farm, repository in
                var pairs = CommitPairs(seed: 11, plain: strictMega)
                for number in 0..<12 {
                    let (base, tip) = pairs.next()
                    try repository.commit(base)
                    try repository.git("update-ref", "refs/heads/change", "refs/heads/main")
                    try repository.commit(tip, branch: "change")
                    try repository.git("update-ref", "refs/cl/P\(number)", "refs/heads/change")
                    let mount = try farm.mount("\(number)", ["cl": .string("P\(number)"), "cl_path": "/"])
                    try compare(mount, try repository.worktree(try repository.head("change")))
                    try farm.unmount(mount)
                }
            }
        }

        @Test func placesAndBases() throws {
            try Farm.run({ try Self.changed(in: $0) }) { farm, repository in
                let base = try repository.head()
                let tip = try repository.head("change")
                let worktree = try repository.worktree(tip)
                let src = try farm.mount("src", ["cl": "CHANGE01", "path": "/src"])
                try compare(src, worktree + "/src")
                // A directory that only the change has.
                let deep = try farm.mount("deep", ["cl": "CHANGE01", "path": "/lib/deep"])
                try compare(deep, worktree + "/lib/deep")
                // The head goes on; the changelist's own base stays.
                try repository.commit([("later", .file("later\n")), ("top", .file("later top\n"))])
                let later = try repository.head()
                let own = try farm.mount("own", ["cl": "CHANGE01", "base": "cl"])
                let shown = try farm.status(own)
                #expect(shown["commit"] == .string(base) && shown["base"] == "cl")
                try compare(own, worktree)
                let pinned = try farm.mount("pinned", ["cl": "CHANGE01", "rev": .string(base)])
                #expect(try farm.status(pinned)["base"] == "rev")
                try compare(pinned, worktree)
                // On a head without what it changes: what it puts is there, what it takes away need not be.
                let moved = try farm.mount("moved", ["cl": "CHANGE01"])
                #expect(try farm.status(moved)["commit"] == .string(later))
                #expect(try File.text(moved.path + "/later") == "later\n")
                #expect(try File.text(moved.path + "/src/edited.c") == "int new;\n")
            }
        }

        @Test func requestsThatCannotBeMet() throws {
            try Farm.run({ try Self.changed(in: $0) }) { farm, repository in
                func refused(_ body: [String: JSON]) throws -> String {
                    var all: [String: JSON] = ["path": "/"]
                    all.merge(body) { $1 }
                    let answer = try farm.api.post("/mounts", .object(all))
                    return "\(answer.status) \(answer.body["code"].text ?? "")"
                }
                #expect(try refused(["cl": "NONE"]) == "404 CHANGELIST_NOT_FOUND")
                #expect(try refused(["cl": "CHANGE01", "path": "/only"]) == "404 PATH_NOT_FOUND")
                #expect(
                    try refused(["cl": "CHANGE01", "cl_path": "/elsewhere", "path": "/src"]) == "400 INVALID_REQUEST")
                #expect(try refused(["cl": "CHANGE01", "cl_path": "/../x"]) == "400 INVALID_REQUEST")
                #expect(try refused(["cl": "CHANGE01", "base": "head"]) == "400 BAD_PAYLOAD")
                #expect(try refused(["cl": "CHANGE01", "base": "cl", "rev": "main"]) == "400 INVALID_REQUEST")
                #expect(try refused(["cl_path": "/"]) == "400 BAD_PAYLOAD")
                #expect(try refused(["cl": "CHANGE01", "rev": "none"]) == "404 REVISION_NOT_FOUND")
                // The change takes `was-file` away to put a directory there; a head that has made it a directory does not fit.
                try repository.commit([("was-directory/a", .file("a\n")), ("was-directory/b", .file("b\n"))])
                #expect(try refused(["cl": "CHANGE01"]) == "409 CHANGELIST_CONFLICT")
                #expect(try farm.mounts().count == 1)
            }
        }

        @Test func theSameJobAndTheNextSupervisorKeepIt() throws {
            try Farm.run({ try Self.changed(in: $0) }, Farm.Options(onStop: "keep")) { farm, repository in
                let worktree = try repository.worktree(try repository.head("change"))
                let mount = try farm.mount("m", ["cl": "CHANGE01"])
                #expect(try farm.mount("m", ["cl": "CHANGE01"]).id == mount.id)
                let other = try farm.api.post("/mounts", ["path": "/", "job_id": "m"])
                #expect(other.status == 409 && other.body["code"] == "CONFLICT")
                let before = try farm.status(mount)
                try farm.killSupervisor()
                try farm.startSupervisor()
                let after = try farm.status(mount)
                for field in ["cl", "cl_path", "cl_tree", "cl_files", "base", "commit"] {
                    #expect(after[field] == before[field], "\(field)")
                }
                try farm.signalWorker(mount, SIGKILL)
                try farm.wait(for: mount, "a new worker") { $0["worker"]["restarts"].number == 1 }
                try compare(mount, worktree)
                try expectTimes(mount)
                #expect(try farm.mount("m", ["cl": "CHANGE01"]).id == mount.id)
                try farm.unmount(mount)
            }
        }

        @Test func theCommandsTakeThem() throws {
            try Farm.run({ try Self.changed(in: $0) }) { farm, repository in
                let run = try farm.antares(
                    "run", "--cl", "CHANGE01", "--base", "cl", "--", "sh", "-c",
                    "cat src/edited.c; ./src/fresh; echo $ANTARES_CL")
                #expect(run.succeeded && run.output == "int new;\nfresh\nCHANGE01\n", "\(run)")
                let mount = try farm.antares("mount", "job", "--cl", "CHANGE01", "--cl-path", "/", "--path", "/src")
                #expect(mount.succeeded)
                let status = try farm.antares("status", "job")
                #expect(status.output.contains("CHANGE01 at /, on head"))
                #expect(try farm.antares("mount", "--cl", "NONE").status == .code(5))
                #expect(try farm.antares("umount", "job").succeeded)
            }
        }
    }
}
