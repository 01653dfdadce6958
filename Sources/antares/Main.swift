import Glibc
import OperatorCLI

@main
struct Main {
    static func main() {
        exit(OperatorCLI.main(Array(CommandLine.arguments.dropFirst())))
    }
}
