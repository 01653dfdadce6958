extension OpenAPIDocument {
    /// Parameters that several operations take.
    static let parameters = #"""
        {
          "MountID": {
            "name": "mount_id",
            "in": "path",
            "required": true,
            "schema": {"type": "string", "format": "uuid"},
            "description": "A mount's id."
          },
          "JobID": {
            "name": "job_id",
            "in": "path",
            "required": true,
            "schema": {"type": "string"},
            "description": "A job's name, or a build's where there is no job; percent-encoded."
          },
          "Force": {
            "name": "force",
            "in": "query",
            "required": false,
            "schema": {"type": "boolean"},
            "description": "Without waiting until nobody uses it."
          },
          "Kill": {
            "name": "kill",
            "in": "query",
            "required": false,
            "schema": {"type": "boolean"},
            "description": "Ends the processes that use it."
          },
          "Prefer": {
            "name": "Prefer",
            "in": "header",
            "required": false,
            "schema": {"type": "string"},
            "description": "respond-async: 202 at once; the mount's state tells what became of it."
          }
        }
        """#
}
