#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
# Programs on the device under the checkers of memory. Under memcheck a correct program has no error. A
# program that frees a buffer while the device has it is named: by memcheck, or, built with
# AddressSanitizer, by that; with neither, nobody notices.
# shellcheck source-path=SCRIPTDIR source=lib.sh
. "$(dirname "$0")/lib.sh"

# memcheck DEVICE PROGRAM...: its words in $dir/memcheck; fails as the program does, or with status 99.
memcheck() {
	"$bin/cx-run" -l -d "$1" -- valgrind -q --fair-sched=yes --error-exitcode=99 "${@:2}" >"$dir/memcheck" 2>&1
}

clean() {
	memcheck "$@" || { cat "$dir/memcheck" >&2; fail "memcheck: ${*:2}: status $?"; }
}

# named WAY HOW: $dir/WAY names the access of the device, and who freed the buffer.
named() {
	if grep -Eq "$2" "$dir/$1" && grep -q "free_too_early.*misuse.c" "$dir/$1"; then return; fi
	cat "$dir/$1" >&2
	fail "$1: the freed buffer is not named"
}

case $RAWNET_SANITIZE in
*address*)
	echo "== AddressSanitizer"
	for way in receive:WRITE send:READ; do
		"$bin/cx-run" -d wire=loop -- "$bin/cx-misuse" ${way%:*} >"$dir/asan" 2>&1 &&
			fail "AddressSanitizer: nothing was found"
		grep -q "AddressSanitizer: heap-use-after-free" "$dir/asan" || fail "$(cat "$dir/asan")"
		named asan "${way#*:} of size"
	done
	exit
	;;
?*) skip "memcheck and $RAWNET_SANITIZE exclude each other" ;;
esac
need valgrind ibv_devinfo

echo "== no checker: nobody notices"
for way in receive send; do
	model none -l -d wire=loop -- "$bin/cx-misuse" $way
	grep -q "sent and received" "$dir/none.out"
done

echo "== memcheck: correct programs"
clean wire=loop ibv_devinfo -v
clean wire=sink "$bin/cx-speed" send 5000
clean wire=gen,flows=8 "$bin/cx-speed" receive 5000
grep -q Mpps "$dir/memcheck" || fail "cx-speed did not run"
clean wire=test "$bin/cx_receive_test"

echo "== memcheck: a buffer that was freed"
for way in receive:write send:read; do
	status=0
	memcheck wire=loop "$bin/cx-misuse" ${way%:*} || status=$?
	[ $status = 99 ] || fail "memcheck: status $status: $(cat "$dir/memcheck")"
	named memcheck "Invalid ${way#*:} of size"
done
