#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#   namespace near                                namespace far
#   p0 (netdev) --- end p0 ===wire=== v0 ---veth--- v1
#                      |
#                    driver: none, passing everything, killed again and again
# Ping and TCP, jumbo frames too, never stop.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_netns ping socat md5sum
near="" far=""
netns near far
veth "$near" "$far" 9000
ip -n "$far" addr add 10.9.0.2/24 dev v1

in_ns "$near" "$bin/cx-wired" --socket "$dir/r.room" --daemon --until $$ \
	--end p0,mac=02:00:00:00:00:51,mtu=9000 --iface p0,v0
wired=$(ctl r status | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
[ "$(in_ns "$near" cat /sys/class/net/p0/address)" = 02:00:00:00:00:51 ] || fail "MAC of p0"
ip -n "$near" addr add 10.9.0.1/24 dev p0
ip -n "$near" link set p0 up

pings() { in_ns "$near" ping -q -c 5 -i 0.05 -W 20 "$@" >"$dir/ping" || fail "ping $*: $(cat "$dir/ping")"; }

# stream FROM TO ADDRESS SOURCE: carries what SOURCE prints, and compares the sums.
stream() {
	in_ns "$2" socat -u TCP-LISTEN:5001,reuseaddr - | md5sum >"$dir/got" &
	local sink=$!
	until_ok "listener" sh -c "ip netns exec $2 ss -ltn | grep -q 5001"
	"${@:4}" | tee >(md5sum >"$dir/sent") | in_ns "$1" socat -u - "TCP:$3:5001"
	wait "$sink"
	until_ok "sum" test -s "$dir/sent"
	cmp "$dir/got" "$dir/sent" || fail "TCP stream arrived damaged"
}
bulk() { head -c 10000000 /dev/urandom; }

both_ways() {
	pings 10.9.0.2
	pings -s 8900 -M "do" 10.9.0.2
	stream "$near" "$far" 10.9.0.2 bulk
	stream "$far" "$near" 10.9.0.1 bulk
}

echo "== no driver"
both_ways
[ "$(counter r p0 attaches)" = 0 ] || fail "a driver?"

echo "== a driver that passes everything"
driver r p0 pass
both_ways
came_back() { [ "$(counter r p0 unsteered)" = "$(counter r p0 to-driver)" ]; }
until_ok "every frame comes back from the driver" came_back
[ "$(counter r p0 unsteered)" -gt 1000 ] || fail "the driver was not in the path"

echo "== the driver follows MTU and carrier"
kill "$driver"; wait "$driver" || fail "the driver ends badly"
driver r p0 link
ip -n "$near" link set p0 mtu 3000
ip -n "$far" link set v1 down
until_ok "link down" grep -q "link down mtu 3000" "$dir/p0.out"
in_ns "$near" grep -q 0 /sys/class/net/p0/carrier || fail "p0 keeps its carrier"
ip -n "$far" link set v1 up
until_ok "link up" sh -c "tail -1 $dir/p0.out | grep -q 'link up'"
ip -n "$near" link set p0 mtu 9000
kill "$driver"; wait "$driver" || true
until_ok "the wire works again" in_ns "$near" ping -q -c 1 -W 2 10.9.0.2

# kill_until DONE: a driver is killed and started again until there is a file DONE; how often in $dir/kills
kill_until() {
	local n=0
	while [ ! -e "$1" ]; do
		driver r p0 pass
		sleep 0.08
		kill -9 "$driver"
		wait "$driver" 2>/dev/null || true
		n=$((n + 1))
	done
	echo "$n" >"$dir/kills"
}

echo "== killed and started again: no ping is lost"
before=$(counter r p0 attaches)
(
	trap 'touch "$dir/pinged"' EXIT
	in_ns "$near" ping -q -c 100 -i 0.02 -W 60 10.9.0.2 >"$dir/pings"
) &
traffic=$!
kill_until "$dir/pinged"
wait "$traffic" || true
grep -q " 0% packet loss" "$dir/pings" || fail "$(cat "$dir/pings")"
[ $(($(counter r p0 attaches) - before)) = "$(cat "$dir/kills")" ] || fail "a driver could not attach again"

echo "== killed and started again: a stream is not damaged"
storm() { for _ in 1 2 3 4; do bulk; done; }
(
	trap 'touch "$dir/streamed"' EXIT
	stream "$far" "$near" 10.9.0.1 storm
) &
traffic=$!
kill_until "$dir/streamed"
wait "$traffic" || fail "the stream was damaged"
[ "$(counter r p0 broken)" = 0 ] || fail "a killed driver left a broken ring"
both_ways

echo "== idle, it sleeps"
ticks() { awk '{ print $14 + $15 }' "/proc/$wired/stat"; }
before=$(ticks)
sleep 1
[ $(($(ticks) - before)) -lt 20 ] || fail "idle, it used $(($(ticks) - before)) ticks in a second"

echo "== the far interface goes away: link down, nothing else"
ip -n "$near" link del v0
until_ok "link down" sh -c "$bin/cx-wirectl --socket $dir/r.room status p0 | grep -q '\"link\": false'"

echo "== the netdev is deleted: the rest goes on"
ip -n "$near" link del p0
ctl r status p0 >/dev/null || fail "it ended"
before=$(ticks)
sleep 0.5
[ $(($(ticks) - before)) -lt 20 ] || fail "without its netdev it spins"

echo "== killed, it leaves nothing that stands in the way"
driver r p0 pass
kill -9 "$wired"
wait "$driver" || fail "the driver did not notice"
grep -q "has gone" "$dir/p0.out" || fail "the driver did not notice"
start() { in_ns "$near" "$bin/cx-wired" --socket "$dir/r.room" --daemon --until $$ --end p0; }
# The kernel closes a killed process's descriptors one by one: its netdev may be gone before its socket is.
until_ok "it starts again" start
wired=$(ctl r status | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
kill -9 "$wired"
until_ok "p0 is gone" sh -c "! ip -n $near link show p0"
until_ok "it starts once more" start
ctl r stop
