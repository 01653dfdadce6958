import LinuxSystem

/// Which snapshots wait to be sealed, and which are being: a value without threads.
struct SealingQueue {
    enum Lane: Int, CaseIterable {
        case copies
        case whole
    }

    /// Snapshots of one lane that wait; the oldest are left out.
    static let longest = 16

    /// What waits, by lane.
    private var queues: [[SealedImages.Key]] = [[], []]
    /// What is being made, by lane.
    private var making: [SealedImages.Key?] = [nil, nil]
    /// When what failed may be tried again.
    private var failed: [SealedImages.Key: Deadline] = [:]

    func has(_ key: SealedImages.Key, in lane: Lane) -> Bool {
        making[lane.rawValue] == key || queues[lane.rawValue].contains(key)
    }

    /// False if it waits already or may not be tried; and what is left out for it. What is being made is asked for in vain, unless it is known
    /// to be damaged: then it was there already, and its thread is only not done with it yet.
    mutating func add(
        _ key: SealedImages.Key, to lane: Lane, isDamaged: Bool = false
    ) -> (isNew: Bool, dropped: SealedImages.Key?) {
        if let until = failed[key], !until.hasPassed { return (false, nil) }
        if isDamaged ? queues[lane.rawValue].contains(key) : has(key, in: lane) { return (false, nil) }
        // What the first lane gives up it hands over while it still has it.
        if lane == .copies, has(key, in: .whole) { return (false, nil) }
        queues[lane.rawValue].append(key)
        guard queues[lane.rawValue].count > Self.longest else { return (true, nil) }
        return (true, queues[lane.rawValue].removeFirst())
    }

    /// What to make now; what was being made is done with.
    mutating func next(in lane: Lane) -> SealedImages.Key? {
        making[lane.rawValue] = queues[lane.rawValue].isEmpty ? nil : queues[lane.rawValue].removeFirst()
        return making[lane.rawValue]
    }

    /// It cannot be made, and is not tried again before then.
    mutating func fail(_ key: SealedImages.Key, until deadline: Deadline) {
        failed = failed.filter { !$0.value.hasPassed }
        failed[key] = deadline
    }
}
