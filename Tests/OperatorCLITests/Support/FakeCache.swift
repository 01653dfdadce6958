import Supervision

/// What a cache owner would say: each question finds what was begun one step further.
struct FakeCache: Sendable {
    var collections: [UInt64?] = []
    var rounds: UInt64 = 3
    var sweep: UInt64 = 6
    /// Looks until what goes on has ended.
    var steps = 2
    var unreadable = 0
    var failure: SupervisorError?
    private var looks = 0
    private var begun: UInt64 = 0

    mutating func report() -> String {
        let work = UInt64(collections.count) + sweep
        if work != begun { (begun, looks) = (work, steps) }
        let isRunning = looks > 0 && !(collections.isEmpty && sweep == 6)
        if isRunning {
            looks -= 1
        } else {
            rounds = 3 + UInt64(collections.count)
        }
        return """
            {"version":"1.2","uptimeSeconds":3700,"previousEndedCleanly":true,"workers":2,
             "counters":{"blobHits":5,"blobMisses":4,"directoryHits":3,"directoryMisses":2,"bytesFetched":2048,
             "evictedObjects":9,"damagedObjects":1,"damagedIndexes":0},"failures":{},"droppedLogLines":0,
             "eviction":{"limitBytes":1048576,"limitInodes":0,"highWatermark":95,"lowWatermark":85,
             "isRunning":\(isRunning),"rounds":\(rounds),"diskFull":false},
             "sweep":{"kind":3,"isRunning":\(isRunning),"isInterrupted":false,"number":\(sweep),"objects":12,
             "totalObjects":12,"bytes":4096,"totalBytes":8192,"damaged":2,"missing":1,"adopted":0,
             "failed":\(unreadable),"milliseconds":1500},
             "disk":{"freeBytes":1073741824,"freeInodes":1000},
             "origins":[{"name":"main","flights":0,"waiters":0,"indexBytes":4096,"objects":12,"objectBytes":8192,
             "images":2,"imageBytes":16384,"mountedImages":1,
             "quarantined":1,"quarantinedBytes":512,"isBusy":false}]}
            """
    }
}
