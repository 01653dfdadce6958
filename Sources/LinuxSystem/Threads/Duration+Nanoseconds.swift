extension Duration {
    /// Whole nanoseconds; 0 for a negative duration, the largest number for one of centuries.
    public var nanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        let (whole, tooLong) = UInt64(max(0, seconds)).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, overflow) = whole.addingReportingOverflow(UInt64(max(0, attoseconds) / 1_000_000_000))
        return tooLong || overflow ? .max : sum
    }
}
