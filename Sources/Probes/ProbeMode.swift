import Glibc
import LinuxSystem

/// The modes of antares-worker in which it is a disposable child: it looks at what might hang, and its starter kills it at a deadline.
public enum ProbeMode {
    public static let holders = "--holders"
    public static let mount = "--probe"

    /// `--holders MAJOR:MINOR/ID…` writes a line for each holder and a last one that says that it is the last; `--probe PATH` looks into a mount.
    /// `--copy-up` is ``CopyUpMode``. Answers the exit code, nil if the arguments are not of this kind.
    public static func run(_ arguments: [String]) -> Int32? {
        switch arguments.first {
        case holders:
            let targets = arguments.dropFirst().compactMap(HolderScan.Target.init(argument:))
            guard targets.count == arguments.count - 1, !targets.isEmpty else { return 2 }
            var scan = HolderScan(targets) { target, holder in put(HolderLine.encode(holder, target: target)) }
            scan.run()
            put(HolderLine.end)
            return 0
        case mount:
            guard arguments.count == 2 else { return 2 }
            return MountProbe.run(arguments[1])
        case CopyUpMode.argument:
            return arguments.count == 1 ? CopyUpMode.run() : 2
        default:
            return nil
        }
    }

    /// The holders of each target, and whether the scan came to its end.
    public static func parse(_ output: [UInt8], targets: Int) -> (holders: [[Holder]], isComplete: Bool) {
        var holders = [[Holder]](repeating: [], count: targets)
        var isComplete = false
        // A last line without an end was cut off.
        for line in output.split(separator: 0x0A, omittingEmptySubsequences: false).dropLast() {
            let line = String(decoding: line, as: UTF8.self)
            if line == HolderLine.end { isComplete = true }
            guard let (target, holder) = HolderLine.decode(line), holders.indices.contains(target) else { continue }
            holders[target].append(holder)
        }
        return (holders, isComplete)
    }

    private static func put(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        bytes.withUnsafeBytes { try? File.write(STDOUT_FILENO, $0) }
    }
}
