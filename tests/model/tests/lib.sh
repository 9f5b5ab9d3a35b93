# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the tests of the software ConnectX as a whole share.
# shellcheck source-path=SCRIPTDIR/.. source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

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
