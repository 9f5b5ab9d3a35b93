#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#   driver --- a ======== b --- driver        a cable; no kernel side, no right needed
# Frames of every length, tagged and not, in order, link, faults, capture, and that it needs no privilege.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
dropped() { [ "$(counter r a drop-link)" = "$1" ]; }
arrived() { [ $(($(counter r b to-driver) + $(counter r b drop-driver-full))) = "$1" ]; }
broken() { [ "$(counter r a broken)" = "$1" ]; }
all_sent() { [ "$(counter r a wire-out)" = "$1" ]; }

"$bin/cx-wired" --socket "$dir/r.room" --daemon --until $$ --end a,netdev=none,mtu=9000 \
	--end b,netdev=none,mtu=9000 --cable a,b

echo "== every length"
driver r b expect 9000 0 answered
"$bin/cx-wire-driver" "$dir/r.room" a send 9000 0 answered
wait "$driver" || fail "$(cat "$dir/b.out")"
[ "$(counter r b drop-driver-full)" = 0 ] || fail "frames were dropped"

echo "== a flood: every frame arrives in order or is counted"
driver r b expect 200001 64
"$bin/cx-wire-driver" "$dir/r.room" a send 200000 64
until_ok "all sent" all_sent 209000
until_ok "frames vanished" arrived 209000
kill "$driver"; wait "$driver" || fail "$(cat "$dir/b.out")"

echo "== the link"
driver r b link
ctl r link a down
until_ok "b sees that the cable is out" grep -q "link down" "$dir/b.out"
"$bin/cx-wire-driver" "$dir/r.room" a send 10 64
until_ok "frames without a link are counted" dropped 10
ctl r link a up
until_ok "b sees the cable" sh -c "tail -1 $dir/b.out | grep -q 'link up'"
kill "$driver"; wait "$driver" || true

echo "== faults"
ctl r fault a out drop=20 seed=3
driver r b expect 10000 64
"$bin/cx-wire-driver" "$dir/r.room" a send 9000 64
until_ok "faults are counted" sh -c "$bin/cx-wirectl --socket $dir/r.room status a | grep -A2 '\"drop\"' | grep -q '\"frames\": 1[78]..'"
ctl r fault a out off
kill "$driver"; wait "$driver" || fail "$(cat "$dir/b.out")"
ctl r fault b in delay=100 delay-us=2000
driver r b expect 500 64 answered
"$bin/cx-wire-driver" "$dir/r.room" a send 500 64 answered
wait "$driver" || fail "$(cat "$dir/b.out")"
ctl r fault b in off

echo "== capture"
ctl r capture b "$dir/b.pcap"
sent=$(counter r a wire-out)
"$bin/cx-wire-driver" "$dir/r.room" a send 50 100
until_ok "all sent" all_sent $((sent + 50))
ctl r capture b off
[ "$(stat -c %s "$dir/b.pcap")" = $((24 + 50 * 116)) ] || fail "capture has $(stat -c %s "$dir/b.pcap") bytes"

echo "== a driver that writes nonsense is put out, and the end is free again"
"$bin/cx-wire-driver" "$dir/r.room" a nonsense
until_ok "not counted" broken 1
driver r a pass
kill "$driver"; wait "$driver" || fail "pass failed"

echo "== SIGTERM ends it in order"
kill "$(ctl r status | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')"
until_ok "the socket is gone" test ! -e "$dir/r.room"
