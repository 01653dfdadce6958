import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// Builds go on, to the same bit, whatever happens to our processes.
    ///
    /// A short seed runs with the tests. By hand: `ANTARES_CHAOS_SECONDS=600 ANTARES_CHAOS_SEED=7 ANTARES_CHAOS_LOG=chaos.log scripts/test
    /// ChaosTests`; see `ChaosSettings` for the rest.
    @Suite struct ChaosTests {
        @Test func theSameSeedIsTheSamePlan() {
            let plan = ChaosPlan(seed: 7, length: .seconds(60), faults: ChaosFault.allCases)
            #expect(plan.steps == ChaosPlan(seed: 7, length: .seconds(60), faults: ChaosFault.allCases).steps)
            #expect(plan.steps != ChaosPlan(seed: 8, length: .seconds(60), faults: ChaosFault.allCases).steps)
            #expect(plan.steps.allSatisfy { (.milliseconds(50)...Duration.milliseconds(2000)).contains($0.delay) })
            #expect(plan.steps.reduce(.zero) { $0 + $1.delay } <= .seconds(60))
            #expect(Set(plan.steps.map(\.fault)).count > ChaosFault.allCases.count / 2)
        }

        @Test(arguments: Form.allCases) func buildsAreUndisturbed(form: Form) throws {
            let settings = try ChaosSettings()
            guard settings.forms.contains(form) else { return }
            let project = settings.isLinux ? ChaosProject.linux : ChaosProject.small
            let limit = Duration.seconds(settings.seconds) + .seconds(300) + (settings.isLinux ? project.limit : .zero)
            let options = Farm.Options(requestTimeout: "60s", limit: limit, form: form)
            func make(_ directory: String) throws -> Repository {
                if settings.isLinux { return try ChaosProject.makeLinux(in: directory) }
                return try ChaosProject.makeSmall(in: directory)
            }
            try Farm.run(make, options) { farm, repository in
                try run(settings, project, farm, repository)
            }
        }

        private func run(
            _ settings: ChaosSettings, _ project: ChaosProject, _ farm: Farm, _ repository: Repository
        ) throws {
            let log = ChaosLog(settings.log)
            let faults = settings.faults.map(\.rawValue).joined(separator: ",")
            log.note(
                "ANTARES_CHAOS_FORM=\(farm.form) ANTARES_CHAOS_SEED=\(settings.seed) ANTARES_CHAOS_SECONDS=\(settings.seconds) "
                    + "ANTARES_CHAOS_LANES=\(settings.lanes) ANTARES_CHAOS_FAULTS=\(faults)")
            let wanted = try undisturbed(project, repository)
            let before = try settle(farm, until: nil)
            log.note("before: \(before)")

            let plan = ChaosPlan(seed: settings.seed, length: .seconds(settings.seconds), faults: settings.faults)
            let built = try disturbed(farm, project, plan, wanted, settings.lanes, log)

            let after = try settle(farm, until: before)
            log.note("\(plan.steps.count) strikes, \(built) builds; after: \(after)")
            let leaks = after.differences(from: before)
            if !leaks.isEmpty { log.fail("left behind:\n\(leaks)") }
            #expect(built >= settings.lanes)
            let failures = log.failures
            if !failures.isEmpty {
                let replay = log.lines.joined(separator: "\n")
                Issue.record(
                    """
                    \(failures.joined(separator: "\n"))

                    replay:
                    \(replay)

                    the supervisor's last lines:
                    \(farm.lastLines(of: "supervisor.log", 400))
                    """)
            }
        }

        /// The digest of a build that nothing disturbs, on a plain directory.
        private func undisturbed(_ project: ChaosProject, _ repository: Repository) throws -> String {
            let worktree = try repository.worktree(try repository.head())
            try Program.shell(project.command, in: worktree, limit: project.limit)
            return try Program.shell(project.digest, in: worktree, limit: project.limit)
        }

        /// Strikes while the lanes build; the number of builds.
        private func disturbed(
            _ farm: Farm, _ project: ChaosProject, _ plan: ChaosPlan, _ wanted: String, _ lanes: Int, _ log: ChaosLog
        ) throws -> Int {
            let runner = ChaosRunner(farm, plan, log)
            let isOver = Guarded(false)
            let built = Guarded(0)
            let end = Deadline.after(plan.steps.reduce(.zero) { $0 + $1.delay })
            let keeper = try SystemThread.start(name: "keeper") {
                runner.keepSupervisor { !isOver.with { $0 } }
            }
            let builders = try (0..<lanes).map { number in
                let lane = ChaosLane(number: number, farm: farm, project: project, wanted: wanted, log: log)
                return try SystemThread.start(name: "lane-\(number)") {
                    let count = lane.run(until: end)
                    built.with { $0 += count }
                }
            }
            runner.strike()
            for builder in builders { builder.join() }
            isOver.with { $0 = true }
            keeper.join()
            let left = runner.release()
            if left > 0 { log.note("\(left) processes stood still at the end") }
            return built.with { $0 }
        }

        /// What the farm is once nothing happens any more: the supervisor answers and holds what it held `before`.
        private func settle(_ farm: Farm, until before: ChaosCensus?) throws -> ChaosCensus {
            if before == nil {
                // What is made with the first mount stays.
                try farm.unmount(try farm.mount("first"))
            }
            let deadline = Deadline.after(.seconds(30))
            var last: ChaosCensus?
            while true {
                let isWell = (try? farm.api.get("/health").body["spare_workers"].number) == Farm.spares
                // The API lets go of that connection when the client has.
                _ = poll(nil, 0, 200)
                let census = try ChaosCensus(farm)
                let isSettled =
                    (before.map { census.differences(from: $0).isEmpty } ?? (census == last)) && census.connections == 0
                    && !census.isDeleting
                if (isWell && isSettled) || deadline.hasPassed { return census }
                last = census
            }
        }
    }
}
