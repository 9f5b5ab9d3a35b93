# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What the wire tests share. A wire process of a test listens on $dir/ROOM.room.
# shellcheck source-path=SCRIPTDIR/../.. source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"
driver=

ctl() { "$bin/cx-wirectl" --socket "$dir/$1.room" "${@:2}"; }

# counter ROOM END NAME
counter() { ctl "$1" status "$2" | sed -n "s/.*\"$3\": \([0-9]*\).*/\1/p"; }

# driver ROOM END MODE...: starts one, waits until it is attached; its pid in $driver, output in $dir/END.out
driver() {
	"$bin/cx-wire-driver" "$dir/$1.room" "${@:2}" >"$dir/$2.out" 2>&1 &
	driver=$!
	pids+=("$driver")
	until_ok "driver on $2 attaches" grep -q ready "$dir/$2.out"
}
