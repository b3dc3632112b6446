#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Usage: native.sh CGROUP TREE     (NativeMachine starts it in mount, pid, uts, ipc and net namespaces of its own)
#
# Become the systemd of TREE as PID 1. The machine may not reach the host's devices, modules, clock or sysctls: no device
# nodes but the harmless ones, /sys and /proc/sys read-only but for the network's part, and fewer capabilities.
set -euo pipefail

if [ "${1-}" != --in-cgroup ]; then
    group=$1 tree=$2
    mount --make-rprivate /
    # unshare itself stays outside: on pure cgroup v2, a group with processes of its own cannot have controllers.
    echo $$ >"$group/cgroup.procs"
    exec unshare --cgroup "$BASH" "$0" --in-cgroup "$tree"
fi

tree=$2
hostname selsock-native
mount --bind "$tree" "$tree"
mount -t proc proc "$tree/proc"
mount --bind "$tree/proc/sys" "$tree/proc/sys"
mount --bind "$tree/proc/sys/net" "$tree/proc/sys/net"
mount -o remount,bind,ro "$tree/proc/sys"
# An empty sysfs with the one mount point that is needed: the host's would start udev on the host's devices.
mount -t sysfs -o ro sysfs "$tree/sys"
mount -t cgroup2 cgroup2 "$tree/sys/fs/cgroup"
mount -t tmpfs tmpfs "$tree/dev" -o mode=755
# Our own terminal is that of the machine: systemd logs there until the journal is up.
touch "$tree/dev/console"
mount --bind "$(readlink /proc/self/fd/0)" "$tree/dev/console"
for node in null zero full random urandom tty; do
    touch "$tree/dev/$node"
    mount --bind "/dev/$node" "$tree/dev/$node"
done
mkdir "$tree/dev/pts" "$tree/dev/shm"
mount -t devpts devpts "$tree/dev/pts" -o newinstance,ptmxmode=0666
mount -t tmpfs tmpfs "$tree/dev/shm" -o mode=1777
ln -s pts/ptmx "$tree/dev/ptmx"
ln -s /proc/self/fd "$tree/dev/fd"
mount -t tmpfs tmpfs "$tree/run" -o mode=755
mount -t tmpfs tmpfs "$tree/tmp" -o mode=1777
ip link set lo up
cd "$tree"
mkdir -p .oldroot
pivot_root . .oldroot
umount -l /.oldroot
rmdir /.oldroot
exec env -i container=selsock PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set=-sys_module,-sys_time,-sys_rawio,-audit_control,-mac_admin,-mac_override,-syslog \
    --inh-caps=-all /lib/systemd/systemd --show-status=false
