extension OpenAPIDocument {
    /// What can be asked of mounts; members of the object `paths`.
    static let mountPaths = #"""
        "/mounts": {
          "get": {
            "operationId": "listMounts",
            "summary": "The mounts, oldest first; an agent's own.",
            "description": "Roles: operator, agent, reader.",
            "responses": {
              "200": {
                "description": "the mounts",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mounts"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"}
            }
          },
          "post": {
            "operationId": "mount",
            "summary": "Makes a mount, and answers when it is Ready. The same job again is the same mount.",
            "description": "Roles: operator, agent.",
            "parameters": [{"$ref": "#/components/parameters/Prefer"}],
            "requestBody": {
              "required": true,
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/MountRequest"}}}
            },
            "responses": {
              "200": {
                "description": "the mount",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "202": {
                "description": "begun; Location says where to ask",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"},
              "404": {"$ref": "#/components/responses/E404"},
              "409": {"$ref": "#/components/responses/E409"},
              "500": {"$ref": "#/components/responses/E500"},
              "502": {"$ref": "#/components/responses/E502"},
              "503": {"$ref": "#/components/responses/E503"},
              "504": {"$ref": "#/components/responses/E504"}
            }
          }
        },
        "/mounts/{mount_id}": {
          "get": {
            "operationId": "getMount",
            "summary": "One mount.",
            "description": "Roles: operator, agent, reader.",
            "parameters": [{"$ref": "#/components/parameters/MountID"}],
            "responses": {
              "200": {
                "description": "the mount",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"},
              "404": {"$ref": "#/components/responses/E404"}
            }
          },
          "delete": {
            "operationId": "unmount",
            "summary": "Ends a mount.",
            "description": "Roles: operator, agent.",
            "parameters": [
              {"$ref": "#/components/parameters/MountID"},
              {"$ref": "#/components/parameters/Force"},
              {"$ref": "#/components/parameters/Kill"},
              {"$ref": "#/components/parameters/Prefer"}
            ],
            "requestBody": {
              "required": false,
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/UnmountOptions"}}}
            },
            "responses": {
              "200": {
                "description": "the mount",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "202": {
                "description": "begun; Location says where to ask",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"},
              "404": {"$ref": "#/components/responses/E404"},
              "500": {"$ref": "#/components/responses/E500"},
              "503": {"$ref": "#/components/responses/E503"}
            }
          }
        },
        "/mounts/{mount_id}/ready": {
          "get": {
            "operationId": "isReady",
            "summary": "Whether it can be used.",
            "description": "Roles: operator, agent, reader.",
            "parameters": [{"$ref": "#/components/parameters/MountID"}],
            "responses": {
              "200": {
                "description": "whether it can",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Ready"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"},
              "404": {"$ref": "#/components/responses/E404"}
            }
          }
        },
        "/mounts/{mount_id}/diff": {
          "get": {
            "operationId": "getDifference",
            "summary": "What its job wrote: how what it shows differs from its snapshot, by path.",
            "description": "Roles: operator, agent, reader. A path that is not UTF-8 has its bytes in path_base64 or from_base64, too.",
            "parameters": [
              {"$ref": "#/components/parameters/MountID"},
              {
                "name": "limit",
                "in": "query",
                "required": false,
                "schema": {"type": "integer", "minimum": 0, "maximum": 1000000, "default": 10000},
                "description": "How many changes are told at most; total is how many there are."
              }
            ],
            "responses": {
              "200": {
                "description": "the changes",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Difference"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"},
              "404": {"$ref": "#/components/responses/E404"},
              "409": {"$ref": "#/components/responses/E409"},
              "500": {"$ref": "#/components/responses/E500"},
              "502": {"$ref": "#/components/responses/E502"},
              "503": {"$ref": "#/components/responses/E503"},
              "504": {"$ref": "#/components/responses/E504"}
            }
          }
        },
        "/mounts/{mount_id}/reset": {
          "post": {
            "operationId": "reset",
            "summary": "Gives it a new worker, under running jobs.",
            "description": "Roles: operator, agent.",
            "parameters": [{"$ref": "#/components/parameters/MountID"}],
            "responses": {
              "200": {
                "description": "the mount",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"},
              "404": {"$ref": "#/components/responses/E404"},
              "409": {"$ref": "#/components/responses/E409"},
              "500": {"$ref": "#/components/responses/E500"}
            }
          }
        },
        "/mounts/{mount_id}/renew": {
          "post": {
            "operationId": "renew",
            "summary": "Begins its lease anew.",
            "description": "Roles: operator, agent.",
            "parameters": [{"$ref": "#/components/parameters/MountID"}],
            "requestBody": {
              "required": false,
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Renewal"}}}
            },
            "responses": {
              "200": {
                "description": "the mount",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"},
              "404": {"$ref": "#/components/responses/E404"},
              "409": {"$ref": "#/components/responses/E409"}
            }
          }
        },
        "/mounts/{mount_id}/cl": {
          "post": {
            "operationId": "setChangelist",
            "summary": "Another changelist on the same mount.",
            "description": "Roles: operator, agent. The next view is built beside the present one and takes its place in one step. What the job has written is refused (409) unless carry or discard is said. `Prefer: respond-async` answers 202 at once.",
            "parameters": [
              {"$ref": "#/components/parameters/MountID"},
              {"$ref": "#/components/parameters/Prefer"}
            ],
            "requestBody": {
              "required": true,
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ChangelistRequest"}}}
            },
            "responses": {
              "200": {
                "description": "the mount",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "202": {
                "description": "it was begun",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"},
              "404": {"$ref": "#/components/responses/E404"},
              "409": {"$ref": "#/components/responses/E409"},
              "500": {"$ref": "#/components/responses/E500"},
              "502": {"$ref": "#/components/responses/E502"},
              "503": {"$ref": "#/components/responses/E503"},
              "504": {"$ref": "#/components/responses/E504"}
            }
          },
          "delete": {
            "operationId": "clearChangelist",
            "summary": "No changelist on the same mount.",
            "description": "Roles: operator, agent. As POST.",
            "parameters": [
              {"$ref": "#/components/parameters/MountID"},
              {"$ref": "#/components/parameters/Prefer"},
              {
                "name": "carry",
                "in": "query",
                "required": false,
                "schema": {"type": "boolean"},
                "description": "Takes over what the job has written."
              },
              {
                "name": "discard",
                "in": "query",
                "required": false,
                "schema": {"type": "boolean"},
                "description": "Gives up what the job has written."
              }
            ],
            "requestBody": {
              "required": false,
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ChangelistRemoval"}}}
            },
            "responses": {
              "202": {
                "description": "it was begun",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "200": {
                "description": "the mount",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"},
              "404": {"$ref": "#/components/responses/E404"},
              "409": {"$ref": "#/components/responses/E409"},
              "500": {"$ref": "#/components/responses/E500"},
              "502": {"$ref": "#/components/responses/E502"},
              "503": {"$ref": "#/components/responses/E503"},
              "504": {"$ref": "#/components/responses/E504"}
            }
          }
        },
        "/mounts/by-job/{job_id}": {
          "get": {
            "operationId": "getMountOfJob",
            "summary": "One mount.",
            "description": "Roles: operator, agent, reader.",
            "parameters": [{"$ref": "#/components/parameters/JobID"}],
            "responses": {
              "200": {
                "description": "the mount",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "404": {"$ref": "#/components/responses/E404"}
            }
          },
          "delete": {
            "operationId": "unmountJob",
            "summary": "Ends a mount.",
            "description": "Roles: operator, agent.",
            "parameters": [
              {"$ref": "#/components/parameters/JobID"},
              {"$ref": "#/components/parameters/Force"},
              {"$ref": "#/components/parameters/Kill"},
              {"$ref": "#/components/parameters/Prefer"}
            ],
            "requestBody": {
              "required": false,
              "content": {"application/json": {"schema": {"$ref": "#/components/schemas/UnmountOptions"}}}
            },
            "responses": {
              "200": {
                "description": "the mount",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "202": {
                "description": "begun; Location says where to ask",
                "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Mount"}}}
              },
              "401": {"$ref": "#/components/responses/E401"},
              "403": {"$ref": "#/components/responses/E403"},
              "400": {"$ref": "#/components/responses/E400"},
              "404": {"$ref": "#/components/responses/E404"},
              "500": {"$ref": "#/components/responses/E500"},
              "503": {"$ref": "#/components/responses/E503"}
            }
          }
        }
        """#
}
