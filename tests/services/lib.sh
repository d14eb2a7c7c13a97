# What the service scripts share: where things are, ports, processes, packages.
# Sourced, not run. Everything that is started lives under $STATE and is ended by its pid file.

set -euo pipefail

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ROOT=$(cd "$HERE/../.." && pwd)
# Programs are kept once for a checkout; a second set of services may run beside the first with its own state.
CACHE=$ROOT/.services
STATE=$(realpath -m "${ROOKERY_SERVICES_DIR:-$CACHE}")
PATH=$PATH:/usr/sbin:/sbin
export PATH

say() { printf '%s\n' "$*" >&2; }
die() {
    say "$(basename "$0"): $*"
    exit 1
}

# apt_install PACKAGE...: as root or through sudo; one clear line when neither is possible.
apt_install() {
    local as=()
    command -v apt-get >/dev/null || die "please install: $* (there is no apt-get here)"
    if [ "$(id -u)" != 0 ]; then
        { command -v sudo >/dev/null && sudo -v; } || die "please install: $* (needs root or sudo)"
        as=(sudo)
    fi
    mkdir -p "$CACHE"
    say "installing $*"
    # One at a time: the package manager fails where another one is at work.
    local install=(flock "$CACHE/apt.lock" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@")
    "${as[@]}" "${install[@]}" >"$CACHE/apt.log" 2>&1 && return
    # The usual reason for a failure is a package list that is missing or old.
    "${as[@]}" apt-get update -q >>"$CACHE/apt.log" 2>&1 || true
    "${as[@]}" "${install[@]}" >>"$CACHE/apt.log" 2>&1 || {
        tail -n 5 "$CACHE/apt.log" >&2
        die "could not install: $* (see $CACHE/apt.log)"
    }
}

# need COMMAND PACKAGE...: installs the packages when the command is missing.
need() {
    local command=$1
    shift
    # A program: a function of the same name is none.
    type -P "$command" >/dev/null || apt_install "$@"
    type -P "$command" >/dev/null || die "$command is still missing after installing $*"
}

# A free port below the range the kernel hands out itself: a client that keeps trying to reach
# a stopped server there could otherwise be given that very port, and connect to itself.
# free_port [FROM COUNT]
free_port() {
    local port
    for _ in $(seq 200); do
        port=$((${1:-25000} + RANDOM % ${2:-7000}))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || {
            echo "$port"
            return
        }
    done
    die "no free port found"
}

# alive NAME: is the process of $STATE/NAME/pid ours and running? A pid may have been given to
# another program since; a process that ended but was not reaped has no command line.
alive() {
    local pid
    pid=$(cat "$STATE/$1/pid" 2>/dev/null) || return 1
    # In braces, so that the shell too is silent about a process that is gone.
    { tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null | grep -qF "$STATE/$1/"
}

# program PID: what the process was started as, without its arguments.
program() {
    { tr '\0' '\n' <"/proc/$1/cmdline"; } 2>/dev/null | sed -n 1p
}

# launch NAME COMMAND...: in a session of its own, so that Ctrl-C in the tests' terminal leaves
# the orderly stop to the script that started it.
launch() {
    local name=$1
    shift
    setsid "$@" </dev/null >>"$STATE/$name/out.log" 2>&1 &
    local pid=$!
    echo "$pid" >"$STATE/$name/pid"
    # Until it is the program, and no longer this shell's copy or setsid: in the moment in which a
    # process becomes another program it has no command line, and would not count as alive.
    for _ in $(seq 500); do
        if [ "$(program "$pid")" = "$1" ] || ! kill -0 "$pid" 2>/dev/null; then break; fi
        sleep 0.01
    done
}

# wait_until SECONDS NAME COMMAND...: until the command succeeds; fails when the service dies.
wait_until() {
    local end=$((SECONDS + $1)) name=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        alive "$name" || {
            tail -n 20 "$STATE/$name/out.log" >&2
            die "$name ended while starting (see $STATE/$name/out.log)"
        }
        [ "$SECONDS" -lt "$end" ] || die "$name did not come up in time (see $STATE/$name/out.log)"
        sleep 0.1
    done
}

# end NAME SIGNAL SECONDS: sends the signal and waits until the process is gone.
end() {
    local name=$1 signal=$2 ends=$((SECONDS + $3)) pid
    alive "$name" || return 0
    pid=$(cat "$STATE/$name/pid")
    kill -s "$signal" "$pid" 2>/dev/null || true
    # A paused process only ends once it is allowed to go on.
    kill -s CONT "$pid" 2>/dev/null || true
    while alive "$name"; do
        if [ "$SECONDS" -ge "$ends" ]; then
            say "$name did not stop in $3 s; killing it"
            kill -s KILL "$pid" 2>/dev/null || true
            ends=$((SECONDS + 10))
        fi
        sleep 0.05
    done
    rm -f "$STATE/$name/pid"
}

# told NAME SIGNAL: for pause and resume.
told() {
    alive "$1" || die "$1 is not running"
    kill -s "$2" "$(cat "$STATE/$1/pid")"
}
