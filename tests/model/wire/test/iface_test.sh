#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#   driver --- a ===wire=== v0 ---veth--- v1 ===wire=== b --- driver      two wire processes
# Frames of every length, tagged and not, cross two interfaces unchanged and in order; and what the kernel
# behind an interface answers is not lost, however fast it is asked.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_netns seq
near="" far=""
netns near far
veth "$near" "$far" 9000
in_ns "$near" "$bin/cx-wired" --socket "$dir/n.room" --daemon --until $$ --end a,netdev=none,mtu=9000 --iface a,v0
in_ns "$far" "$bin/cx-wired" --socket "$dir/f.room" --daemon --until $$ --end b,netdev=none,mtu=9000 --iface b,v1

linked() { ctl "$1" status | grep -q '"link": true'; }
until_ok "link of a" linked n
until_ok "link of b" linked f
driver f b expect 9000 0 answered
"$bin/cx-wire-driver" "$dir/n.room" a send 9000 0 answered
wait "$driver" || fail "$(cat "$dir/b.out")"
[ "$(counter n a drop-wire)" = 0 ] || fail "v0 refused frames"

driver n a expect 9000 100 answered
"$bin/cx-wire-driver" "$dir/f.room" b send 9000 100 answered
wait "$driver" || fail "$(cat "$dir/a.out")"

ctl f stop
ip -n "$far" addr add 10.9.0.2/24 dev v1
sent() { in_ns "$far" cat /sys/class/net/v1/statistics/tx_packets; }
before=$(sent)
driver n a ask 200000
wait "$driver" || fail "$(cat "$dir/a.out")"
answers=$(($(sent) - before)) got=$(sed -n 's/^got //p' "$dir/a.out")
# v1 sends more than answers now and then, and what the kernel has no room for is none.
if [ "$got" -lt 100000 ] || [ $((answers - got)) -gt 50 ]; then fail "$got of $answers answers came"; fi
[ "$(counter n a drop-wire)" = 0 ] || fail "the wire dropped answers"
[ "$(counter n a drop-driver-full)" = 0 ] || fail "the driver had no room"
