#!/bin/sh
# Runs a peer's tool in a Debian root of its own, whatever the host's version is: ROOT becomes `/`, WORK is on /mnt.
# usage, in a mount namespace of its own: inside.sh ROOT WORK COMMAND…
set -eu
root=$1 work=$2
shift 2
mount --make-rprivate /
mount --bind "$root" "$root"
cd "$root"
mount -t proc proc proc
mount --rbind /dev dev
mount --rbind /sys sys
mount -t tmpfs tmpfs run
mount -t tmpfs tmpfs tmp
mount --bind "$work" mnt
# mkosi changes its root itself, which the kernel refuses inside a mere chroot.
pivot_root . .
umount -l .
cd /mnt
export PATH=/usr/sbin:/usr/bin LC_ALL=C.UTF-8
exec "$@"
