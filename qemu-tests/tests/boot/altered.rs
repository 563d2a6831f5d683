//! What is altered on the state partition while the power is off: `state_tampered.rs` does it, `docs/security.md` lists it.

/// One alteration of a preloaded image, which init finds before kubelet is let through to containerd.
pub struct Altered {
    /// In words.
    pub what: &'static str,
    /// The image.
    pub image: &'static str,
    /// What init says of it; `DIGEST` stands for that of the altered blob, `PIPE` for that of the one that became a pipe.
    pub says: &'static str,
}

pub const DIGEST: &str = "DIGEST";
pub const PIPE: &str = "PIPE";

pub const IMAGES: [Altered; 3] = [
    Altered {
        what: "one bit in the pause image's unpacked program, of the same size, mode and owner",
        image: "localhost/pause:1",
        says: "/pause: content",
    },
    Altered {
        what: "a pipe in place of an image's layer in containerd's blobs, the mode of its unpacked program, and a file more \
               beside it",
        image: "localhost/hello:1",
        says: "blob sha256:PIPE: cannot be read: No such file or directory (os error 2); /: `planted` is in it; \
               /hello: mode 4755",
    },
    Altered {
        what: "the entrypoint in an image's configuration, in containerd's blobs",
        image: "localhost/probe:1",
        says: "blob sha256:DIGEST: content",
    },
];

/// Files where these programs look on other machines, or would with another configuration.
pub const PLANTED: [(&str, &[&str]); 3] = [
    (
        "kubelet's configuration, flags, static pods and volume plugins",
        &[
            "/lib/kubelet/config.yaml",
            "/lib/kubelet/kubeadm-flags.env",
            "/lib/kubelet/config.d/10-evil.conf",
            "/lib/kubelet/manifests/evil.yaml",
            "/lib/kubelet/volumeplugins/evil~evil/evil",
        ],
    ),
    (
        "containerd's configuration, plugins, image verifiers and runc",
        &[
            "/lib/containerd/config.toml",
            "/lib/containerd/opt/bin/runc",
            "/lib/containerd/io.containerd.internal.v1.opt/bin/runc",
            "/lib/containerd/io.containerd.image-verifier.v1.bindir/evil",
            "/lib/containerd/plugins/evil.so",
        ],
    ),
    ("CNI's configuration and plugins", &["/lib/cni/net.d/00-evil.conflist", "/opt/cni/bin/bridge"]),
];
