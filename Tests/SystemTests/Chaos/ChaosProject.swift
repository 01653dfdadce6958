/// What is built while processes die.
struct ChaosProject: Sendable {
    /// Runs in the root of the tree.
    let command: String
    /// Prints what the build left, and the sources too, by name and content.
    let digest: String
    let limit: Duration

    /// A C project of some libraries whose every file has headers of its own, so that a build reads cold files from beginning to end.
    static let small = ChaosProject(
        command: "exec make -s -j2",
        digest: "find . -name .git -prune -o -type f -print0 | sort -z | xargs -0 sha256sum",
        limit: .seconds(300))

    /// Without LOCALVERSION the release says whether the tree is a checkout of Git, which the mount is not. The objects of the real mode name the
    /// directory in which they were made; what is linked of them is in vmlinux.
    static let linux = ChaosProject(
        command: """
            export LOCALVERSION= KBUILD_BUILD_TIMESTAMP='2024-01-01' KBUILD_BUILD_USER=chaos KBUILD_BUILD_HOST=chaos KBUILD_BUILD_VERSION=1
            make -s tinyconfig && exec make -s -j2 vmlinux
            """,
        digest: """
            find . -name .git -prune -o -type f '(' -name '*.o' -o -name '*.a' -o -name vmlinux -o -name System.map ')' \
            -not -path './arch/x86/realmode/rm/*' -print0 \
            | sort -z | xargs -0 sha256sum
            """,
        limit: .seconds(7200))

    /// The repository of the small project.
    static func makeSmall(in directory: String) throws -> Repository {
        try Repository(in: directory, smallEntries)
    }

    /// The repository of Debian's kernel source.
    static func makeLinux(in directory: String) throws -> Repository {
        let source = directory + "/linux"
        try Program.shell(
            """
            archive=$(ls /usr/src/linux-source-*.tar.xz | head -n 1)
            mkdir '\(source)' && tar -xf "$archive" -C '\(source)' --strip-components 1
            """, limit: .seconds(600))
        let repository = try Repository(in: directory, [("README", .file(""))])
        try Program.shell(
            """
            export GIT_DIR='\(repository.path)' GIT_WORK_TREE='\(source)' GIT_INDEX_FILE='\(directory)/index'
            git -c core.bare=false add -Af . && tree=$(git write-tree)
            git -c user.name=t -c user.email=t@example.invalid update-ref refs/heads/main "$(
                GIT_AUTHOR_NAME=t GIT_AUTHOR_EMAIL=t@example.invalid GIT_COMMITTER_NAME=t \
                    GIT_COMMITTER_EMAIL=t@example.invalid git commit-tree -m linux "$tree")"
            """, in: source, limit: .seconds(600))
        return repository
    }

    private static let libraries = 6
    private static let modules = 8

    private static let smallEntries: [(String, Repository.Content)] = {
        var entries: [(String, Repository.Content)] = [
            ("Makefile", .file(makefile)),
            ("tools/table", .program(generator)),
            ("include/common.h", .file("#include <stdint.h>\n#include <stdio.h>\n#include \"config.h\"\n")),
            ("include/config.h", .link("../config/config.h")),
            ("config/config.h", .file("#define SCALE 3u\n")),
        ]
        var calls = ""
        for library in 0..<libraries {
            for module in 0..<modules {
                let name = "f\(library)_\(module)"
                let place = "lib\(library)/\(name)"
                entries += [
                    ("\(place)/\(name).c", .file(source(name, library * modules + module))),
                    ("\(place)/\(name).h", .file("uint32_t \(name)(uint32_t);\n")),
                    ("\(place)/values.h", .file("#define VALUE \(library * 1000 + module * 7 + 1)u\n")),
                    ("\(place)/table.in", .file((0..<64).map { "\($0 * (module + 2) + library)\n" }.joined())),
                    ("\(place)/README", .file(String(repeating: "About \(name).\n", count: 300))),
                ]
                calls += "    x = \(name)(x); printf(\"\(name) %u\\n\", x);\n"
            }
        }
        let prototypes = (0..<libraries * modules).map {
            "#include \"lib\($0 / modules)/f\($0 / modules)_\($0 % modules)/f\($0 / modules)_\($0 % modules).h\"\n"
        }
        entries.append(
            (
                "main.c",
                .file(
                    "#include \"common.h\"\n" + prototypes.joined() + "int main(void)\n{\n    uint32_t x = 1;\n"
                        + calls + "    return 0;\n}\n")
            ))
        return entries
    }()

    private static func source(_ name: String, _ number: Int) -> String {
        let steps = (0..<20).map { "    x = (x << \($0 % 7 + 1)) ^ (x >> 3) ^ (table[(x + \($0)u) % 64] * SCALE);\n" }
        return """
            #include "common.h"
            #include "\(name).h"
            #include "values.h"
            static const uint32_t table[64] = {
            #include "table.inc"
            };
            uint32_t \(name)(uint32_t x)
            {
                x += VALUE + \(number)u;
            \(steps.joined())    return x;
            }

            """
    }

    private static let generator = "#!/bin/sh\nset -e\nsed 's/$/,/' \"$1\" >\"$2.new\"\nmv \"$2.new\" \"$2\"\n"

    /// Archives and objects have no time in them; the result is what the program prints.
    private static let makefile = """
        SOURCES := $(sort $(wildcard lib*/*/*.c))
        OBJECTS := $(SOURCES:.c=.o)
        LIBRARIES := $(sort $(foreach s,$(SOURCES),out/$(firstword $(subst /, ,$(s))).a))
        CFLAGS := -O2 -g -Wall -Werror -I. -Iinclude -ffile-prefix-map=$(CURDIR)=. -frandom-seed=antares

        result.txt: out/program
        \tout/program >result.new
        \tmv result.new result.txt
        out/program: main.c $(LIBRARIES)
        \tgcc $(CFLAGS) -Wl,--build-id=none -o $@ main.c $(LIBRARIES)
        .SECONDEXPANSION:
        out/%.a: $$(filter $$*/$$(PERCENT),$(OBJECTS))
        \tmkdir -p out && rm -f $@ && ar rcsD $@ $^
        PERCENT := %
        %.o: %.c
        \ttools/table $(@D)/table.in $(@D)/table.inc
        \tgcc $(CFLAGS) -I$(@D) -c -o $@ $<
        $(OBJECTS): | tools/table

        """
}
