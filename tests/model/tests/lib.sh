# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the tests of the software ConnectX share: a temporary directory, processes and namespaces that
# are gone at the end, whatever happens.
set -euo pipefail
dir=$(mktemp -d)
bin=$RAWNET_BIN
spaces=()
pids=()

cleanup() {
	local p
	for p in "${pids[@]}"; do kill -9 "$p" 2>/dev/null || true; done
	for p in "$dir"/*.room; do [ ! -S "$p" ] || "$bin/cx-wirectl" --socket "$p" stop 2>/dev/null || true; done
	for p in "${spaces[@]}"; do ip netns del "$p" 2>/dev/null || true; done
	rm -rf "$dir"
}
trap cleanup EXIT

fail() { echo "FAIL: $*" >&2; exit 1; }
skip() { echo "SKIP: $*"; exit 77; }
need() {
	local c
	for c in "$@"; do command -v "$c" >/dev/null || skip "needs $c"; done
}

# wait_for COMMAND...: waits up to a minute for the command to succeed.
wait_for() {
	for _ in $(seq 1200); do "$@" >/dev/null 2>&1 && return 0; sleep 0.05; done
	return 1
}
# until_ok WHAT COMMAND...: the same, or the test fails with what is said of it.
until_ok() { wait_for "${@:2}" || fail "$1"; }

# room NAME OPTION...: a wire process, on $dir/NAME.room
room() { "$bin/cx-wired" --socket "$dir/$1.room" --daemon --until $$ "${@:2}"; }

# model NAME OPTION... -- PROGRAM...: runs it on the device, output in $dir/NAME.out, and shows that on failure.
model() {
	local name=$1
	"$bin/cx-run" "${@:2}" >"$dir/$name.out" 2>&1 || {
		local status=$?
		cat "$dir/$name.out" >&2
		fail "$name: exit status $status"
	}
}

# model_bg NAME OPTION...: the same in the background, with control socket $dir/NAME.ctl; its pid in $last
model_bg() {
	rm -f "$dir/$1.out" "$dir/$1.ctl"
	"$bin/cx-run" -c "$dir/$1.ctl" "${@:2}" >"$dir/$1.out" 2>&1 &
	last=$!
	pids+=("$last")
}

# ends NAME PID: waits for model_bg's process.
ends() { wait "$2" || { cat "$dir/$1.out" >&2; fail "$1 failed"; }; }

ctl() { "$bin/cx-ctl" "$dir/$1.ctl" "${@:2}"; }
# killed PID: kills it with SIGKILL; it is gone when this returns.
killed() {
	kill -9 "$1"
	wait "$1" 2>/dev/null || true
}

# has NAME QUERY PATTERN: the device answers the query with a line that matches.
has() { ctl "$1" "$2" | grep -Eq "$3"; }

# refused SENTENCE COMMAND...: fails, and says so.
refused() {
	local out
	if out=$("${@:2}" 2>&1); then fail "not refused: ${*:2}"; fi
	[[ $out == *"$1"* ]] || fail "refused with '$out', not '$1'"
}
