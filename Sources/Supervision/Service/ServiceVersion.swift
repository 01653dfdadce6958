/// The version of the service and of the command that talks to it, as `GET /health` and `--version` tell it.
public enum ServiceVersion {
    public static let current = "0.1.0"
}
