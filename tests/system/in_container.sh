# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# What scripts share that are run by systemd inside a container: each line of their output begins with
# ok, FAIL or #; the test outside reads it (container_result).

show() { systemctl show -p "$1" --value "${2:-rawnetd.service}"; }
check() {
	local text=$1
	shift
	if "$@" >/tmp/said 2>&1; then
		echo "ok $text"
	else
		echo "FAIL $text: $(tr '\n' ' ' </tmp/said)"
	fi
}
until_true() {
	local end=$((SECONDS + 40))
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
no() { ! "$@"; }
has_rule() { rawnetctl flow show | grep -q 02:00:00:00:00:99; }
other_pid() { [ "$(show MainPID)" != "$1" ] && [ "$(show MainPID)" != 0 ] && has_rule; }
as() { setpriv --reuid nobody --regid nogroup "$@" rawnetctl status; }

killed_by() { # what, command...: another process has the same rule afterwards
	local what=$1 pid
	shift
	pid=$(show MainPID)
	"$@"
	check "$what: another one goes on with the rule" until_true other_pid "$pid"
}

capabilities_of() { # PID: one line for each that it may have
	local mask bit
	mask=$((16#$(sed -n 's/^CapPrm:\t//p' "/proc/$1/status")))
	for bit in $(seq 0 62); do
		(((mask >> bit) & 1)) && echo "$bit"
	done
}

# An interface v0 with an address, its other end in a namespace of its own: "ask TEXT" sends it as a
# datagram to port 7001 there and succeeds if the same comes back.
make_veth() { # NAME
	ip netns add peer
	ip link add "$1" type veth peer name p0 netns peer
	ip addr add 10.77.0.1/24 dev "$1"
	ip -n peer addr add 10.77.0.2/24 dev p0
	ip link set "$1" up
	ip -n peer link set p0 up
}
ask() {
	# shellcheck disable=SC2016 # the inner shell's
	ip netns exec peer bash -c '
		exec 3<>/dev/udp/10.77.0.1/7001
		echo "$0" >&3
		[ "$(timeout 3 dd bs=999 count=1 <&3 2>/dev/null)" = "$0" ]' "$1"
}

# The life of the service, from its first start to its last stop, with programs and traffic.
# The veth is there.
service_life() {
	local most=5
	mkdir -p /run/systemd/system/rawnetd.service.d
	printf '[Service]\nWatchdogSec=10\nTimeoutStopSec=5\nRestartSec=100ms\n' \
		>/run/systemd/system/rawnetd.service.d/quick.conf
	# Where nobody may raise a limit, LimitMEMLOCK= does nothing: two programs would not fit.
	if ! (ulimit -l unlimited) 2>/dev/null; then
		printf 'AmbientCapabilities=CAP_IPC_LOCK\nCapabilityBoundingSet=CAP_IPC_LOCK\n' \
			>>/run/systemd/system/rawnetd.service.d/quick.conf
		most=6
	fi
	systemctl daemon-reload
	check "it starts" systemctl start rawnetd
	check "as its own user" test "$(ps -o user= -p "$(show MainPID)")" = rawnet
	check "with no more than $most capabilities" \
		test "$(grep -c . <<<"$(capabilities_of "$(show MainPID)")")" -le $most
	check "root gets in" rawnetctl status
	check "its group gets in" as --groups "$(getent group rawnet | cut -d: -f3)"
	check "nobody else does" no as --clear-groups
	rawnet-echo -l e v0 macvlan 02:00:00:00:00:99 addr 10.77.0.99 >/tmp/echo.log 2>&1 &
	check "a program gets a rule" until_true has_rule
	rawnet-echo -l udp v0 udp dst 10.77.0.1 dport 7001 >/tmp/udp.log 2>&1 &
	check "another one gets packets of the peer, and answers" until_true ask hello
	sed 's/^/# /' /tmp/udp.log
	check "the kernel has the others" ip netns exec peer ping -c 1 -W 5 10.77.0.1
	check "the journal has fields" until_true grep -q backend <(journalctl -u rawnetd RAWNET_DEV=v0 -o cat)
	check "it reloads" systemctl reload rawnetd
	check "and goes on" until_true ask reloaded
	killed_by "killed" systemctl kill -s KILL rawnetd
	check "and packets" until_true ask killed
	killed_by "restarted" systemctl restart rawnetd
	sleep 12
	check "it is not taken for dead" test "$(show NRestarts)" -le 1
	killed_by "standing still" systemctl kill -s STOP rawnetd
	check "and packets again" until_true ask watched
	check "the programs noticed nothing" no grep -q gone /tmp/echo.log /tmp/udp.log

	echo 'nonsense = 1;' >>/etc/rawnet/rawnetd.conf
	systemctl reload rawnetd
	check "a wrong file is in the status" until_true grep -q nonsense <(show StatusText)
	systemctl restart rawnetd 2>/dev/null
	check "and not started with" test "$(systemctl is-failed rawnetd)" = failed
	check "nor again" test "$(show NRestarts) $(show ExecMainStatus)" = "0 78"
	sed -i /nonsense/d /etc/rawnet/rawnetd.conf
	systemctl reset-failed rawnetd
	check "its socket starts" systemctl start rawnetd.socket
	check "which starts it" rawnetctl status
	check "and the program is back" until_true has_rule
	check "both stop" systemctl stop rawnetd.socket rawnetd
	check "nothing is left on the interface" no grep -q xdp <(ip -d link show v0)
	check "nor in /run" test -z "$(ls /run/rawnet)"
}

# Of the test outside: prints the result; whether it is whole and good.
container_result() { # FILE
	cat "$1"
	grep -q '^# ended' "$1" && ! grep -q '^FAIL' "$1"
}
