import LinuxSystem
import Testing

/// A job that reads files of a mount again and again, past the page cache, until it is told to stop.
final class ReadingJob: Sendable {
    private let process: ChildProcess
    private let errors: CapturedErrors
    private let stop: String
    private let rounds: String

    private final class CapturedErrors: Sendable {
        let output: CapturedOutput

        init() throws {
            output = try CapturedOutput()
        }
    }

    /// Reads everything in `mount`, in a container where that has it.
    init(_ farm: Farm, _ mount: Farm.Mount, in container: Container? = nil) throws {
        stop = "\(farm.directory)/stop-\(mount.id)"
        rounds = "\(farm.directory)/rounds-\(mount.id)"
        errors = try CapturedErrors()
        // `nocache` has the kernel forget the pages again (posix_fadvise(2)), so that the next round asks the worker.
        let script = """
            while [[ ! -e '\(stop)' ]]; do
                for file in README.md src/name src/deep/down/leaf lib/* many/file*5; do
                    dd if="$file" of=/dev/null iflag=nocache status=none
                    [[ ! -e '\(stop)' ]] || break
                done
                echo >> '\(rounds)'
            done
            """
        if let container {
            process = try container.start("cd '\(container.path(of: mount))'\n\(script)", errors: errors.output.raw)
        } else {
            process = try Program.start(
                "/bin/bash", ["-euc", script], errors: errors.output.raw, directory: mount.path)
        }
    }

    /// Waits until it has read something to the end once more: it goes on.
    func waitForRounds(_ count: Int) throws {
        let begin = try completed()
        let deadline = Deadline.after(.seconds(60))
        while try completed() < begin + count {
            if process.waitForEnd(until: .after(.milliseconds(10))) {
                throw Trouble("the job ended: \(try errors.output.text())")
            }
            if deadline.hasPassed { throw Trouble("the job does not go on: \(try errors.output.text())") }
        }
    }

    /// Has it stop, and expects that nothing ever went wrong.
    func finish(_ comment: Comment? = nil) throws {
        try Program.shell("touch '\(stop)'")
        #expect(process.waitForEnd(until: .after(.seconds(60))), comment)
        let complaint = try errors.output.text()
        #expect(complaint == "", comment)
        #expect(process.reap() == .code(0), comment)
    }

    /// Waits for its end, with an error; what it said.
    func failure() throws -> String {
        guard process.waitForEnd(until: .after(.seconds(30))) else { throw Trouble("the job goes on") }
        #expect(process.reap() != .code(0))
        return try errors.output.text()
    }

    private func completed() throws -> Int {
        ((try? File.contents(rounds)) ?? []).count
    }
}
