# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the tests of the software ConnectX and of its wires share: a temporary directory, processes and
# network namespaces that are gone at the end, whatever happens.
set -euo pipefail
dir=$(mktemp -d)
bin=$RAWNET_BIN
spaces=()
pids=()

# What still runs in a namespace would keep the test's output open, and whoever reads it waiting.
cleanup() {
	local p
	for p in "${pids[@]}" $(jobs -p); do kill -9 "$p" 2>/dev/null || true; done
	for p in "$dir"/*.room; do [ ! -S "$p" ] || "$bin/cx-wirectl" --socket "$p" stop 2>/dev/null || true; done
	for p in "${spaces[@]}"; do
		ip netns pids "$p" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
		ip netns del "$p" 2>/dev/null || true
	done
	rm -rf "$dir"
}
trap cleanup EXIT

fail() { echo "FAIL: $*" >&2; exit 1; }
skip() { echo "SKIP: $*"; exit 77; }
need() {
	local c
	for c in "$@"; do command -v "$c" >/dev/null || skip "needs $c"; done
}

need_netns() {
	[ "$(id -u)" = 0 ] || skip "needs root for network namespaces"
	[ -c /dev/net/tun ] || skip "needs /dev/net/tun"
	need ip "$@"
}

# netns NAME...: namespaces of this test; the variable NAME holds each one's real name.
netns() {
	local n
	for n in "$@"; do
		ip netns add "cx-$$-$n"
		spaces+=("cx-$$-$n")
		ip -n "cx-$$-$n" link set lo up
		printf -v "$n" %s "cx-$$-$n"
	done
}

# in_ns NAME COMMAND...; in the background `ip netns exec` itself, for $! to be the command.
in_ns() { ip netns exec "$@"; }

# veth NEAR FAR MTU: v0 in NEAR, v1 in FAR. v0 will be the far side of an end's wire, and that end's
# alone: NEAR's kernel would answer on it for addresses of the end, and take what comes for itself. A
# bridge that is down keeps it away.
veth() {
	ip -n "$1" link add v0 mtu "$3" type veth peer name v1 netns "$2" mtu "$3"
	ip -n "$1" link add nowhere type bridge 2>/dev/null || skip "needs bridges"
	ip -n "$1" link set v0 master nowhere
	ip -n "$1" link set v0 up
	ip -n "$2" link set v1 up
}

# wait_for COMMAND...: waits up to a minute for the command to succeed.
wait_for() {
	for _ in $(seq 1200); do "$@" >/dev/null 2>&1 && return 0; sleep 0.05; done
	return 1
}
# until_ok WHAT COMMAND...: the same, or the test fails with what is said of it.
until_ok() { wait_for "${@:2}" || fail "$1"; }

# refused SENTENCE COMMAND...: fails, and says so.
refused() {
	local out
	if out=$("${@:2}" 2>&1); then fail "not refused: ${*:2}"; fi
	[[ $out == *"$1"* ]] || fail "refused with '$out', not '$1'"
}
