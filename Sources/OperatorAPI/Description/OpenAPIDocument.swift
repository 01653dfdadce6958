/// The description of the API in OpenAPI 3.1 (spec.openapis.org/oas/v3.1.0), as `GET /openapi.json` answers it.
///
/// A test holds the server to it: every route is in it and no other, and every answer is of the form that it says.
enum OpenAPIDocument {
    static let json =
        #"{"openapi":"3.1.0","info":{"title":"antares-supervisor","version":"\#(OperatorAPIServer.version)"},"#
        + #""servers":[{"url":"/"},{"url":"/antares"}],"security":[{},{"token":[]}],"paths":{"# + servicePaths + ","
        + mountPaths
        + #"},"components":{"securitySchemes":{"token":{"type":"http","scheme":"bearer"}},"parameters":"# + parameters
        + #","responses":"# + responses
        + #","schemas":"# + schemas + "}}"
}
