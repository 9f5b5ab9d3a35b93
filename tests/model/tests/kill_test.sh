#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Killed at any point, nothing is left behind: no tree, no socket, no netdev, no process, whether it is
# the launcher, the program on the device, or the wire process that is killed; and who lives on notices
# and goes on.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need_netns pgrep
space=""
netns space
export TMPDIR=$dir # where cx-run writes its trees

sockets() { cat /proc/net/unix; in_ns "$space" cat /proc/net/unix; }
netdevs() { ip -n "$space" -o link show; }
# clean WHAT: nothing of a device, a launcher or a wire process is left.
clean() {
	nothing() {
		! compgen -G "$dir/cx-*" && ! compgen -G "$dir/*.ctl" && ! compgen -G "$dir/*.room" &&
			! netdevs | grep -q p0 && ! sockets | grep -q "$dir" && ! maintained
	}
	wait_for nothing || fail "left after $1: $(compgen -G "$dir/*" | tr '\n' ' ') $(netdevs)"
}
# Is there a janitor whose work is in $dir?
maintained() {
	local p
	for p in $(pgrep -x cx-janitor); do
		grep -qsa "TMPDIR=$dir" "/proc/$p/environ" && return 0
	done
	return 1
}
wire() {
	in_ns "$space" "$bin/cx-wired" --socket "$dir/r.room" --daemon --until $$ --end p0
	wired=$("$bin/cx-wirectl" --socket "$dir/r.room" status | sed -n 's/.*"pid": \([0-9]*\).*/\1/p')
}
gone() { ! kill -0 "$1"; }

echo "== the program, from the launcher's first step on"
wire
for ms in 0 1 2 3 5 8 12 16 20 25 30 40 60 100 150; do
	model_bg victim -d wire="$dir/r.room:p0" -- "$bin/cx-echo" 7000
	sleep "$(printf '0.%03d' "$ms")"
	killed "$last"
	swept() { ! compgen -G "$dir/cx-*" && [ ! -e "$dir/victim.ctl" ]; }
	until_ok "a tree or a socket is left after $ms ms: $(compgen -G "$dir/*" | tr '\n' ' ')" swept
done
free() { ! "$bin/cx-wirectl" --socket "$dir/r.room" status p0 | grep -q '"driver": [1-9]'; }
until_ok "the end is free" free

echo "== the wire process, idle"
kill -9 "$wired"
until_ok "it is gone" gone "$wired"
clean "an idle wire process"

echo "== the wire process, from its first step on"
for ms in 0 1 2 3 5 8 12 20; do
	ip netns exec "$space" "$bin/cx-wired" --socket "$dir/r.room" --until $$ --end p0 >/dev/null 2>&1 &
	victim=$!
	pids+=("$victim")
	sleep "$(printf '0.%03d' "$ms")"
	killed "$victim"
	clean "a wire process that lived $ms ms"
done

echo "== the wire process under a program: the link goes down, the program ends in order"
wire
model_bg echo -l -d wire="$dir/r.room:p0" -- "$bin/cx-echo" 7000
echo=$last
until_ok "cx-echo is ready" grep -q ready "$dir/echo.out"
has echo stats '^link 1' || fail "no link"
kill -9 "$wired"
until_ok "the link is down" has echo stats '^link 0'
kill "$echo"
ends echo "$echo"
clean "program and wire process"

echo "== both at once"
wire
model_bg echo -d wire="$dir/r.room:p0" -- "$bin/cx-echo" 7000
until_ok "cx-echo is ready" grep -q ready "$dir/echo.out"
kill -9 "$wired" "$last"
wait "$last" 2>/dev/null || true
clean "both"

echo "== a new socket under the old name is not swept away"
for _ in 1 2 3 4 5; do
	model_bg first -d wire=loop -- "$bin/cx-echo" 7000
	until_ok "cx-echo is ready" grep -q ready "$dir/first.out"
	kill -9 "$last"
	model_bg first -d wire=loop -- "$bin/cx-echo" 7000
	until_ok "its socket is there" ctl first stats
	until_ok "only its tree is there" sh -c "[ \$(ls -d $dir/cx-* | wc -l) = 1 ]"
	ctl first stats >/dev/null || fail "the socket of a living program was removed"
	killed "$last"
done
clean "the end"
