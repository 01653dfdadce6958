import ArgumentParser
import CommandUsage

struct CompletionsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "completions", abstract: "Prints a shell's script of completions.",
        examples: [
            "antares completions bash > /usr/share/bash-completion/completions/antares",
            "antares completions zsh > /usr/local/share/zsh/site-functions/_antares",
            "antares completions fish > ~/.config/fish/completions/antares.fish",
        ])

    enum Shell: String, ExpressibleByArgument, CaseIterable {
        case bash, zsh, fish

        var completion: CompletionShell {
            switch self {
            case .bash: .bash
            case .zsh: .zsh
            case .fish: .fish
            }
        }
    }

    @Argument(help: "bash, zsh or fish.")
    var shell: Shell

    func run() {
        Terminal.print([Antares.completionScript(for: shell.completion)])
    }
}
