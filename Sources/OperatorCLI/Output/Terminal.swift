import Glibc
import LinuxSystem

/// The process's own surroundings: descriptors, variables, directory.
enum Terminal {
    private static let failure = Guarded<SystemError?>(nil)

    /// Why standard output did not take all that was printed; nil if it did.
    static var outputFailure: SystemError? { failure.with { $0 } }

    static func print(_ lines: [String]) {
        write(lines.map { $0 + "\n" }.joined(), to: STDOUT_FILENO)
    }

    /// The API's JSON, as it came.
    static func print(json: [UInt8]) {
        json.withUnsafeBytes { write($0, to: STDOUT_FILENO) }
        if json.last != UInt8(ascii: "\n") { write("\n", to: STDOUT_FILENO) }
    }

    /// One line on stderr.
    static func complain(_ message: String) {
        write("antares: \(Printable.text(message))\n", to: STDERR_FILENO)
    }

    static func write(_ text: String, to fd: Int32) {
        var text = text
        text.withUTF8 { write(UnsafeRawBufferPointer($0), to: fd) }
    }

    private static func write(_ bytes: UnsafeRawBufferPointer, to fd: Int32) {
        do throws(SystemError) {
            try File.write(fd, bytes)
        } catch {
            // Of standard error nobody could be told.
            if fd == STDOUT_FILENO { failure.with { $0 = $0 ?? error } }
        }
    }

    static var workingDirectory: String {
        guard let path = getcwd(nil, 0) else { return "/" }
        defer { free(path) }
        return String(cString: path)
    }
}

enum Environment {
    /// All variables of the process.
    static var variables: [String: String] {
        var result: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let pair = String(cString: text)
            if let equals = pair.firstIndex(of: "=") {
                result[String(pair[..<equals])] = String(pair[pair.index(after: equals)...])
            }
            entry += 1
        }
        return result
    }
}
