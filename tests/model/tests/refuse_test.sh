#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Bad input is refused with a sentence, before anything is made; and however a program ends, no tree, no
# socket, no attachment is left (kill_test.sh has the rest).
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
export TMPDIR=$dir # where cx-run writes its trees
need socat
run=$bin/cx-run

echo "== sentences"
refused "personality 'cx9' is unknown; there are cx5" "$run" -d personality=cx9 -- true
refused "there is no setting 'wheels'" "$run" -d wheels=4 -- true
refused "'sideways' is no value for wire" "$run" -d wire=sideways -- true
refused "'01:00:00:00:00:01' is no value for mac" "$run" -d mac=01:00:00:00:00:01 -- true
refused "'12' is no value for mtu" "$run" -d mtu=12 -- true
for setting in flows=0 flows=65537 len=59 len=9019 proto=sctp vlan=0 vlan=4095 rate=0 rate=-1 count=0 \
	mtu=9979 mtu=1500x log_ft_size=2 log_ft_size=25 name= name=a/b netdev=seventeen-letters- mac=02:00 mac=x; do
	refused "'${setting#*=}' is no value for ${setting%=*}" "$run" -d "wire=gen,$setting" -- true
done
refused "is no value for wire" "$run" -d "wire=$(printf '%0200d' 0):a" -- true
refused "CX_UVERBS: 'smoke' is none of ioctl, write" "$run" -u smoke -- true
refused "CX_REFEREE: 'shout' is none of report, abort, count" "$run" -r shout -- true
refused "at most 4 devices" "$run" -d mtu=1500 -d mtu=1500 -d mtu=1500 -d mtu=1500 -d mtu=1500 -- true
refused "usage: cx-run" "$run"
refused "no-such-program" "$run" -- no-such-program
refused "no wire process listens" "$run" -d wire="$dir/none.room:a" -- true
refused "CX_FAULTS: there is no command 'dance'" "$run" -f "dance" -- true
room r --end a,netdev=none --end b,netdev=none --cable a,b
refused "there is no end 'c'" "$run" -d wire="$dir/r.room:c" -- true

echo "== one driver for one end"
model_bg first -d wire="$dir/r.room:a" -- "$bin/cx-echo" 7000
first=$last
until_ok "the first is there" grep -q ready "$dir/first.out"
refused "is taken by process $first" "$run" -d wire="$dir/r.room:a" -- "$bin/cx-echo" 7000
model_bg other -d wire="$dir/r.room:b" -- "$bin/cx-echo" 7000
other=$last
until_ok "another end is free" grep -q ready "$dir/other.out"
refused "usage: cx-ctl" "$bin/cx-ctl"
socat -u "UNIX-CONNECT:$dir/other.ctl,type=5" - & # says nothing, and keeps nobody from ending
pids+=($!)
connected() { [ "$(grep -c "$dir/other.ctl" /proc/net/unix)" -ge 2 ]; }
until_ok "it is connected" connected
refused "there is no command 'dance'" "$bin/cx-ctl" "$dir/first.ctl" dance
kill "$first" "$other"
ends first "$first"
ends other "$other"

echo "== ended in order, nothing is left"
nothing() { ! compgen -G "$dir/cx-*" >/dev/null; }
until_ok "no tree is left" nothing
model_bg again -d wire="$dir/r.room:a" -- "$bin/cx-echo" 7000 1
ends again "$last"
[ ! -e "$dir/again.ctl" ] || fail "the control socket is left"
until_ok "no tree is left" nothing

echo "== a program that forks, and one that never looks at the device"
model forks -- sh -c 'true & wait; (exit 0)'
[ "$("$run" -- sh -c 'exit 3' >/dev/null; echo $?)" = 3 ] || fail "the exit status is not the program's"
until_ok "no tree is left" nothing

echo "== what the referee finds decides the exit status"
status=0
"$run" -l -d wire=sink -o "$dir/report" -- "$bin/cx-speed" send 1000 >/dev/null 2>&1 || status=$?
[ "$status" = 0 ] || fail "a clean program ends with $status"
