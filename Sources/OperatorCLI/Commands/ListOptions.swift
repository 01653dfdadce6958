import ArgumentParser
import Glibc
import Supervision

/// Which mounts are shown, in which order, with which columns; once or again and again.
struct ListOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp("Columns, separated by commas.", discussion: MountColumn.names),
        completion: .list(MountColumn.allCases.map(\.rawValue)))
    var columns: String?

    @Option(
        parsing: .unconditional, help: "A column to sort by; `-` before it for the other way round.",
        completion: .list(MountColumn.allCases.flatMap { [$0.rawValue, "-" + $0.rawValue] }))
    var sort: String?

    @Option(name: .customLong("label"), help: "Only mounts with this label, KEY or KEY=VALUE. May be repeated.")
    var labels: [String] = []

    @Option(
        help: ArgumentHelp("Only mounts in this state.", discussion: MountState.names.joined(separator: ", ")),
        completion: .list(MountState.names))
    var state: String?

    @Flag(help: "Shows it anew every two seconds, until interrupted.")
    var watch = false

    func validate() throws {
        if let columns, columns.split(separator: ",").isEmpty {
            throw ValidationError("--columns names no column; there are \(MountColumn.names)")
        }
        for name in (columns ?? "").split(separator: ",") where MountColumn(rawValue: String(name)) == nil {
            throw ValidationError("`\(name)` is no column; there are \(MountColumn.names)")
        }
        if let state, !MountState.names.contains(where: { $0.lowercased() == state.lowercased() }) {
            throw ValidationError("`\(state)` is no state; there are \(MountState.names.joined(separator: ", "))")
        }
        if let label = labels.first(where: { $0.isEmpty || $0.hasPrefix("=") }) {
            throw ValidationError("`\(label)` is no label; write it as KEY or KEY=VALUE, like pipeline=nightly")
        }
        let key = sort.map { $0.hasPrefix("-") ? String($0.dropFirst()) : $0 }
        if let key, MountColumn(rawValue: key) == nil {
            throw ValidationError("`\(key)` is no column to sort by; there are \(MountColumn.names)")
        }
    }

    func chosen(_ standard: [MountColumn]) -> [MountColumn] {
        columns.map { $0.split(separator: ",").compactMap { MountColumn(rawValue: String($0)) } } ?? standard
    }

    /// Whether some mounts are left out, or not in the order in which they come.
    var chooses: Bool {
        filters || sort != nil
    }

    /// Whether some mounts are left out.
    var filters: Bool {
        state != nil || !labels.isEmpty
    }

    /// What is left of the mounts, in order.
    func select(_ mounts: [MountReport]) -> [MountReport] {
        indices(of: mounts).map { mounts[$0] }
    }

    /// Where among the mounts those are that are left, in order.
    func indices(of mounts: [MountReport]) -> [Int] {
        let found = mounts.indices.filter { index in
            (state.map { $0.lowercased() == mounts[index].state.name.lowercased() } ?? true)
                && labels.allSatisfy { Self.has(mounts[index].labels ?? [:], $0) }
        }
        guard let sort else { return found }
        let isDescending = sort.hasPrefix("-")
        guard let column = MountColumn(rawValue: isDescending ? String(sort.dropFirst()) : sort) else { return found }
        let ordered = found.sorted { column.isLess(mounts[$0], mounts[$1]) }
        return isDescending ? ordered.reversed() : ordered
    }

    /// Calls `show` once, or until it is interrupted.
    func repeating(_ show: () throws -> Void) throws {
        try show()
        while watch, Terminal.outputFailure == nil {
            _ = poll(nil, 0, 2000)
            // Clears a screen (ECMA-48, ED and CUP); whoever reads it as a file gets one after the other.
            if isatty(STDOUT_FILENO) != 0 { Terminal.write("\u{1B}[2J\u{1B}[H", to: STDOUT_FILENO) }
            try show()
        }
    }

    private static func has(_ labels: [String: String], _ wanted: String) -> Bool {
        guard let equals = wanted.firstIndex(of: "=") else { return labels[wanted] != nil }
        return labels[String(wanted[..<equals])] == String(wanted[wanted.index(after: equals)...])
    }
}
