# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
# A fresh Debian 12 to try packages on: a root file system made by debootstrap from the mirror that apt
# uses here, once for each build folder, and for each test a layer on top of it that goes away. It is
# booted as a container without a network: what apt wants of the mirror is fetched before.
#
#   debian_need             says SKIP and ends the test where this cannot work
#   debian_root DIR         DIR/root is the file system; DIR/out is /out in it
#   debian_fetch DIR DEB... what these packages depend on is there for apt
#   debian_boot DIR SCRIPT  boots it and runs SCRIPT (a path inside); DIR/console has what it said
#   debian_end DIR

skip() {
	echo "SKIP: $*"
	exit 77
}

# "URI SUITE COMPONENT" of each source of Debian that apt has here.
debian_sources() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' \
		'Created-By: Packages' 'Origin: Debian' 2>/dev/null | sort -u
}

debian_need() {
	local tool
	[ "$(id -u)" = 0 ] || skip "containers need root"
	for tool in debootstrap systemd-nspawn apt-get ip; do
		command -v "$tool" >/dev/null || skip "$tool is not here"
	done
	[ "$(. /etc/os-release && echo "${VERSION_CODENAME:-}")" = bookworm ] || skip "this is not Debian 12"
	debian_sources | grep -q ' bookworm main$' || skip "apt has no mirror of Debian 12 here"
}

# The file system that all tests share, in the build folder.
debian_base() {
	local base=$RAWNET_BUILD/debian uri
	mkdir -p "$base"
	exec 9>"$base/lock"
	flock 9
	if [ ! -d "$base/root" ]; then
		rm -rf "$base/new"
		uri=$(debian_sources | sed -n 's/ bookworm main$//p' | head -n 1)
		debootstrap bookworm "$base/new" "$uri" >"$base/log" 2>&1 ||
			skip "no Debian 12 by debootstrap: $(tail -n 1 "$base/log")"
		debian_sources | sed 's/^/deb /' >"$base/new/etc/apt/sources.list"
		chroot "$base/new" apt-get -q update >>"$base/log" 2>&1
		mv "$base/new" "$base/root"
	fi
	exec 9>&-
}

debian_root() {
	debian_base
	mkdir -p "$1"/{root,upper,work,out}
	mount -t overlay overlay -o "lowerdir=$RAWNET_BUILD/debian/root,upperdir=$1/upper,workdir=$1/work" \
		"$1/root" 2>/dev/null || skip "no overlay file system here"
}

# In a chroot, with the network of this machine; what was fetched once is kept in the build folder.
debian_fetch() {
	local dir=$1 debs=() kept=$RAWNET_BUILD/debian/archives get
	local archives=$1/root/var/cache/apt/archives
	shift
	mkdir -p "$dir/root/tmp/debs"
	cp "$@" "$dir/root/tmp/debs/"
	for deb in "$@"; do debs+=("/tmp/debs/${deb##*/}"); done
	cp /etc/resolv.conf "$dir/root/etc/resolv.conf"
	mkdir -p "$kept"
	find "$kept" -name '*.deb' -exec cp -t "$archives" {} +
	get=(chroot "$dir/root" apt-get -q -y --download-only install "${debs[@]}")
	"${get[@]}" >"$dir/fetch" 2>&1 || { # what is listed is not there any more
		chroot "$dir/root" apt-get -q update && "${get[@]}"
	} >>"$dir/fetch" 2>&1 ||
		skip "apt cannot fetch what the packages depend on: $(tail -n 1 "$dir/fetch")"
	find "$archives" -maxdepth 1 -name '*.deb' -exec cp -u -t "$kept" {} +
	rm -r "$dir/root/tmp/debs"
}

debian_boot() {
	cat >"$1/root/etc/systemd/system/the-test.service" <<-END
		[Unit]
		Requires=basic.target
		After=basic.target
		[Service]
		Type=oneshot
		Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8
		ExecStart=/bin/bash $2
	END
	timeout "${3:-600}" systemd-nspawn -M "rnd$$" --register=no --keep-unit --boot -D "$1/root" \
		--private-network --resolv-conf=off --link-journal=no --capability=all \
		--system-call-filter=@known --bind="$1/out:/out" systemd.unit=the-test.service \
		systemd.firstboot=off </dev/null >"$1/console" 2>&1
}

debian_end() {
	umount "$1/root" 2>/dev/null
	rm -rf "$1"
}
