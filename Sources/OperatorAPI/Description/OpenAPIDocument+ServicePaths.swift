extension OpenAPIDocument {
    /// What can be asked of the service; members of the object `paths`.
    static let servicePaths = #"""
        "/health": {
          "get": {
            "operationId": "health",
            "summary": "The service in one glance; its status is called ok here, healthy under /antares.",
            "description": "Roles: operator, agent, reader.",
            "responses": {
              "200": {
                "description": "how it is",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"}
            }
          }
        },
        "/status": {
          "get": {
            "operationId": "status",
            "summary": "Every process, and how many mounts are in each state.",
            "description": "Roles: operator, reader.",
            "responses": {
              "200": {
                "description": "all of it",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"}
            }
          }
        },
        "/workers": {
          "get": {
            "operationId": "workers",
            "summary": "Every process: workers and spares, and apart from them supervisor and cache owner.",
            "description": "Roles: operator, reader.",
            "responses": {
              "200": {
                "description": "all of them",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Workers"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"}
            }
          }
        },
        "/drain": {
          "post": {
            "operationId": "drain",
            "summary": "Takes in no mounts any more.",
            "description": "Roles: operator.",
            "responses": {
              "200": {
                "description": "what holds now",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Draining"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"}
            }
          },
          "delete": {
            "operationId": "resume",
            "summary": "Takes in mounts again.",
            "description": "Roles: operator.",
            "responses": {
              "200": {
                "description": "what holds now",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Draining"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"}
            }
          }
        },
        "/events": {
          "get": {
            "operationId": "events",
            "summary": "What happened and happens, as server-sent events; data is an Event.",
            "description": "Roles: operator, agent (events of its own mounts), reader.",
            "parameters": [
              {
                "name": "after",
                "in": "query",
                "required": false,
                "schema": {"type": "integer"},
                "description": "Only what comes after this id; 0 for all that is kept."
              },
              {
                "name": "follow",
                "in": "query",
                "required": false,
                "schema": {"type": "boolean"},
                "description": "false: ends with the newest."
              },
              {
                "name": "Last-Event-ID",
                "in": "header",
                "required": false,
                "schema": {"type": "integer"},
                "description": "As after."
              }
            ],
            "responses": {
              "200": {"description": "the stream", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"},
              "503": {"$ref": "#/components/responses/E503"}
            }
          }
        },
        "/config": {
          "get": {
            "operationId": "configuration",
            "summary": "The configuration in force, and where each value comes from.",
            "description": "Roles: operator, reader. As TOML, with a comment behind each value. Of secrets it has only the names of their files.",
            "responses": {
              "200": {"description": "the configuration", "content": {"application/toml": {"schema": {"type": "string"}}}},
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"}
            }
          }
        },
        "/metrics": {
          "get": {
            "operationId": "metrics",
            "summary": "Prometheus text.",
            "description": "Roles: operator, reader.",
            "responses": {
              "200": {"description": "the metrics", "content": {"text/plain": {"schema": {"type": "string"}}}},
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"}
            }
          }
        },
        "/cache": {
          "get": {
            "operationId": "cache",
            "summary": "What the cache owner says of itself.",
            "description": "Roles: operator, reader.",
            "responses": {
              "200": {"description": "its status", "content": {"application/json": {"schema": {"type": "object"}}}},
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "500": {"$ref": "#/components/responses/E500"},
              "504": {"$ref": "#/components/responses/E504"}
            }
          }
        },
        "/cache/gc": {
          "post": {
            "operationId": "collect",
            "summary": "Begins eviction.",
            "description": "Roles: operator.",
            "requestBody": {
              "required": false,
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Collection"}}}
            },
            "responses": {
              "202": {
                "description": "begun",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Collection"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"},
              "500": {"$ref": "#/components/responses/E500"},
              "504": {"$ref": "#/components/responses/E504"}
            }
          }
        },
        "/cache/verify": {
          "post": {
            "operationId": "verify",
            "summary": "Begins a look at all contents.",
            "description": "Roles: operator.",
            "responses": {
              "202": {
                "description": "begun",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Verification"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "500": {"$ref": "#/components/responses/E500"},
              "504": {"$ref": "#/components/responses/E504"}
            }
          }
        },
        "/cache/prefetch": {
          "post": {
            "operationId": "prefetch",
            "summary": "Begins to fetch a tree.",
            "description": "Roles: operator.",
            "requestBody": {
              "required": true,
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Prefetch"}}}
            },
            "responses": {
              "202": {
                "description": "begun",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Prefetching"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"},
              "404": {"$ref": "#/components/responses/E404"},
              "500": {"$ref": "#/components/responses/E500"},
              "502": {"$ref": "#/components/responses/E502"},
              "504": {"$ref": "#/components/responses/E504"}
            }
          }
        },
        "/logs": {
          "get": {
            "operationId": "logs",
            "summary": "The last lines of the log, oldest first.",
            "description": "Roles: operator, reader.",
            "parameters": [
              {
                "name": "mount",
                "in": "query",
                "required": false,
                "schema": {"type": "string"},
                "description": "Only what is about this mount's id, or about a job."
              },
              {
                "name": "lines",
                "in": "query",
                "required": false,
                "schema": {"type": "integer"},
                "description": "How many; 200."
              },
              {
                "name": "level",
                "in": "query",
                "required": false,
                "schema": {"type": "string"},
                "description": "This level and above."
              }
            ],
            "responses": {
              "200": {
                "description": "the lines",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Logs"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"}
            }
          }
        },
        "/openapi.json": {
          "get": {
            "operationId": "description",
            "summary": "This description.",
            "description": "Roles: operator, agent, reader.",
            "responses": {
              "200": {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {"type": "object"}}}},
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"}
            }
          }
        }
        """#
}
