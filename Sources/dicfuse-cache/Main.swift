import Dicfuse
import Glibc
import LinuxSystem

@main
struct Main {
    static func main() {
        CrashSignals.endAtOnce()
        exit(CacheProcess.run(Array(CommandLine.arguments.dropFirst())))
    }
}
