import Glibc
import LinuxSystem

/// One job after another, each in a mount of its own, as a build farm's client does it: what the API could not do is asked again.
struct ChaosLane: Sendable {
    let number: Int
    let farm: Farm
    let project: ChaosProject
    /// What an undisturbed build left.
    let wanted: String
    let log: ChaosLog

    /// How long the API may need to do what it is asked, over all attempts.
    static let patience: Duration = .seconds(60)

    /// Builds until `deadline`, at least once; the number of builds that were right.
    func run(until deadline: Deadline) -> Int {
        var built = 0
        repeat {
            do {
                try build("lane\(number)-job\(built)")
                built += 1
            } catch {
                log.fail("lane \(number), build \(built): \(error)")
                return built
            }
        } while !deadline.hasPassed
        return built
    }

    private func build(_ job: String) throws {
        let began = Deadline.now
        let mount = try mount(job)
        let finished = try Program.run(
            "/bin/bash", ["-ec", project.command], directory: mount.path, limit: project.limit)
        guard finished.succeeded else {
            throw Trouble("\(job) in \(mount.path) ended with \(finished.status): \(finished.errors.suffix(2000))")
        }
        let digest = try Program.run(
            "/bin/bash", ["-euo", "pipefail", "-c", project.digest], directory: mount.path, limit: project.limit)
        guard digest.succeeded else { throw Trouble("\(job): \(digest.status): \(digest.errors.suffix(2000))") }
        guard digest.output == wanted else { throw Trouble("\(job): \(difference(digest.output))") }
        try unmount(mount, job)
        log.note("\(job) built in \(Deadline.now.since(began).nanoseconds / 1_000_000) ms")
    }

    private func mount(_ job: String) throws -> Farm.Mount {
        let body: JSON = ["path": "/", "job_id": .string(job)]
        return try patiently("mount \(job)") {
            let answer = try farm.api.post("/mounts", body)
            guard answer.status == 200, let id = answer.body["mount_id"].text,
                let path = answer.body["mountpoint"].text
            else { throw Refusal(status: answer.status, "\(answer.body)") }
            return Farm.Mount(id: id, path: path)
        }
    }

    private func unmount(_ mount: Farm.Mount, _ job: String) throws {
        var attempts = 0
        try patiently("unmount \(job)") {
            attempts += 1
            let answer = try farm.api.delete("/mounts/\(mount.id)")
            // A supervisor that died after it had taken the mount away told nobody.
            if answer.status == 404, attempts > 1 { return }
            guard answer.status == 200 else { throw Refusal(status: answer.status, "\(answer.body)") }
        }
        if try farm.mounts().contains(mount.path) { throw Trouble("\(job): \(mount.path) is there after the unmount") }
    }

    private struct Refusal: Error, CustomStringConvertible {
        let status: Int
        let description: String

        init(status: Int, _ text: String) {
            self.status = status
            description = "HTTP \(status): \(text)"
        }
    }

    /// A client may ask again after a lost connection, a failure of the service (5xx), or while its own earlier attempt is in progress (409).
    private func patiently<Result>(_ what: String, _ body: () throws -> Result) throws -> Result {
        let deadline = Deadline.after(Self.patience)
        while true {
            do {
                return try body()
            } catch {
                log.note("\(what) again: \(error)")
                if let refusal = error as? Refusal, refusal.status < 500, refusal.status != 409 { throw error }
                if deadline.hasPassed { throw Trouble("\(what): not done after \(Self.patience): \(error)") }
                _ = poll(nil, 0, 50)
            }
        }
    }

    private func difference(_ found: String) -> String {
        let old = Set(wanted.split(separator: "\n"))
        let new = Set(found.split(separator: "\n"))
        return
            "outputs differ: \(new.subtracting(old).sorted().prefix(5)) for \(old.subtracting(new).sorted().prefix(5))"
    }
}
