import Glibc
import LinuxSystem
import OperatorCLI

@main
struct Main {
    static func main() {
        // Without /dev/null there is nothing better to do than to go on.
        try? StandardDescriptors.fill()
        exit(OperatorCLI.main(Array(CommandLine.arguments.dropFirst())))
    }
}
