import Dicfuse
import Glibc

@main
struct Main {
    static func main() {
        exit(CacheProcess.run(Array(CommandLine.arguments.dropFirst())))
    }
}
