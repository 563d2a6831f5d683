#!/bin/bash
# A peer for the benchmarks, nothing of it is a part of Orlop: a minimal Debian 13 with systemd, and with the very
# containerd, kubelet, runc and CNI plugins of our root. Direct kernel boot, one static pod, no network card.
# usage, as root: debian-systemd.sh BASE.tar TREE CTR OUT   (TREE is our root as a folder; OUT gets disk.img, kernel, initrd)
set -euo pipefail
base=$1 tree=$2 ctr=$3 out=$4
root=$out/root
rm -rf "$root"; mkdir -p "$root"
tar -C "$root" -xf "$base"
install -D -t "$root/usr/local/bin" "$tree"/usr/bin/{kubelet,containerd,containerd-shim-runc-v2,runc} "$ctr"
install -D -t "$root/opt/cni/bin" "$tree"/usr/libexec/cni/{bridge,host-local}
install -D "$tree/usr/share/orlop/preload/localhost+pause:1.tar" "$root/usr/share/pause.tar"
mkdir -p "$root"/etc/{containerd,cni/net.d,kubernetes/manifests} "$root/var/lib/kubelet"
cat >"$root/etc/containerd/config.toml" <<'C'
version = 3
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "localhost/pause:1"
[plugins."io.containerd.cri.v1.runtime".cni]
  use_internal_loopback = true
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
    SystemdCgroup = true
C
cat >"$root/etc/cni/net.d/10-b.conflist" <<'C'
{"cniVersion":"1.0.0","name":"b","plugins":[{"type":"bridge","bridge":"cni0","isGateway":true,"ipMasq":false,"ipam":{"type":"host-local","ranges":[[{"subnet":"10.88.0.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}
C
cat >"$root/var/lib/kubelet/config.yaml" <<'C'
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
enableServer: false
healthzPort: 10248
staticPodPath: /etc/kubernetes/manifests
podCIDR: 10.88.0.0/24
seccompDefault: true
failSwapOn: false
C
cat >"$root/etc/kubernetes/manifests/p.yaml" <<'C'
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: default}
spec: {automountServiceAccountToken: false, containers: [{name: p, image: "localhost/pause:1", imagePullPolicy: Never}]}
C
units=$root/etc/systemd/system
cat >"$units/containerd.service" <<'C'
[Unit]
After=local-fs.target
[Service]
Type=notify
ExecStartPre=-/sbin/modprobe overlay
ExecStart=/usr/local/bin/containerd
ExecStartPost=/usr/local/bin/ctr -n k8s.io images import /usr/share/pause.tar
Delegate=yes
KillMode=process
[Install]
WantedBy=multi-user.target
C
cat >"$units/kubelet.service" <<'C'
[Unit]
After=containerd.service
Requires=containerd.service
[Service]
ExecStart=/usr/local/bin/kubelet --config=/var/lib/kubelet/config.yaml
Restart=always
[Install]
WantedBy=multi-user.target
C
# Says on the console when kubelet answers and when the pod's log is there; the kernel puts its time before each line.
cat >"$units/mark.service" <<'C'
[Unit]
After=kubelet.service
[Service]
ExecStart=/bin/bash -c 'until { exec 3<>/dev/tcp/127.0.0.1/10248 && printf "GET /healthz HTTP/1.0\r\n\r\n" >&3 && grep -q ok <&3; } 2>/dev/null; do sleep .2; done; echo "<0>peer: kubelet healthy" >/dev/kmsg; until ls /var/log/pods/*/*/*.log >/dev/null 2>&1 || /usr/local/bin/ctr -n k8s.io tasks ls -q 2>/dev/null | sed -n 2p | grep -q .; do sleep .3; done; echo "<0>peer: pod running" >/dev/kmsg'
[Install]
WantedBy=multi-user.target
C
mkdir -p "$units/multi-user.target.wants"
for unit in containerd kubelet mark; do ln -sf "../$unit.service" "$units/multi-user.target.wants/$unit.service"; done
echo peer >"$root/etc/hostname"
printf '127.0.0.1 localhost peer\n' >"$root/etc/hosts"
echo '/dev/vda / ext4 defaults 0 1' >"$root/etc/fstab"
cp "$root"/boot/vmlinuz-* "$out/kernel"
cp "$root"/boot/initrd.img-* "$out/initrd"
rm -f "$out/disk.img"
truncate -s 3G "$out/disk.img"
PATH=$PATH:/usr/sbin mke2fs -q -t ext4 -d "$root" "$out/disk.img"
rm -rf "$root"
