#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#   namespace near                                     namespace far
#   p0 (netdev) --- end p0 ===wire=== v0 ---veth--- v1
#                      |
#             cx-echo: UDP port 7000 by a rule
# What a rule takes never reaches the kernel; all else does, ping and TCP, while the driver lives, is
# killed, and comes back. Its rules vanish with it.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_netns ping socat md5sum
near="" far=""
netns near far
veth "$near" "$far" 1500
ip -n "$far" addr add 10.9.0.2/24 dev v1
in_ns "$near" "$bin/cx-wired" --socket "$dir/r.room" --daemon --until $$ --end p0 --iface p0,v0
ip -n "$near" addr add 10.9.0.1/24 dev p0
ip -n "$near" link set p0 up

pings() { in_ns "$far" ping -q -c 5 -i 0.05 -W 20 10.9.0.1 >"$dir/ping" || fail "ping: $(cat "$dir/ping")"; }
# asks PORT: sends a line by UDP from far, prints what comes back.
asks() {
	# shellcheck disable=SC2016 # the inner shell's
	in_ns "$far" bash -c 'exec 3<>"/dev/udp/10.9.0.1/$0"; echo hello >&3
		timeout 10 dd bs=99 count=1 <&3 2>/dev/null' "$1"
}
by_queue() { [ "$(asks 7000)" = "*ello" ]; }
by_kernel() { [ "$(asks 7000)" = hello ]; }
# datagrams that the kernel took for its own
# shellcheck disable=SC2016 # the fields of awk
kernels() { in_ns "$near" awk '/^Udp: [0-9]/ { print $2 }' /proc/net/snmp; }

tcp() {
	in_ns "$near" socat -u TCP-LISTEN:5001,reuseaddr - | md5sum >"$dir/got" &
	local sink=$!
	until_ok "the listener stands" sh -c "ip netns exec $near ss -ltn | grep -q 5001"
	head -c 5000000 /dev/urandom | tee >(md5sum >"$dir/sent") |
		in_ns "$far" socat -u - TCP:10.9.0.1:5001
	wait $sink
	until_ok "the sum is there" test -s "$dir/sent"
	cmp "$dir/got" "$dir/sent" || fail "the TCP stream arrived damaged"
}

start() {
	model_bg echo -l -d wire="$dir/r.room:p0" -- "$bin/cx-echo" 7000
	echo=$last
	until_ok "cx-echo is ready" grep -q ready "$dir/echo.out"
}

echo "== the kernel has everything"
ip netns exec "$near" socat UDP-RECVFROM:7000,fork PIPE >"$dir/socat" 2>&1 &
pids+=($!)
until_ok "the kernel answers" by_kernel
pings

echo "== a rule takes its flow, and only that"
start
until_ok "the queue answers" by_queue
pings
tcp
has echo stats '^kernel [1-9]' || fail "nothing went to the kernel: $(ctl echo stats)"
has echo stats '^rx_packets [1-9]' || fail "nothing went to the queue"

echo "== while flows are steered, both go on"
tcp &
stream=$!
before=$(kernels)
for _ in $(seq 8); do by_queue || fail "the queue did not answer"; done
wait $stream || fail "TCP failed"
[ "$(kernels)" = "$before" ] || fail "the kernel got $(($(kernels) - before)) datagrams of the queue's"

echo "== killed: the rule is gone at once, nothing else is hurt"
tcp &
stream=$!
killed "$echo"
until_ok "the kernel answers again" by_kernel
start
until_ok "the queue answers again" by_queue
wait $stream || fail "TCP failed"
killed "$echo"
pings
until_ok "the kernel answers" by_kernel

echo "== ended in order"
start
until_ok "the queue answers" by_queue
kill "$echo"
ends echo "$echo"
until_ok "the kernel answers" by_kernel
