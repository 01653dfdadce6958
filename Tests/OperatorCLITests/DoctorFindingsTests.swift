import Glibc
import LinuxSystem
import Supervision
import Testing

@testable import OperatorCLI

/// What `doctor` goes by when a supervisor is there, but does not tell its configuration.
@Suite(.timeLimit(.minutes(2))) struct DoctorFindingsTests {
    @Test func ofASilentSupervisorNothingIsGuessed() throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        let socket = directory + "/mute"
        let listener = try muteSocket(socket)
        defer { close(listener) }
        let inForce = try ConfigurationInForce(file: nil, socket: socket)
        #expect(inForce.loaded == nil)
        #expect(inForce.source.contains("process \(getpid())") && inForce.source.contains("did not answer"))
        let checks = Doctor(inForce, socket: socket).examine()
        #expect(!checks.contains { $0.name == "origin" }, "the defaults have none, and they are not in force")
        let told = try #require(checks.first { $0.name == "configuration" })
        #expect(told.outcome == .warning && told.what.contains("not examined"))
    }

    @Test func whoServesIsFoundOut() throws {
        let directory = try temporaryDirectory()
        defer { removeDirectory(directory) }
        #expect(ServingProcess(directory + "/none").pid == nil)
        guard case .none = ServingProcess(directory + "/none") else {
            Issue.record("nobody is there")
            return
        }
        guard case .unknown = ServingProcess("/" + String(repeating: "n", count: 200)) else {
            Issue.record("a name that is too long says nothing about who serves")
            return
        }
        let inForce = try ConfigurationInForce(file: nil, socket: directory + "/none")
        #expect(inForce.loaded != nil && inForce.source.contains("no supervisor serves"))
    }
}
