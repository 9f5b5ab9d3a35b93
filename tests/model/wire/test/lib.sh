# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the wire tests share: a temporary directory, namespaces and processes that are gone at the
# end, whatever happens. A wire process of a test listens on $dir/ROOM.sock.
set -euo pipefail
dir=$(mktemp -d)
spaces=()
pids=()
driver=

cleanup() {
	local p n
	for p in "${pids[@]}"; do kill -9 "$p" 2>/dev/null || true; done
	for p in "$dir"/*.sock; do [ ! -S "$p" ] || "$RAWNET_BIN/cx-wirectl" --socket "$p" stop 2>/dev/null || true; done
	for n in "${spaces[@]}"; do ip netns del "$n" 2>/dev/null || true; done
	rm -rf "$dir"
}
trap cleanup EXIT

fail() { echo "FAIL: $*" >&2; exit 1; }

need_netns() {
	[ "$(id -u)" = 0 ] || { echo "SKIP: needs root for network namespaces"; exit 77; }
	[ -c /dev/net/tun ] || { echo "SKIP: needs /dev/net/tun"; exit 77; }
	local c
	for c in ip "$@"; do command -v "$c" >/dev/null || { echo "SKIP: needs $c"; exit 77; }; done
}

# netns NAME...: namespaces of this test; the variable NAME holds each one's real name.
netns() {
	local n
	for n in "$@"; do
		ip netns add "wire-$$-$n"
		spaces+=("wire-$$-$n")
		ip -n "wire-$$-$n" link set lo up
		printf -v "$n" %s "wire-$$-$n"
	done
}

in_ns() { ip netns exec "$@"; }
ctl() { "$RAWNET_BIN/cx-wirectl" --socket "$dir/$1.sock" "${@:2}"; }

# counter ROOM END NAME
counter() { ctl "$1" status "$2" | sed -n "s/.*\"$3\": \([0-9]*\).*/\1/p"; }

# until_ok WHAT COMMAND...: waits up to a minute for the command to succeed.
until_ok() {
	for _ in $(seq 1200); do "${@:2}" >/dev/null 2>&1 && return 0; sleep 0.05; done
	fail "$1"
}

# driver ROOM END MODE...: starts one, waits until it is attached; its pid in $driver, output in $dir/END.out
driver() {
	"$RAWNET_BIN/cx-wire-driver" "$dir/$1.sock" "${@:2}" >"$dir/$2.out" 2>&1 &
	driver=$!
	pids+=("$driver")
	until_ok "driver on $2 attaches" grep -q ready "$dir/$2.out"
}

# refused SENTENCE COMMAND...: fails, and says so.
refused() {
	local out
	if out=$("${@:2}" 2>&1); then fail "not refused: ${*:2}"; fi
	[[ $out == *"$1"* ]] || fail "refused with '$out', not '$1'"
}
