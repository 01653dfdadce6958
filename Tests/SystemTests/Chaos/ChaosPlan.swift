import Glibc

/// What is done to a farm and when: a function of the seed alone, so that a run can be had again.
struct ChaosPlan: Sendable {
    struct Step: Hashable, Sendable {
        /// From the step before it.
        let delay: Duration
        let fault: ChaosFault
        /// Which of several processes: this number modulo their count.
        let choice: Int
        /// How long what is paused stands still.
        let pause: Duration
    }

    let seed: UInt64
    let steps: [Step]

    /// Steps at random distances of 50 to 2000 ms that together take `length`.
    init(seed: UInt64, length: Duration, faults: [ChaosFault]) {
        self.seed = seed
        var dice = SplitMix64(state: seed)
        var steps: [Step] = []
        var left = length
        while true {
            // Short distances as often as long ones: several strikes within one takeover are the interesting case.
            let exponent = Double.random(in: 0...1, using: &dice)
            let delay = Duration.milliseconds(Int(50 * pow(40, exponent)))
            guard delay < left else { break }
            left -= delay
            steps.append(
                Step(
                    delay: delay, fault: faults.randomElement(using: &dice) ?? .workerKill,
                    choice: Int.random(in: 0..<1000, using: &dice),
                    pause: .milliseconds(Int.random(in: 20...1500, using: &dice))))
        }
        self.steps = steps
    }
}

/// A small generator whose numbers are the same on every machine (Steele, Lea, Flood: Fast splittable pseudorandom number generators).
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// How long, which seed, which faults; by hand through the environment.
struct ChaosSettings: Sendable {
    /// `ANTARES_CHAOS_SECONDS`: of lazy mounts, and again of sealed ones.
    var seconds = 12
    /// `ANTARES_CHAOS_SEED`.
    var seed: UInt64 = 20_241_117
    /// `ANTARES_CHAOS_FAULTS`: names with commas between them; else all.
    var faults = ChaosFault.allCases
    /// `ANTARES_CHAOS_LANES`: builds at a time, each in a mount of its own.
    var lanes = 3
    /// `ANTARES_CHAOS_LOG`: where the replay log is kept; else it is shown only when the run fails.
    var log: String?
    /// `ANTARES_CHAOS_TREE=linux`: builds the kernel of Debian's linux-source.
    var isLinux = false
    /// `ANTARES_CHAOS_FORM`: what the mounts stand on; else one run on each.
    var forms = Form.allCases

    init() throws {
        func variable(_ name: String) -> String? { getenv("ANTARES_CHAOS_" + name).map { String(cString: $0) } }
        func number<Number: FixedWidthInteger>(_ name: String, _ preset: Number) throws -> Number {
            guard let text = variable(name) else { return preset }
            guard let number = Number(text) else { throw Trouble("ANTARES_CHAOS_\(name): `\(text)` is no number") }
            return number
        }
        seconds = try number("SECONDS", seconds)
        seed = try number("SEED", seed)
        lanes = try number("LANES", lanes)
        log = variable("LOG")
        isLinux = variable("TREE") == "linux"
        if let name = variable("FORM") {
            guard let form = Form(rawValue: name) else {
                let known = Form.allCases.map(\.rawValue).joined(separator: " ")
                throw Trouble("ANTARES_CHAOS_FORM: there is no `\(name)`; known are \(known)")
            }
            forms = [form]
        }
        if let names = variable("FAULTS") {
            faults =
                try names.split(separator: ",").map { name in
                    guard let fault = ChaosFault(rawValue: String(name)) else {
                        let known = ChaosFault.allCases.map(\.rawValue).joined(separator: " ")
                        throw Trouble("ANTARES_CHAOS_FAULTS: there is no `\(name)`; known are \(known)")
                    }
                    return fault
                }
        }
    }
}
