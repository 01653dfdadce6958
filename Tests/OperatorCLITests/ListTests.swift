import ArgumentParser
import FoundationEssentials
import Testing

@testable import OperatorCLI

@Suite struct ListTests {
    private func mount(_ job: String, restarts: Int, state: String = "Ready", label: String) throws -> MountReport {
        let json = """
            {"mount_id":"00000000-0000-4000-8000-00000000000\(restarts)","job_id":"\(job)","path":"/","mountpoint":"/m/\(job)",
            "state":"\(state)","created_at_epoch_ms":\(1000 + restarts),"labels":{"pipeline":"\(label)"},"ready_after_ms":2.5,
            "worker":{"pid":\(restarts),"restarts":\(restarts),"served":1}}
            """
        return try JSONDecoder().decode(MountReport.self, from: Data(json.utf8))
    }

    private func names(_ arguments: [String]) throws -> [String?] {
        let mounts = try [
            mount("b", restarts: 9, label: "nightly"), mount("a", restarts: 10, label: "daily"),
            mount("c", restarts: 1, state: "Quiescing", label: "nightly"),
        ]
        return try ListOptions.parse(arguments).select(mounts).map(\.job)
    }

    @Test func mountsAreChosenAndSorted() throws {
        #expect(try names([]) == ["b", "a", "c"])
        #expect(try names(["--sort", "job"]) == ["a", "b", "c"])
        // By number, not by text.
        #expect(try names(["--sort", "restarts"]) == ["c", "b", "a"])
        #expect(try names(["--sort=-restarts"]) == ["a", "b", "c"])
        #expect(try names(["--sort", "-restarts"]) == ["a", "b", "c"])
        #expect(try names(["--label", "pipeline=nightly"]) == ["b", "c"])
        #expect(try names(["--label", "pipeline", "--state", "ready"]) == ["b", "a"])
        #expect(try names(["--label", "stage"]) == [])
    }

    @Test("JSON is chosen and sorted like the table, with members that are not known here") func jsonIsChosen() throws {
        func object(_ job: String, _ state: String, _ at: Int) -> String {
            #"{"mount_id":"m-\#(job)","job_id":"\#(job)","path":"/","mountpoint":"/m","state":\#(state),"#
                + #""created_at_epoch_ms":\#(at),"labels":{"k":"]}\"["},"worker":null,"new":[[1],{"a":[]}]}"#
        }
        let ready = object("a", #""Ready""#, 1)
        let failed = object("b", #"{"Failed":{"reason":"the disk is full"}}"#, 2)
        let last = object("c", #""Ready""#, 3)
        let json = #"{"mounts":[\#(ready),\#(failed),\#(last)],"total_count":3}"# + "\n"
        let list = try JSONDecoder().decode(MountList.self, from: Data(json.utf8))
        let listed = ListedMounts(SupervisorClient.Answer(value: list, json: Array(json.utf8)))
        func chosen(_ arguments: String...) throws -> String {
            String(decoding: listed.json(selectedBy: try ListOptions.parse(arguments)), as: UTF8.self)
        }
        #expect(try chosen() == json)
        #expect(
            try chosen("--sort=age", "--state", "ready") == #"{"mounts":[\#(last),\#(ready)],"total_count":2}"# + "\n")
        #expect(try chosen("--label", "none") == #"{"mounts":[],"total_count":0}"# + "\n")
        let columns = Presentation.listColumns(for: list.mounts)
        #expect(columns.last == .reason)
        #expect(Presentation.list(list.mounts, [.job, .reason])[2] == "b    the disk is full")
        #expect(Presentation.listColumns(for: [list.mounts[0]]) == Presentation.listColumns)
    }

    @Test func wideCharactersAndLongNamesKeepTheColumns() {
        var table = Table(["JOB", "STATE"])
        let long = String(repeating: "n", count: 200)
        table.rows = [["任务", "Ready"], ["e\u{301}tude", "Ready"], [long, "Failed"]]
        #expect(table.lines == ["JOB    STATE", "任务   Ready", "e\u{301}tude  Ready", "\(long)  Failed"])
    }

    @Test func columnsAreChosen() throws {
        let options = try ListOptions.parse(["--columns", "job,labels,ready"])
        let lines = Presentation.list([try mount("j", restarts: 1, label: "x")], options.chosen([]))
        #expect(lines == ["JOB  LABELS      READY", "j    pipeline=x  2.5 ms"])
        #expect(throws: (any Error).self) { try ListOptions.parse(["--columns", "job,colour"]) }
        #expect(throws: (any Error).self) { try ListOptions.parse(["--sort", "colour"]) }
    }
}
