# Helpers of the scripts. Source it; it has no effect of its own.
# shellcheck shell=bash disable=SC2034

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
programs=(antares antares-supervisor antares-worker dicfuse-cache antares-origin)

say() { printf '%s\n' "$*"; }

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# print_help: what the script says of itself at its top.
print_help() { sed -n '2,/^set /{/^set /d; s/^# \{0,1\}//; p}' "$0"; }

# For a check of a configuration whose groups are not this machine's.
no_groups=(--set supervisor.operator_groups= --set supervisor.agent_groups= --set supervisor.reader_groups=)

need_root() {
    [[ $EUID -eq 0 ]] || fail "needs root: it mounts filesystems (run it with sudo)"
}

# wait_for_line FILE PATTERN SECONDS PID: until a line of FILE matches; fails when PID ends or the time is over.
wait_for_line() {
    local file=$1 pattern=$2 pid=$4 tries=$(($3 * 20))
    while ! grep -qE -- "$pattern" "$file" 2>/dev/null; do
        if ! kill -0 "$pid" 2>/dev/null || ((tries-- == 0)); then
            tail -n 20 -- "$file" >&2 || true
            return 1
        fi
        sleep 0.05
    done
}

# wait_for_end PID SECONDS
wait_for_end() {
    local tries=$(($2 * 20))
    while [[ -d /proc/$1 ]] && ! grep -qs '^State:[[:space:]]*Z' "/proc/$1/status"; do
        ((tries-- > 0)) || return 1
        sleep 0.05
    done
}

# The processes that belong to the farm in directory $1: their standard error goes to a file of it.
farm_processes() {
    local link
    for link in /proc/[0-9]*/fd/2; do
        [[ $(readlink "$link" 2>/dev/null || true) == "$1"/*.log ]] || continue
        link=${link#/proc/}
        printf '%s\n' "${link%%/*}"
    done
}

# The mounts below directory $1, innermost last. Names with spaces do not occur there.
farm_mounts() {
    awk -v below="$1/" 'index($5, below) == 1 { print $5 }' /proc/self/mountinfo
}

# A farm is an origin, a supervisor with all it starts, and their directories, all below $farm. Nobody needs to exist: the
# unprivileged users are numbers.
#   farm_create BINARIES            makes $farm and copies the programs into it, where the unprivileged users can execute them
#   farm_origin REPOSITORY [FLAG…]  starts the origin; sets $origin_url and $origin_pid
#   farm_watchdog SECONDS           ends it all when it takes too long
#   farm_supervisor                 starts the supervisor; sets $supervisor_pid and ANTARES_SOCKET
#   farm_stop                       stops both and fails if anything is left
#   farm_destroy                    takes away all of it, whatever state it is in; for traps
farm_create() {
    local program
    farm=$(mktemp -d "${TMPDIR:-/tmp}/ant.XXXXXX")
    [[ ${#farm} -lt 60 ]] || fail "TMPDIR is too long for the paths of sockets: $farm"
    chmod 711 "$farm"
    mkdir -m 755 "$farm/bin"
    for program in "${programs[@]}"; do
        install -m 755 "$1/$program" "$farm/bin/$program"
    done
    PATH=$farm/bin:$PATH
    origin_pid='' supervisor_pid=''
}

farm_origin() {
    local repo=$1
    shift
    "$farm/bin/antares-origin" --repo "$repo" --listen 127.0.0.1:"${origin_port:-0}" "$@" 2>"$farm/origin.log" &
    origin_pid=$!
    wait_for_line "$farm/origin.log" '^listening on ' 20 "$origin_pid" || fail "the origin does not start"
    origin_url=$(sed -n 's/^listening on //p' "$farm/origin.log" | head -n 1)
    origin_port=${origin_url##*:}
}

farm_supervisor() {
    cat >"$farm/supervisor.toml" <<TOML
[supervisor]
socket = "$farm/run/api.sock"
state_dir = "$farm/state"
run_dir = "$farm/run"
mount_root = "$farm/mnt"
upper_root = "$farm/upper"
worker_user = "64701"

[cache]
dir = "$farm/cache"
user = "64702"
limit = "20GiB"

[origins.local]
url = "$origin_url"
default = true
TOML
    export ANTARES_SOCKET=$farm/run/api.sock
    "$farm/bin/antares-supervisor" --config "$farm/supervisor.toml" 2>"$farm/supervisor.log" &
    supervisor_pid=$!
    wait_for_line "$farm/supervisor.log" " supervisor ready " 20 "$supervisor_pid" ||
        fail "the supervisor does not start"
}

# farm_watchdog SECONDS: after that time all waiting in the farm's mounts fails and this script ends. A process that waits in a
# filesystem cannot be killed, so a timeout(1) alone would not do.
farm_watchdog() {
    local script=$$
    (
        trap - EXIT INT TERM
        exec >/dev/null
        sleep "$1" &
        trap 'kill $! 2>/dev/null; exit' TERM
        wait $!
        printf '%s: not done after %s seconds\n' "${0##*/}" "$1" >&2
        farm_abort "$farm"
        kill -TERM "$script"
    ) &
    watchdog_pid=$!
}

