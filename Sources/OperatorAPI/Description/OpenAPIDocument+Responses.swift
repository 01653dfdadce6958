extension OpenAPIDocument {
    /// The answers of failures.
    static let responses = #"""
        {
          "E400": {
            "description": "the request is wrong",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
          },
          "E401": {
            "description": "a token is wanted",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
          },
          "E403": {
            "description": "not allowed",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
          },
          "E404": {
            "description": "there is none",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
          },
          "E405": {
            "description": "not a method of this path; Allow names those that are",
            "headers": {"Allow": {"required": true, "schema": {"type": "string"}}},
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
          },
          "E409": {
            "description": "in use for something else",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
          },
          "E410": {
            "description": "served no more",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
          },
          "E417": {
            "description": "what Expect asks for is not met",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
          },
          "E500": {
            "description": "it failed",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
          },
          "E502": {
            "description": "the origin failed",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
          },
          "E503": {
            "description": "not now; see Retry-After",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
          },
          "E504": {
            "description": "the deadline passed",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
          }
        }
        """#
}
