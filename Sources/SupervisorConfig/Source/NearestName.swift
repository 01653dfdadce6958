/// Guesses what somebody meant to write.
public enum NearestName {
    /// The candidate with the fewest edits to `name`, if they are few enough for a slip.
    public static func find(_ name: String, among candidates: [String]) -> String? {
        let limit = max(1, min(3, name.count / 3))
        let scored = candidates.map { (name: $0, distance: distance(name, $0)) }
        guard let best = scored.min(by: { $0.distance < $1.distance }), best.distance <= limit else { return nil }
        return best.name
    }

    /// The Levenshtein distance: insertions, deletions and replacements.
    private static func distance(_ left: String, _ right: String) -> Int {
        let left = Array(left.utf8)
        let right = Array(right.utf8)
        var previous = Array(0...right.count)
        for (row, byte) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                current.append(
                    min(previous[column + 1] + 1, current[column] + 1, previous[column] + (byte == other ? 0 : 1)))
            }
            previous = current
        }
        return previous[right.count]
    }
}
