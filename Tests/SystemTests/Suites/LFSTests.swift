import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// Files of Git LFS in a job's tree.
    @Suite struct LFSTests {
        private static let size = 5_000_000

        /// A repository with a pointer as git-lfs(1) writes it, and the file that it stands for where git-lfs(1) keeps it.
        private static func make(_ directory: String) throws -> Repository {
            try Program.shell("head -c \(size) /dev/urandom >contents", in: directory)
            let digits = try Program.shell("sha256sum <contents", in: directory).prefix(64)
            let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:\(digits)\nsize \(size)\n"
            let repository = try Repository(
                in: directory,
                [
                    (".gitattributes", .file("*.bin filter=lfs diff=lfs merge=lfs -text\n")),
                    ("assets/model.bin", .file(pointer)), ("assets/tool.bin", .program(pointer)), ("plain", .file("x")),
                ])
            let kept = "\(repository.path)/lfs/objects/\(digits.prefix(2))/\(digits.dropFirst(2).prefix(2))"
            try Program.shell("mkdir -p '\(kept)' && cp contents '\(kept)/\(digits)'", in: directory)
            return repository
        }

        @Test(arguments: Form.allCases) func aPointerIsTheFileItStandsFor(form: Form) throws {
            try Farm.run(Self.make, Farm.Options(limit: .seconds(180), form: form, lfs: true)) { farm, _ in
                let contents = "\(farm.directory)/contents"
                let mount = try farm.mount("first")
                #expect(try FileStatus(of: mount.path + "/assets/model.bin").size == Self.size)
                #expect(try FileStatus(of: mount.path + "/assets/tool.bin").mode & 0o777 == 0o755)
                // From here on the worker is another one, and what it serves the same.
                try Program.shell("cmp assets/model.bin '\(contents)'", in: mount.path)
                try farm.signalWorker(mount, SIGKILL)
                try farm.evictObjects()
                let second = try farm.mount("second")
                for path in [mount.path, second.path] {
                    try Program.shell("cmp assets/tool.bin '\(contents)' && cat plain", in: path)
                }
                // The same bytes are no change; others are.
                try Program.shell(
                    "cp assets/model.bin x && mv x assets/model.bin && echo more >>assets/tool.bin", in: mount.path)
                let answer = try farm.antares("diff", mount.id)
                #expect(answer.output == "M assets/tool.bin\n")
                #expect(try farm.antares("diff", second.id).output == "")
                let metrics = try farm.api.get("/metrics", text: true)
                for series in ["fetches_total{kind=\"lfs_file\"}", "fetches_total{kind=\"lfs_question\"}"] {
                    #expect(!metrics.contains("antares_cache_\(series) 0\n") && metrics.contains(series), "\(series)")
                }
                #expect(metrics.contains("antares_cache_lfs_pointers_total 2\n"))
            }
        }

        @Test func aFileThatTheServerHasLostIsAnError() throws {
            try Farm.run(Self.make, Farm.Options(lfs: true)) { farm, repository in
                try Program.shell("rm -r '\(repository.path)/lfs'")
                let mount = try farm.mount("m")
                #expect(try FileStatus(of: mount.path + "/assets/model.bin").size == Self.size)
                let complaint = try Program.shell("cat assets/model.bin 2>&1 >/dev/null || true", in: mount.path)
                #expect(complaint.contains("Input/output error"))
                #expect(try Program.shell("cat plain", in: mount.path) == "x")
            }
        }
    }
}
