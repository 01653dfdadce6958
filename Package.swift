// swift-tools-version: 6.2
import PackageDescription

// Two switches for the edit-test loop and for CI, both read from the environment:
//   ANTARES_CORE=1      only the targets that need no package from elsewhere (seconds to build)
//   ANTARES_SANITIZE=1  a static executable cannot carry a sanitizer runtime, so the worker is linked dynamically
let coreOnly = Context.environment["ANTARES_CORE"] != nil
let sanitizing = Context.environment["ANTARES_SANITIZE"] != nil

let swift: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let c: [CSetting] = [
    .define("_GNU_SOURCE"),
    .unsafeFlags(["-Wall", "-Wextra", "-Werror"]),
]

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swift)
}

func program(
    _ name: String, _ dependencies: [Target.Dependency], linkerSettings: [LinkerSetting] = []
) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, swiftSettings: swift, linkerSettings: linkerSettings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: swift)
}

// The dependency order, lowest first: a target may use only what stands above it.
var targets: [Target] = [
    .systemLibrary(name: "CFUSE", pkgConfig: "fuse3", providers: [.apt(["libfuse3-dev"])]),
    .systemLibrary(name: "CLMDB", pkgConfig: "lmdb", providers: [.apt(["liblmdb-dev"])]),
    .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
    .systemLibrary(name: "CCrypto", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(name: "CAntares", cSettings: c),

    library("LinuxSystem", ["CAntares"]),
    library("Probes", ["LinuxSystem"]),
    library("JSONWriting", []),
    library("GitObjects", []),
    library("GitHashing", ["GitObjects", "CCrypto"]),
    library("WireFormat", ["LinuxSystem", "GitObjects"]),
    library("CacheProtocol", ["LinuxSystem", "GitObjects", "WireFormat"]),
    library("WorkerProtocol", ["CAntares", "LinuxSystem", "GitObjects", "WireFormat"]),
    library("SealedImage", ["LinuxSystem", "GitObjects", "CacheProtocol"]),
    library(
        "Dicfuse",
        ["LinuxSystem", "GitObjects", "GitHashing", "WireFormat", "CacheProtocol", "SealedImage", "CLMDB", "CCurl"]),
    library("MountWorker", ["LinuxSystem", "GitObjects", "WireFormat", "CacheProtocol", "WorkerProtocol", "CFUSE"]),
    library(
        "Supervision",
        [
            "LinuxSystem", "Probes", "JSONWriting", "GitObjects", "GitHashing", "WireFormat", "CacheProtocol",
            "WorkerProtocol", "SealedImage",
        ]),

    program("dicfuse-cache", ["Dicfuse", "LinuxSystem"]),
    program(
        "antares-worker", ["MountWorker", "Probes", "LinuxSystem"],
        linkerSettings: sanitizing ? [] : [.unsafeFlags(["-static-executable"])]),

    // Speaks the real protocols and claims other versions, for the tests of the whole system.
    .executableTarget(
        name: "protocol-double",
        dependencies: ["MountWorker", "LinuxSystem", "WorkerProtocol", "CacheProtocol", "WireFormat"],
        path: "Tests/ProtocolDouble", swiftSettings: swift),

    tests("LinuxSystemTests", ["LinuxSystem"]),
    tests("ProbesTests", ["Probes", "LinuxSystem"]),
    tests("JSONWritingTests", ["JSONWriting"]),
    tests("GitObjectsTests", ["GitObjects", "GitHashing"]),
    tests("WireFormatTests", ["WireFormat", "GitObjects", "LinuxSystem"]),
    tests("CacheProtocolTests", ["CacheProtocol", "WireFormat", "GitObjects", "LinuxSystem"]),
    tests("WorkerProtocolTests", ["WorkerProtocol", "WireFormat", "GitObjects", "LinuxSystem"]),
    tests("SealedImageTests", ["SealedImage", "CacheProtocol", "GitObjects", "LinuxSystem"]),
    tests(
        "DicfuseTests",
        ["Dicfuse", "SealedImage", "WireFormat", "CacheProtocol", "GitObjects", "GitHashing", "LinuxSystem"]),
    tests(
        "MountWorkerTests",
        ["MountWorker", "SealedImage", "WireFormat", "WorkerProtocol", "CacheProtocol", "GitObjects", "LinuxSystem"]),
    tests(
        "SupervisionTests",
        [
            "Supervision", "Probes", "WireFormat", "WorkerProtocol", "CacheProtocol", "GitObjects", "GitHashing",
            "LinuxSystem",
        ]),
]

var dependencies: [Package.Dependency] = []

if !coreOnly {
    dependencies += [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", exact: "2.37.6"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1"),
        .package(url: "https://github.com/LebJe/TOMLKit", exact: "0.6.0"),
    ]
    let arguments = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
    let log = Target.Dependency.product(name: "Logging", package: "swift-log")
    let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
    let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
    let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
    let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
    let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
    let toml = Target.Dependency.product(name: "TOMLKit", package: "TOMLKit")

    targets += [
        library("CommandUsage", [arguments]),
        library("SupervisorConfig", ["Supervision", "LinuxSystem", toml]),
        library(
            "OperatorAPI",
            [
                "Supervision", "Probes", "JSONWriting", "LinuxSystem", hummingbird, nioCore, nioPosix, nioTLS, nioSSL,
                log,
            ]),
        library("OriginServer", ["GitObjects", "GitHashing", "LinuxSystem", hummingbird, nioCore, log]),
        library(
            "OperatorCLI", ["Supervision", "SupervisorConfig", "CommandUsage", "LinuxSystem", "CCurl", arguments]),

        program("antares", ["OperatorCLI"]),
        program(
            "antares-supervisor",
            ["SupervisorConfig", "CommandUsage", "OperatorAPI", "Supervision", "LinuxSystem", arguments, log]),
        program("antares-origin", ["OriginServer", "CommandUsage", "LinuxSystem", arguments, log]),

        tests("SupervisorConfigTests", ["SupervisorConfig", "Supervision", "LinuxSystem"]),
        // Holds answers to the description of the API, whoever gave them.
        .target(name: "DescribedAPI", path: "Tests/DescribedAPI", swiftSettings: swift),
        tests(
            "OperatorAPITests",
            ["OperatorAPI", "DescribedAPI", "Supervision", "LinuxSystem", hummingbird, nioCore, log]),
        tests(
            "OriginServerTests",
            ["OriginServer", "GitObjects", "GitHashing", .product(name: "HummingbirdTesting", package: "hummingbird")]),
        tests(
            "OperatorCLITests",
            ["OperatorCLI", "CommandUsage", "OperatorAPI", "Supervision", "LinuxSystem", arguments, nioCore, log]),
        tests("SystemTests", ["DescribedAPI", "LinuxSystem"]),
    ]
}

let package = Package(name: "antares-supervisor", dependencies: dependencies, targets: targets)
