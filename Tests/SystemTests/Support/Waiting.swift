import Glibc
import LinuxSystem

/// Looks again and again until the condition holds; throws after half a minute.
func until(_ what: String, _ condition: () throws -> Bool) throws {
    let deadline = Deadline.after(.seconds(30))
    while try !condition() {
        if deadline.hasPassed { throw Trouble("\(what): not in time") }
        _ = poll(nil, 0, 5)
    }
}
