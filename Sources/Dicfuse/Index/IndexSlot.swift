import Glibc
import LinuxSystem

/// Where a store's index is: the environment in use, which is replaced by an empty one when it turns out to be damaged.
final class IndexSlot: Sendable {
    private struct State {
        var environment: IndexEnvironment
        /// Somebody met damage in it.
        var isDamaged = false
        /// Somebody has asked for it to be replaced.
        var isDoubted = false
    }

    private let path: String
    private let readers: Int
    private let state: Guarded<State>

    /// What opening found.
    struct Opened {
        var slot: IndexSlot
        /// Where a damaged index was moved to.
        var aside: String?
        var damage: String?
    }

    init(path: String, readers: Int, environment: IndexEnvironment) {
        self.path = path
        self.readers = readers
        state = Guarded(State(environment: environment))
    }

    /// Opens the index in the directory `path`, which is made if it is not there. One that is damaged is moved aside first: LMDB
    /// follows page numbers without looking, so nothing unchecked may be given to it.
    static func open(_ path: String, readers: Int) throws -> Opened {
        try Directory.create(path, mode: 0o700)
        var damage: String?
        do throws(IndexDamage) {
            try IndexAudit.check(path + "/data.mdb")
            switch tryIndex(path, readers) {
            case .success(let environment):
                return Opened(slot: IndexSlot(path: path, readers: readers, environment: environment))
            case .failure(let error):
                guard error.isDamage else { throw IndexDamage(error.description, isFailure: true) }
                damage = error.description
            }
        } catch {
            if error.isFailure { throw StoreError(error.description) }
            damage = error.description
        }
        let (environment, aside) = try replace(path, readers)
        return Opened(
            slot: IndexSlot(path: path, readers: readers, environment: environment), aside: aside, damage: damage)
    }

    private static func tryIndex(_ path: String, _ readers: Int) -> Result<IndexEnvironment, IndexError> {
        Result { () throws(IndexError) in try IndexEnvironment(path, readers: readers) }
    }

    /// Moves what is there aside and begins an empty one.
    private static func replace(
        _ path: String, _ readers: Int
    ) throws -> (environment: IndexEnvironment, aside: String) {
        var aside = "\(path).damaged-\(time(nil))"
        var number = 1
        while access(aside, F_OK) == 0 {
            aside = "\(path).damaged-\(time(nil))-\(number)"
            number += 1
        }
        try check(rename(path, aside), "rename", path)
        try Directory.create(path, mode: 0o700)
        return (try IndexEnvironment(path, readers: readers), aside)
    }

    var current: IndexEnvironment {
        state.with { $0.environment }
    }

    /// Somebody met damage in `environment`. What was replaced meanwhile says nothing of what took its place.
    func noteDamage(_ environment: IndexEnvironment) {
        state.with { if $0.environment === environment { $0.isDamaged = true } }
    }

    /// Whether the index in use has to be replaced; true for the first who asks.
    func doubt() -> Bool {
        state.with { state in
            guard state.isDamaged, !state.isDoubted else { return false }
            state.isDoubted = true
            return true
        }
    }

    /// Puts an empty index in its place. Readers change over by themselves; the old one is closed when the last has. Only the writer
    /// thread calls this, outside of a transaction.
    ///
    /// - Returns: where the damaged one was moved to.
    func replace() throws -> String {
        do {
            let (environment, aside) = try Self.replace(path, readers)
            state.with { $0 = State(environment: environment) }
            return aside
        } catch {
            // Another look at the damage may ask for another attempt.
            state.with { $0.isDoubted = false }
            throw error
        }
    }
}
