import LinuxSystem

extension SupervisorConfiguration {
    /// The whole environment of workers and cache owner.
    var childEnvironment: [String] {
        hardening ? [] : ["\(Hardening.variable)=off"]
    }
}
