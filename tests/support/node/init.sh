#!/bin/bash
# Process 1 of a throw-away node: builds its file tree, enters it, runs the command, reaps what is orphaned, and by ending
# ends everything in the node. Started by launch.ts in fresh mount, network, PID, IPC, UTS and cgroup namespaces.
#   NODE_NAME    host name
#   NODE_LOWER   root file system to build on, only read
#   NODE_STATE   empty folder of this node alone
#   NODE_TMPFS   not empty where NODE_STATE lies on an overlay, which cannot hold another overlay's upper layer
#   NODE_CGROUPS one "folder type options" a line: the cgroup hierarchies as the host mounts them
#   NODE_SHARES  one "ro|rw source target" a line: host folders to show
set -eu
[ -z "$NODE_TMPFS" ] || mount -t tmpfs -o mode=755 state "$NODE_STATE"
root=$NODE_STATE/root
mkdir -p "$root" "$NODE_STATE/upper" "$NODE_STATE/work"
hostname "$NODE_NAME"
mount -t overlay -o "lowerdir=$NODE_LOWER,upperdir=$NODE_STATE/upper,workdir=$NODE_STATE/work" overlay "$root"

mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"

# devices by name, so that the host's /dev is out of reach
mount -t tmpfs -o mode=755,nosuid dev "$root/dev"
for device in null zero full random urandom tty fuse net/tun kmsg; do
  [ -e "/dev/$device" ] || continue
  mkdir -p "$(dirname "$root/dev/$device")"
  touch "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mkdir "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev shm "$root/dev/shm"
mount -t mqueue -o nosuid,nodev,noexec mqueue "$root/dev/mqueue"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
for number in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${number%:*}" "$root/dev/${number#*:}"; done

# the node's own view of the hierarchies; a v1 host has a tmpfs with one folder for each
if [ "$(wc -l <<<"$NODE_CGROUPS")" -gt 1 ]; then mount -t tmpfs -o mode=755,nosuid,nodev,noexec cgroup "$root/sys/fs/cgroup"; fi
while read -r folder type options; do
  mkdir -p "$root$folder"
  mount -t "$type" ${options:+-o "$options"} "$type" "$root$folder"
done <<<"$NODE_CGROUPS"

mount -t tmpfs -o mode=755,nosuid,nodev run "$root/run"
mkdir -p "$root/run/lock" "$root/run/user" "$root/run/netns"
# an overlay's upper layer cannot lie on an overlay: what holds stores and logs is a plain folder
for folder in /tmp /var/tmp /var/log /var/lib/containers /var/lib/cni /var/lib/crio /var/lib/kubelet; do
  mkdir -p "$NODE_STATE/disk$folder" "$root$folder"
  mount --bind "$NODE_STATE/disk$folder" "$root$folder"
done
chmod 1777 "$root/tmp" "$root/var/tmp"
while read -r mode source target; do
  [ -n "$source" ] || continue
  if [ -d "$source" ]; then mkdir -p "$root$target"; else mkdir -p "$(dirname "$root$target")"; touch "$root$target"; fi
  mount --bind "$source" "$root$target"
  [ "$mode" = rw ] || mount -o remount,bind,ro "$root$target"
done <<<"$NODE_SHARES"

cd "$root"
mkdir -p .host
pivot_root . .host
cd /
umount -l /.host
rmdir /.host

# a cgroup v2 group that holds processes cannot hand controllers to its children: move them down one level
if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
  mkdir /sys/fs/cgroup/init
  while read -r pid; do echo "$pid" >/sys/fs/cgroup/init/cgroup.procs 2>/dev/null || true; done </sys/fs/cgroup/cgroup.procs
  for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true
  done
fi

unset NODE_LOWER NODE_STATE NODE_TMPFS NODE_CGROUPS NODE_SHARES root
set +e
"$@" <&0 &
child=$!
trap 'kill -TERM $child' TERM INT
wait $child
code=$?
while kill -0 $child 2>/dev/null; do wait $child; code=$?; done
exit $code
