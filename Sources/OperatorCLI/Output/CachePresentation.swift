/// What the cache commands print when nobody asked for JSON.
enum CachePresentation {
    static func status(_ report: CacheReport) -> [String] {
        let eviction = report.eviction
        let limit = eviction.limitBytes == 0 ? "no limit" : "of \(Printable.size(eviction.limitBytes))"
        let files = eviction.limitInodes == 0 ? "" : " of \(eviction.limitInodes)"
        var lines = [
            "cache       version \(report.version), up \(Printable.duration(seconds: report.uptimeSeconds)), "
                + "\(report.workers) workers",
            "stored      \(Printable.size(report.bytes)) \(limit), \(report.objects)\(files) objects",
            "hits        \(count("blobHits", report)) objects, \(count("directoryHits", report)) directories",
            "misses      \(count("blobMisses", report)) objects, \(count("directoryMisses", report)) directories",
            "fetched     \(Printable.size(count("bytesFetched", report)))",
            "evicted     \(count("evictedObjects", report)) objects",
            "damaged     \(count("damagedObjects", report)) objects, \(count("damagedIndexes", report)) indexes",
        ]
        if let disk = report.disk {
            lines.append("disk        \(Printable.size(disk.freeBytes)) and \(disk.freeInodes) inodes free")
        }
        if report.sweep.isRunning { lines.append("sweep       " + progress(report.sweep)) }
        for preload in report.origins.flatMap({ $0.preloads ?? [] }) where !preload.hasEnded {
            lines.append("preload     \(Printable.text(preload.request.revision)): " + progress(preload))
        }
        if !report.previousEndedCleanly { lines.append("note        the owner before this one did not end in order") }
        if let unmet = eviction.unmet { lines.append("problem     \(Printable.text(unmet))") }
        if eviction.diskFull {
            lines.append("problem     the disk is full: what does not fit is fetched for each reading")
        }
        return lines
    }

    static func usage(_ report: CacheReport) -> [String] {
        var table = Table(["ORIGIN", "OBJECTS", "SIZE", "INDEX", "IMAGES", "QUARANTINED"])
        table.rows = report.origins.map { origin in
            [
                origin.name, "\(origin.objects)", Printable.size(origin.objectBytes), Printable.size(origin.indexBytes),
                "\(origin.images ?? 0) (\(Printable.size(origin.imageBytes ?? 0)))",
                "\(origin.quarantined) (\(Printable.size(origin.quarantinedBytes)))",
            ]
        }
        return table.lines
    }

    static func progress(_ sweep: CacheReport.Sweep) -> String {
        let seconds = max(1, sweep.milliseconds / 1000)
        return "\(sweep.objects) of \(sweep.totalObjects) objects, \(Printable.size(sweep.bytes)) of at most "
            + "\(Printable.size(sweep.totalBytes)), \(Printable.size(sweep.bytes / seconds))/s, \(sweep.damaged) damaged"
    }

    static func progress(_ preload: PreloadReport) -> String {
        let tally = preload.tally
        var text: String
        if preload.phase == "contents" {
            text =
                "\(tally.contents.done) of \(tally.contents.total) files, \(Printable.size(tally.bytes.done)) of "
                + "\(Printable.size(tally.bytes.total)), \(Printable.size(UInt64(max(0, preload.rate))))/s"
            if let left = preload.secondsLeft { text += ", \(Printable.duration(seconds: Int(clamping: left))) left" }
        } else {
            text =
                "\(tally.directories.done) directories of at least \(tally.directories.total), \(Int(preload.rate))/s"
            if tally.entries.total > 0 { text += ", \(tally.entries.done) of \(tally.entries.total) sizes" }
        }
        if preload.state != "running" { text += " (\(preload.state))" }
        return text
    }

    /// Of directories nobody knows how many there are before the end: only contents have a share that is done.
    static func step(_ preload: PreloadReport) -> Progress.Step {
        guard preload.phase == "contents" else { return Progress.Step(progress(preload)) }
        return Progress.Step(progress(preload), done: preload.tally.bytes.done, of: preload.tally.bytes.total)
    }

    static func preloaded(_ preload: PreloadReport) -> [String] {
        let tally = preload.tally
        var line =
            "\(preload.request.commit) \(Printable.text(preload.request.path)): \(tally.directories.done) directories"
        if preload.request.withContents {
            line += ", \(tally.contents.done) files, \(Printable.size(tally.bytes.done))"
        }
        return [line]
    }

    static func verified(_ sweep: CacheReport.Sweep) -> [String] {
        [
            "\(sweep.objects) objects, \(Printable.size(sweep.bytes)): \(sweep.damaged) damaged, \(sweep.missing) missing, "
                + "\(sweep.adopted) not in the index before"
        ]
    }

    private static func count(_ name: String, _ report: CacheReport) -> UInt64 {
        report.counters[name] ?? 0
    }
}
