#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# perftest_test.sh ioctl|write [cx-run option...]: the distribution's own programs, unmodified, on the device:
# what it says of itself, bandwidth to a sink and from the generator, latency over a cable between two
# processes, many flow rules. Every object must be gone at the end.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"
need ibv_devinfo raw_ethernet_bw raw_ethernet_lat raw_ethernet_fs_rate
a=02:c5:00:00:00:01 b=02:c5:00:00:00:02
how=(-u "$1" "${@:2}")

# On a busy machine perftest may not make out its processor's clock, and then reports nothing, whatever the
# device did: it is asked again.
timed() { ! grep -q 'Correlation coefficient' "$@"; }
# perftest NAME OPTION... -- PROGRAM...: as model.
perftest() {
	local code out=$dir/$1.out
	for _ in $(seq 20); do
		code=0
		"$bin/cx-run" "${@:2}" >"$out" 2>&1 || code=$?
		! timed "$out" || break
	done
	[ $code = 0 ] || { cat "$out" >&2; fail "$1: exit status $code"; }
}

echo "== the device describes itself"
model info "${how[@]}" -l -d wire=loop -d personality=cx4lx,name=mlx5_lx -- ibv_devinfo -v
for line in 'hca_id:.*mlx5_lx' 'vendor_part_id:.*4119' 'vendor_part_id:.*4117' 'link_layer:.*Ethernet' \
	'state:.*PORT_ACTIVE' 'C-VLAN stripping offload' 'max_tso:.*262144' 'hca_core_clock:.*156250kHZ'; do
	grep -q "$line" "$dir/info.out" || fail "ibv_devinfo does not say $line"
done

echo "== bandwidth: sending"
perftest send "${how[@]}" -d wire=sink -- raw_ethernet_bw --client -d mlx5_0 -B $a -E $b -m 64 -n 200000
grep -Eq '^ 64 +200000 ' "$dir/send.out" || fail "no result"
# perftest 4.5 forgets the receive CQ of a sender; nothing else may be left.
"$bin/cx-run" "${how[@]}" -l -d wire=sink -o "$dir/leaks" -- \
	raw_ethernet_bw --client -d mlx5_0 -B $a -E $b -m 1500 -s 1500 -n 20000 -q 4 >/dev/null 2>&1 || true
! grep 'cx: broken' "$dir/leaks" | grep -v exit.leak || fail "a rule was broken"
! grep 'was left' "$dir/leaks" | grep -v '^  CQ ' || fail "an object was left"
[ "$(grep -c 'was left' "$dir/leaks" || true)" -le 1 ] || fail "more than one CQ was left"

echo "== bandwidth: receiving"
perftest receive "${how[@]}" -l -d wire=gen -- raw_ethernet_bw --server -d mlx5_0 -B $a -E $b -m 64 -n 200000
grep -Eq '^ 64 +200000 ' "$dir/receive.out" || fail "no result"

echo "== latency over a cable, two processes"
room r --end a,netdev=none,mac=$a --end b,netdev=none,mac=$b --cable a,b
latency() {
	model_bg pong "${how[@]}" -l -d wire="$dir/r.room:b" -- raw_ethernet_lat --server -d mlx5_0 -B $b -E $a -n 2000
	until_ok "the server has its rule" has pong objects '^flow 1'
	until_ok "the server has its buffers" has pong queues '^rq [0-9]* READY ci 0 posted [1-9]'
	code=0
	"$bin/cx-run" "${how[@]}" -l -d wire="$dir/r.room:a" -- \
		raw_ethernet_lat --client -d mlx5_0 -B $a -E $b -n 2000 >"$dir/ping.out" 2>&1 || code=1
	wait "$last" || code=1
}
for _ in $(seq 20); do
	latency
	! timed "$dir/ping.out" "$dir/pong.out" || break
done
[ "$code" = 0 ] || { cat "$dir/ping.out" "$dir/pong.out" >&2; fail "latency"; }
for side in ping pong; do grep -Eq '^ 64 +2000 ' "$dir/$side.out" || fail "$side: no result"; done

echo "== many flows"
perftest rules "${how[@]}" -l -d wire=loop -- raw_ethernet_fs_rate --server -d mlx5_0 -B $a -E $b -n 2000
grep -Eq '^2000 ' "$dir/rules.out" || fail "no result"
