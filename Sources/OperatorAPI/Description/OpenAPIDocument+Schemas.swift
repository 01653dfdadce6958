extension OpenAPIDocument {
    /// The forms of bodies.
    static let schemas = #"""
        {
          "Error": {
            "type": "object",
            "properties": {
              "error": {"type": "string"},
              "code": {
                "type": "string",
                "enum": [
                  "INVALID_REQUEST",
                  "BAD_PAYLOAD",
                  "UNAUTHORIZED",
                  "FORBIDDEN",
                  "NOT_FOUND",
                  "GONE",
                  "PATH_NOT_FOUND",
                  "REVISION_NOT_FOUND",
                  "CHANGELIST_NOT_FOUND",
                  "CHANGELIST_CONFLICT",
                  "CONFLICT",
                  "ORIGIN_UNREACHABLE",
                  "ORIGIN_CORRUPT",
                  "TIMEOUT",
                  "FUSE_ERROR",
                  "INTERNAL_ERROR",
                  "OVERLOADED",
                  "SHUTDOWN"
                ]
              }
            },
            "required": ["code", "error"],
            "additionalProperties": false
          },
          "State": {
            "anyOf": [
              {
                "type": "string",
                "enum": ["Provisioning", "Mounted", "Ready", "Quiescing", "Unmounting", "Unmounted"]
              },
              {
                "type": "object",
                "properties": {
                  "Failed": {
                    "type": "object",
                    "properties": {"reason": {"type": "string"}},
                    "required": ["reason"],
                    "additionalProperties": false
                  }
                },
                "required": ["Failed"],
                "additionalProperties": false
              }
            ]
          },
          "Layers": {
            "type": "object",
            "properties": {"upper": {"type": "string"}, "cl": {"type": ["string", "null"]}, "dicfuse": {"type": "string"}},
            "required": ["cl", "dicfuse", "upper"],
            "additionalProperties": false
          },
          "Worker": {
            "type": "object",
            "properties": {
              "pid": {"type": "integer"},
              "restarts": {"type": "integer"},
              "last_restart_cause": {"type": ["string", "null"]},
              "memory_bytes": {"type": ["integer", "null"]},
              "waiting": {"type": ["integer", "null"]},
              "served": {"type": "integer"}
            },
            "required": ["last_restart_cause", "memory_bytes", "pid", "restarts", "served", "waiting"],
            "additionalProperties": false
          },
          "Incident": {
            "type": "object",
            "properties": {
              "time_epoch_ms": {"type": "integer"},
              "pid": {"type": "integer"},
              "cause": {"type": "string"},
              "report": {"type": "array", "items": {"type": "string"}}
            },
            "required": ["cause", "pid", "report", "time_epoch_ms"],
            "additionalProperties": false
          },
          "Holder": {
            "type": "object",
            "properties": {
              "pid": {"type": "integer"},
              "uid": {"type": "integer"},
              "comm": {"type": "string"},
              "what": {"type": "string"},
              "path": {"type": "string"}
            },
            "required": ["comm", "path", "pid", "uid", "what"],
            "additionalProperties": false
          },
          "Unmount": {
            "type": "object",
            "properties": {
              "rung": {"type": "string", "enum": ["plain", "forced"]},
              "duration_ms": {"type": ["number", "null"]},
              "holders": {"type": "array", "items": {"$ref": "#/components/schemas/Holder"}},
              "holders_complete": {"type": "boolean"},
              "killed": {"type": "array", "items": {"type": "integer"}},
              "pinned_elsewhere": {"type": "boolean"},
              "kept_upper": {"type": ["string", "null"]}
            },
            "required": ["duration_ms", "holders", "holders_complete", "kept_upper", "killed", "pinned_elsewhere", "rung"],
            "additionalProperties": false
          },
          "Mount": {
            "type": "object",
            "properties": {
              "mount_id": {"type": "string", "format": "uuid"},
              "job_id": {"type": ["string", "null"]},
              "build_id": {"type": ["string", "null"]},
              "path": {"type": "string"},
              "cl": {"type": ["string", "null"]},
              "mountpoint": {"type": "string"},
              "layers": {"$ref": "#/components/schemas/Layers"},
              "state": {"$ref": "#/components/schemas/State"},
              "created_at_epoch_ms": {"type": "integer"},
              "last_seen_epoch_ms": {"type": "integer"},
              "rev": {"type": ["string", "null"]},
              "commit": {"type": ["string", "null"]},
              "origin": {"type": "string"},
              "uid": {"type": ["integer", "null"]},
              "gid": {"type": ["integer", "null"]},
              "labels": {"type": "object", "additionalProperties": {"type": "string"}},
              "ready_after_ms": {"type": ["number", "null"]},
              "worker": {"anyOf": [{"$ref": "#/components/schemas/Worker"}, {"type": "null"}]},
              "lower": {"type": "string", "enum": ["lazy", "sealed"]},
              "incidents": {"type": "array", "items": {"$ref": "#/components/schemas/Incident"}},
              "upper_policy": {"type": ["string", "null"]},
              "ttl": {"type": ["integer", "null"]},
              "idle_ttl": {"type": ["integer", "null"]},
              "bind_to_client": {"type": "boolean"},
              "lease_left_s": {"type": ["number", "null"]},
              "unmount": {"anyOf": [{"$ref": "#/components/schemas/Unmount"}, {"type": "null"}]},
              "switch": {"anyOf": [{"$ref": "#/components/schemas/Switch"}, {"type": "null"}]}
            },
            "required": [
              "cl",
              "created_at_epoch_ms",
              "job_id",
              "last_seen_epoch_ms",
              "layers",
              "mount_id",
              "mountpoint",
              "path",
              "state"
            ],
            "additionalProperties": true
          },
          "Mounts": {
            "type": "object",
            "properties": {"mounts": {"type": "array", "items": {"$ref": "#/components/schemas/Mount"}}},
            "required": ["mounts"],
            "additionalProperties": false
          },
          "MountRequest": {
            "type": "object",
            "properties": {
              "path": {"type": "string"},
              "job_id": {"type": ["string", "null"]},
              "build_id": {"type": ["string", "null"]},
              "cl": {"type": ["string", "null"]},
              "cl_path": {"type": ["string", "null"]},
              "base": {"type": ["string", "null"], "enum": ["cl", null]},
              "rev": {"type": ["string", "null"]},
              "mountpoint": {"type": ["string", "null"]},
              "uid": {"type": ["integer", "null"]},
              "gid": {"type": ["integer", "null"]},
              "labels": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
              "origin": {"type": ["string", "null"]},
              "upper_policy": {"type": ["string", "null"], "enum": ["delete", "keep", null]},
              "ttl": {"type": ["integer", "null"]},
              "idle_ttl": {"type": ["integer", "null"]},
              "bind_to_client": {"type": ["boolean", "null"]}
            },
            "required": ["path"],
            "additionalProperties": false
          },
          "UnmountOptions": {
            "type": "object",
            "properties": {"force": {"type": "boolean"}, "kill": {"type": "boolean"}},
            "required": [],
            "additionalProperties": false
          },
          "Renewal": {
            "type": "object",
            "properties": {"ttl": {"type": "integer"}},
            "required": [],
            "additionalProperties": false
          },
          "ChangelistRequest": {
            "type": "object",
            "properties": {
              "cl": {"type": "string"},
              "cl_path": {"type": "string"},
              "base": {"type": "string", "enum": ["cl"]},
              "rev": {"type": "string"},
              "carry": {"type": "boolean"},
              "discard": {"type": "boolean"}
            },
            "required": ["cl"],
            "additionalProperties": false
          },
          "ChangelistRemoval": {
            "type": "object",
            "properties": {"carry": {"type": "boolean"}, "discard": {"type": "boolean"}},
            "required": [],
            "additionalProperties": false
          },
          "Switch": {
            "type": "object",
            "properties": {
              "state": {"type": "string", "enum": ["building", "done", "failed"]},
              "reason": {"type": ["string", "null"]},
              "cl": {"type": ["string", "null"]},
              "started_at_epoch_ms": {"type": "integer"},
              "duration_ms": {"type": ["number", "null"]},
              "carried": {"type": "integer"},
              "conflicts": {"type": "array", "items": {"type": "string"}},
              "holders": {"type": "array", "items": {"$ref": "#/components/schemas/Holder"}},
              "holders_complete": {"type": "boolean"}
            },
            "required": [
              "state", "reason", "cl", "started_at_epoch_ms", "duration_ms", "carried", "conflicts", "holders",
              "holders_complete"
            ],
            "additionalProperties": false
          },
          "Ready": {
            "type": "object",
            "properties": {
              "mount_id": {"type": "string"},
              "ready": {"type": "boolean"},
              "state": {"$ref": "#/components/schemas/State"}
            },
            "required": ["mount_id", "ready", "state"],
            "additionalProperties": false
          },
          "Difference": {
            "type": "object",
            "properties": {
              "mount_id": {"type": "string"},
              "commit": {"type": ["string", "null"]},
              "changes": {"type": "array", "items": {"$ref": "#/components/schemas/Change"}},
              "total": {"type": "integer"},
              "limit": {"type": "integer"},
              "truncated": {"type": "boolean"}
            },
            "required": ["mount_id", "commit", "changes", "total", "limit", "truncated"],
            "additionalProperties": false
          },
          "Change": {
            "type": "object",
            "properties": {
              "path": {"type": "string"},
              "path_base64": {"type": "string"},
              "kind": {"type": "string", "enum": ["added", "modified", "deleted", "renamed"]},
              "type": {"type": "string", "enum": ["file", "executable", "symlink", "directory", "other"]},
              "from": {"type": "string"},
              "from_base64": {"type": "string"}
            },
            "required": ["path", "kind", "type"],
            "additionalProperties": false
          },
          "Draining": {
            "type": "object",
            "properties": {"draining": {"type": "boolean"}},
            "required": ["draining"],
            "additionalProperties": false
          },
          "HealthProcess": {
            "type": "object",
            "properties": {
              "kind": {"type": "string"},
              "pid": {"type": "integer"},
              "restarts": {"type": "integer"},
              "memory_bytes": {"type": ["integer", "null"]},
              "last_restart_cause": {"type": ["string", "null"]}
            },
            "required": ["kind", "last_restart_cause", "memory_bytes", "pid", "restarts"],
            "additionalProperties": false
          },
          "Health": {
            "type": "object",
            "properties": {
              "status": {"type": "string", "enum": ["ok", "healthy", "degraded"]},
              "mount_count": {"type": "integer"},
              "uptime_secs": {"type": "integer"},
              "version": {"type": "string"},
              "spare_workers": {"type": "integer"},
              "cache_pid": {"type": ["integer", "null"]},
              "problems": {"type": "array", "items": {"type": "string"}},
              "processes": {"type": "array", "items": {"$ref": "#/components/schemas/HealthProcess"}}
            },
            "required": [
              "cache_pid",
              "mount_count",
              "problems",
              "processes",
              "spare_workers",
              "status",
              "uptime_secs",
              "version"
            ],
            "additionalProperties": false
          },
          "Process": {
            "type": "object",
            "properties": {
              "kind": {"type": "string", "enum": ["supervisor", "cache", "worker", "spare"]},
              "pid": {"type": "integer"},
              "restarts": {"type": "integer"},
              "last_restart_cause": {"type": ["string", "null"]},
              "started_at_epoch_ms": {"type": ["integer", "null"]},
              "memory_bytes": {"type": ["integer", "null"]},
              "cpu_ms": {"type": ["integer", "null"]},
              "fds": {"type": ["integer", "null"]},
              "mount_id": {"type": ["string", "null"]},
              "job_id": {"type": ["string", "null"]},
              "state": {"anyOf": [{"$ref": "#/components/schemas/State"}, {"type": "null"}]},
              "lower": {"type": ["string", "null"]},
              "served": {"type": ["integer", "null"]},
              "in_flight": {"type": ["integer", "null"]},
              "waiting": {"type": ["integer", "null"]},
              "oldest_in_flight_s": {"type": ["number", "null"]},
              "waiting_for_s": {"type": ["number", "null"]},
              "holders": {
                "type": ["array", "null"],
                "items": {"type": "string", "enum": ["supervisor", "worker", "cache", "manager"]}
              }
            },
            "required": [
              "cpu_ms",
              "fds",
              "holders",
              "in_flight",
              "job_id",
              "kind",
              "last_restart_cause",
              "lower",
              "memory_bytes",
              "mount_id",
              "oldest_in_flight_s",
              "pid",
              "restarts",
              "served",
              "started_at_epoch_ms",
              "state",
              "waiting",
              "waiting_for_s"
            ],
            "additionalProperties": false
          },
          "Status": {
            "type": "object",
            "properties": {
              "health": {"$ref": "#/components/schemas/Health"},
              "mounts_by_state": {"type": "object", "additionalProperties": {"type": "integer"}},
              "hardening": {"type": "boolean"},
              "processes": {"type": "array", "items": {"$ref": "#/components/schemas/Process"}}
            },
            "required": ["hardening", "health", "mounts_by_state", "processes"],
            "additionalProperties": false
          },
          "Workers": {
            "type": "object",
            "properties": {
              "workers": {"type": "array", "items": {"$ref": "#/components/schemas/Process"}},
              "service": {"type": "array", "items": {"$ref": "#/components/schemas/Process"}}
            },
            "required": ["service", "workers"],
            "additionalProperties": false
          },
          "LogLine": {
            "type": "object",
            "properties": {
              "number": {"type": "integer"},
              "time_epoch_ms": {"type": "integer"},
              "level": {"type": "string"},
              "part": {"type": "string"},
              "message": {"type": "string"},
              "fields": {"type": "object", "additionalProperties": {"type": "string"}}
            },
            "required": ["fields", "level", "message", "number", "part", "time_epoch_ms"],
            "additionalProperties": false
          },
          "Logs": {
            "type": "object",
            "properties": {"lines": {"type": "array", "items": {"$ref": "#/components/schemas/LogLine"}}},
            "required": ["lines"],
            "additionalProperties": false
          },
          "Event": {
            "type": "object",
            "properties": {
              "id": {"type": "integer"},
              "kind": {"type": "string"},
              "time_epoch_ms": {"type": "integer"},
              "mount_id": {"type": "string"},
              "job_id": {"type": "string"},
              "cause": {"type": "string"},
              "duration_ms": {"type": "number"},
              "details": {"type": "object", "additionalProperties": {"type": "string"}}
            },
            "required": ["id", "kind", "time_epoch_ms"],
            "additionalProperties": false
          },
          "Collection": {
            "type": "object",
            "properties": {"target_bytes": {"type": "integer"}},
            "required": [],
            "additionalProperties": false
          },
          "Verification": {
            "type": "object",
            "properties": {"sweep": {"type": "integer"}},
            "required": ["sweep"],
            "additionalProperties": false
          },
          "Prefetch": {
            "type": "object",
            "properties": {
              "origin": {"type": "string"},
              "rev": {"type": "string"},
              "path": {"type": "string"},
              "depth": {"type": "integer"},
              "contents": {"type": "boolean"}
            },
            "required": [],
            "additionalProperties": false
          },
          "Prefetching": {
            "type": "object",
            "properties": {
              "preload": {"type": "integer"}, "origin": {"type": "string"}, "commit": {"type": "string"},
              "sealed": {"type": "boolean", "description": "Whether the next mount of it is sealed."}
            },
            "required": ["commit", "origin", "preload", "sealed"],
            "additionalProperties": false
          }
        }
        """#
}
