#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# What cx-wired, its control tool and an end refuse, each with a sentence.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_netns setpriv
near=""
netns near
wired() { in_ns "$near" "$bin/cx-wired" --socket "$dir/$1.room" --daemon --until $$ "${@:2}"; }
drv() { "$bin/cx-wire-driver" "$dir/$1.room" "${@:2}"; }
chmod 755 "$dir"

echo "== options"
refused "usage" "$bin/cx-wired" --socket "$dir/r.room"
refused "given twice" wired r --end a --end a
refused "1 to 15 characters" wired r --end an-end-with-a-long-name
refused "no name for a netdev" wired r --end a,netdev=a-netdev-with-a-long-name
refused "no unicast MAC" wired r --end a,mac=01:00:00:00:00:00
refused "no unicast MAC" wired r --end a,mac=02:00:00:00:00
refused "mtu '70000' is not in" wired r --end a,mtu=70000
refused "unknown option 'colour=red'" wired r --end a,colour=red
refused "there is no end 'b'" wired r --end a --cable a,b
refused "both ends are 'a'" wired r --end a --cable a,a
refused "has a wire already" wired r --end a --end b --loop a --cable a,b
refused "--until '999999999'" "$bin/cx-wired" --socket "$dir/r.room" --end a --until 999999999
refused "none of this name" wired r --end a --iface a,nosuch0
refused "no name of an interface" wired r --end a --iface a

echo "== names, rights, sockets"
refused "the name is in use" wired r --end a,netdev=lo
refused "CAP_NET_ADMIN" setpriv --reuid=65534 --clear-groups "$bin/cx-wired" \
	--socket /tmp/wire-$$-nobody.sock --end a
[ ! -e /tmp/wire-$$-nobody.sock ] || fail "a refused start leaves its socket"
refused "CAP_NET_RAW" setpriv --reuid=65534 --clear-groups "$bin/cx-wired" \
	--socket /tmp/wire-$$-nobody.sock --end a,netdev=none --iface a,lo
refused "No such file" "$bin/cx-wired" --socket "$dir/no/such.room" --end a,netdev=none
echo precious >"$dir/file.room"
refused "File exists" wired file --end a,netdev=none
grep -q precious "$dir/file.room" || fail "a file was overwritten"
rm "$dir/file.room"
ip -n "$near" link show | grep -q a: && fail "a refused start leaves a netdev"

wired r --end a
refused "another wire process listens" wired r --end b
refused "the name is in use" wired s --end a
ctl r status >/dev/null || fail "a refused second start disturbed the first"

echo "== drivers"
refused "there is no end 'nosuch'" drv r nosuch pass
refused "no wire process listens" drv s a pass
driver r a pass
refused "is taken by process $driver" drv r a pass
kill -STOP "$driver"
refused "is taken by process $driver" drv r a pass
kill -9 "$driver"
driverless() { ! ctl r status a | grep -q '"driver"'; }
until_ok "the end is free" driverless
driver r a fork
until_ok "the driver forks" grep -q child "$dir/a.out"
child=$(sed -n 's/^child //p' "$dir/a.out")
pids+=("$child")
kill -9 "$driver"
until_ok "the end is free, though a child holds the connection" driverless
kill -0 "$child" || fail "the child ended too soon to show anything"

echo "== commands"
refused "unknown command 'fly'" ctl r fly
refused "usage: link" ctl r link a
refused "'up' or 'down', not 'sideways'" ctl r link a sideways
refused "there is no end 'b'" ctl r status b
refused "'in' or 'out'" ctl r fault a through drop=1
refused "expected drop=" ctl r fault a in drop=200
refused "capture" ctl r capture a /no/such/dir/file
refused "no argument may hold a space" ctl r "link a" down
ctl r help | grep -q capture || fail "help"

echo "== messages that are none"
for junk in "" x "$(head -c 16 /dev/zero | tr '\0' x)" "$(head -c 3000 /dev/zero | tr '\0' x)"; do
	printf %s "$junk" | timeout 5 socat -t 1 - "UNIX-CONNECT:$dir/r.room,type=5" >/dev/null 2>&1 || true
done
ctl r status >/dev/null || fail "a bad message ended it"
ctl r stop
