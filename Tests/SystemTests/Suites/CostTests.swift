import Glibc
import LinuxSystem
import Testing

extension SystemTests {
    /// What work costs, in questions and not in time: to the worker (kernel requests), to the cache owner, to the origin.
    @Suite struct CostTests {
        private struct Counts {
            /// Kernel requests that the mount's worker answered.
            var upcalls = 0
            /// Listings and objects that workers asked the owner for.
            var listings = 0
            var objects = 0
            /// HTTP requests that the owner made, and objects that came.
            var requests = 0
            var fetched = 0

            static func - (left: Counts, right: Counts) -> Counts {
                Counts(
                    upcalls: left.upcalls - right.upcalls, listings: left.listings - right.listings,
                    objects: left.objects - right.objects, requests: left.requests - right.requests,
                    fetched: left.fetched - right.fetched)
            }
        }

        private func counts(_ farm: Farm, _ mount: Farm.Mount) throws -> Counts {
            let counters = try farm.api.get("/cache").body["counters"]
            func sum(_ names: String...) throws -> Int {
                try names.reduce(0) { try $0 + #require(counters[$1].number, "\($1)") }
            }
            return Counts(
                upcalls: try #require(try farm.status(mount)["worker"]["served"].number),
                listings: try sum("directoryHits", "directoryMisses"), objects: try sum("blobHits", "blobMisses"),
                requests: try sum("batchFetches", "blobFetches", "treeFetches", "listingFetches", "sizeFetches"),
                fetched: try sum("batchedObjects", "blobFetches"))
        }

        /// 8 directories, an empty submodule among them; 206 files with contents, 2 links.
        @Test(arguments: Form.allCases) func aWalkAndAReadOfEverything(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let mount = try farm.mount("m")
                var before = try counts(farm, mount)
                try Program.shell("ls -lR . >/dev/null", in: mount.path)
                let walk = try counts(farm, mount) - before
                switch form {
                case .lazy:
                    // Opening is free; a listing and its end for each directory, and what the links lead to.
                    #expect(walk.upcalls <= 8 * 3 + 2, "\(walk)")
                    #expect(walk.listings <= 8, "at most one round trip for each directory: \(walk)")
                case .sealed:
                    #expect(walk.upcalls == 0 && walk.listings == 0, "\(walk)")
                }
                #expect(walk.objects <= 2, "the targets of links: \(walk)")

                before = try counts(farm, mount)
                try Program.shell("find . -type f -exec cat {} + >/dev/null", in: mount.path)
                let read = try counts(farm, mount) - before
                // One READ for each file; or two LOOKUPs, one of them for the first object of each part.
                #expect(read.upcalls <= 206 * (form == .lazy ? 1 : 2), "\(read)")
                #expect(read.listings == 0 && read.objects <= 206, "\(read)")
                // Each object once; what is guessed and asked for at the same moment may come twice, a sixteenth at most.
                #expect(walk.fetched + read.fetched <= 208 + (form == .lazy ? 13 : 0), "\(walk) \(read)")
                #expect(walk.requests + read.requests <= 8 + 208 + 13, "\(walk) \(read)")

                before = try counts(farm, mount)
                try Program.shell("ls -lR . >/dev/null; find . -type f -exec cat {} + >/dev/null", in: mount.path)
                let again = try counts(farm, mount) - before
                #expect(
                    again.upcalls == 0 && again.listings == 0 && again.objects == 0 && again.requests == 0, "\(again)")

                // Another mount finds everything in the cache; a sealed one does not even look for it.
                var fewest = Int.max
                for attempt in 0..<5 {
                    let other = try farm.mount("other\(attempt)")
                    before = try counts(farm, other)
                    try Program.shell("ls -lR . >/dev/null; find . -type f -exec cat {} + >/dev/null", in: other.path)
                    let cost = try counts(farm, other) - before
                    #expect(cost.requests == 0, "\(cost)")
                    if form == .sealed { #expect(cost.upcalls == 0 && cost.objects == 0, "\(cost)") }
                    fewest = min(fewest, cost.objects)
                    // Who reads in order is given the next files before it asks, unless it is faster than the owner just then.
                    if fewest <= 206 / 2 { break }
                }
                #expect(fewest <= 206 / 2, "for most of them no question is left")
            }
        }

        /// The kernel asks a worker little before anybody works in the mount: for the proof of the lower, and for the overlay's own look at it.
        @Test(arguments: Form.allCases) func aMountAsksItsWorkerLittle(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                let upcalls = try counts(farm, try farm.mount("m")).upcalls
                #expect(upcalls <= (form == .lazy ? 12 : 10), "\(upcalls)")
            }
        }

        /// What belongs to no actor, the request and its answer, wakes the threads for such tasks; the steps of making a mount go from thread to thread
        /// without them (`TaskThreads.resuming`).
        @Test(arguments: Form.allCases) func aMountWakesTheTaskThreadsLittle(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                try farm.unmount(try farm.mount("first"))
                func wakeUps() throws -> Int {
                    let tasks = "/proc/\(try #require(farm.supervisorPID))/task"
                    return try Directory.names(tasks).map { "\(tasks)/\(String(decoding: $0, as: UTF8.self))" }
                        .filter { try File.text("\($0)/comm") == "tasks\n" }
                        .reduce(0) { sum, thread in
                            let lines = try File.text("\(thread)/status").split(separator: "\n")
                            let line = try #require(lines.first { $0.hasPrefix("voluntary_ctxt_switches:") })
                            return sum + (try #require(Int(line.split(separator: "\t").last ?? "")))
                        }
                }
                let before = try wakeUps()
                for number in 0..<10 { _ = try farm.mount("m\(number)") }
                let each = Double(try wakeUps() - before) / 10
                // It was 24 when each step went by way of them.
                #expect(each <= 20, "\(each) for a mount")
            }
        }

        /// A mount asks the owner twice, for the commit and for the worker's place, whatever the tree is like; the first of an image once more.
        @Test(arguments: Form.allCases) func aMountAsksTheOwnerThreeTimes(form: Form) throws {
            try Farm.run(Repository.small, Farm.Options(form: form)) { farm, _ in
                try farm.unmount(try farm.mount("first"))
                func messages() throws -> Int {
                    try #require(try farm.api.get("/cache").body["counters"]["messages"].number)
                }
                let before = try messages()
                // The question for the status is one itself.
                let asking = try messages() - before
                let mounts = try (0..<10).map { try farm.mount("m\($0)") }
                let each = Double(try messages() - before - 2 * asking) / Double(mounts.count)
                // pin, attach, deposit; the worker's greeting and, in a lazy mount, the root. Pings of the heartbeat come on top.
                #expect(each <= 6, "\(each) messages for a mount")
            }
        }
    }
}