# The following answer 1 after they said why, so that a caller may go on.
complain() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    return 1
}

# Ends the origin alone.
farm_stop_origin() {
    [[ -n $origin_pid ]] || return 0
    kill -TERM "$origin_pid" 2>/dev/null || true
    wait_for_end "$origin_pid" 10 || complain "the origin does not end" || return 1
    wait "$origin_pid" 2>/dev/null || true
    origin_pid=''
}

farm_stop() {
    local code=0
    farm_stop_origin || return 1
    kill -TERM "$supervisor_pid" 2>/dev/null || complain "the supervisor has ended by itself" || return 1
    wait_for_end "$supervisor_pid" 30 || complain "the supervisor does not end" || return 1
    wait "$supervisor_pid" || code=$?
    supervisor_pid=''
    [[ $code -eq 0 ]] || complain "the supervisor ended with $code" || return 1
    farm_nothing_left
}

# Whether no mount, process, socket or directory of a job is left.
farm_nothing_left() {
    local left
    left=$(farm_mounts "$farm")
    [[ -z $left ]] || complain "mounts are left: $left" || return 1
    left=$(farm_processes "$farm" | while read -r pid; do printf '%s(%s) ' "$(cat "/proc/$pid/comm")" "$pid"; done)
    [[ -z $left ]] || complain "processes are left: $left" || return 1
    left=$(find "$farm" -type s)
    [[ -z $left ]] || complain "sockets are left: $left" || return 1
    left=$(find "$farm/mnt" "$farm/upper" -mindepth 2 2>/dev/null || true)
    [[ -z $left ]] || complain "directories are left: $left" || return 1
}

# Ends the FUSE connections of the farm in directory $1: whoever waits in one gets an error.
farm_abort() {
    local pid info number
    for pid in $(farm_processes "$1"); do
        for info in /proc/"$pid"/fdinfo/*; do
            number=$(sed -n 's/^fuse_connection:[[:space:]]*//p' "$info" 2>/dev/null || true)
            [[ -z $number ]] || echo 1 2>/dev/null >"/sys/fs/fuse/connections/$number/abort" || true
        done
    done
}

# Kills what belongs to the farm in directory $1, ends its FUSE connections and mounts, and removes the directory.
farm_wipe() {
    local dir=$1 pid mount
    [[ -n $dir && -d $dir ]] || return 0
    farm_abort "$dir"
    # Again and again: one of them may start another before it ends.
    for _ in {1..20}; do
        [[ -n $(farm_processes "$dir") ]] || break
        for pid in $(farm_processes "$dir"); do
            kill -KILL "$pid" 2>/dev/null || true
        done
        sleep 0.1
    done
    while read -r mount; do umount -l -- "$mount" 2>/dev/null || true; done < <(farm_mounts "$dir" | tac)
    find "$dir" -xdev -type d -exec chattr -i -- {} + 2>/dev/null || true
    rm -rf --one-file-system -- "$dir" 2>/dev/null || rm -rf --one-file-system -- "$dir" || true
}

farm_destroy() {
    [[ -n ${farm:-} ]] || return 0
    [[ -z ${watchdog_pid:-} ]] || kill "$watchdog_pid" 2>/dev/null || true
    farm_wipe "$farm"
    farm=''
}
