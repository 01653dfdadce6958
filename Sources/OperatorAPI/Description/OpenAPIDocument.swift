/// The description of the API in OpenAPI 3.1 (spec.openapis.org/oas/v3.1.0), as `GET /openapi.json` answers it.
///
/// A test holds the server to it: every route is in it and no other, and every answer is of the form that it says.
enum OpenAPIDocument {
    /// What is answered where there is no operation to describe it.
    private static let others =
        "A path is answered with #/components/responses/E405 to a method that it does not have, and the routes of the old daemon, /api/config and "
        + "all below /api/fs, with #/components/responses/E410. An Expect other than 100-continue is answered with #/components/responses/E417."

    static let json =
        #"{"openapi":"3.1.0","info":{"title":"antares-supervisor","version":"\#(OperatorAPIServer.version)","description":"\#(others)"},"#
        + #""servers":[{"url":"/"},{"url":"/antares"}],"security":[{},{"token":[]}],"paths":{"# + servicePaths + ","
        + mountPaths
        + #"},"components":{"securitySchemes":{"token":{"type":"http","scheme":"bearer"}},"parameters":"# + parameters
        + #","responses":"# + responses
        + #","schemas":"# + schemas + "}}"
}
