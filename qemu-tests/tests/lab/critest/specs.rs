//! The specs of critest that do not run on this node, each with its reason. `docs/lab.md` has the same lists.

/// Left out by us: a pattern, how many specs fit it, and why.
pub const LEFT_OUT: &[(&str, usize, &str)] = &[
    ("AppArmor", 9, "profiles are loaded by whoever has CAP_MAC_ADMIN, which nobody has on a node (docs/node.md)"),
    ("public image with digest should be", 1, "its digest is that of upstream's image, which cannot be made here"),
    (
        "with host port and container port",
        1,
        "CNI's portmap comes with a cluster's CNI; the node has bridge and host-local",
    ),
    ("should support HostIpc is", 2, "they need `ipcmk`, which busybox does not have"),
    ("privilege escalation when", 2, "their image is a setuid program of upstream's"),
    ("should support MaskedPaths", 1, "it masks `/bin/ls`; the shell of Debian's busybox has an `ls` of its own"),
    ("nil profile, which is unconfined", 1, "a node's containerd gives its default profile where none is asked for"),
];

/// Left out by critest itself, unless it is told otherwise: likewise.
pub const BENCHMARKS: (&str, usize, &str) =
    ("benchmark", 5, "they measure, and judge nothing: critest leaves them out by itself");

/// They say themselves that they do not apply: how a name starts, how many, and why.
pub const SKIPPED: &[(&str, usize, &str)] = &[
    ("NRI", 13, "containerd's NRI is off: a plugin of it could change every container"),
    ("Image Volume [Feature:ImageVolume] [It] should return image digest", 1, "containerd 2.3 does not tell it yet"),
];
