//! What is known of upstreams that images are usually made of: the licence that each declares for itself, and the name under
//! which vulnerability databases file it. Nothing of it is in an image; a name that is not here has neither.

/// What is known of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Declared licence, an SPDX expression.
    pub licence: Option<&'static str>,
    /// Its name there.
    pub cpe: Option<Cpe>,
}

/// CPE part (`a` application, `o` operating system), vendor and product.
pub type Cpe = (&'static str, &'static str, &'static str);

/// Name (Go module, Debian source package, crate of this repository) → what is known.
///
/// Licences are those that upstream's own files declare (`LICENSE`, `COPYING`, Debian's `copyright`), CPEs those of the NVD's
/// dictionary.
const TABLE: &[(&str, Option<&str>, Option<Cpe>)] = &[
    ("ca-certificates", Some("MPL-2.0 AND GPL-2.0-or-later"), None),
    ("github.com/containerd/containerd/v2", Some("Apache-2.0"), Some(("a", "linuxfoundation", "containerd"))),
    (
        "github.com/containernetworking/plugins",
        Some("Apache-2.0"),
        Some(("a", "linuxfoundation", "cni_network_plugins")),
    ),
    ("github.com/opencontainers/runc", Some("Apache-2.0"), Some(("a", "linuxfoundation", "runc"))),
    // Its version is the module's; the standard library, which it is linked in as, has Go's own.
    ("golang.org/toolchain", Some("BSD-3-Clause"), None),
    ("k8s.io/kubernetes", Some("Apache-2.0"), Some(("a", "kubernetes", "kubernetes"))),
    ("libseccomp", Some("LGPL-2.1-only"), Some(("a", "libseccomp_project", "libseccomp"))),
    ("linux", Some("GPL-2.0-only WITH Linux-syscall-note"), Some(("o", "linux", "linux_kernel"))),
    ("musl", Some("MIT"), Some(("a", "musl-libc", "musl"))),
    ("rust", Some("Apache-2.0 OR MIT"), Some(("a", "rust-lang", "rust"))),
    ("stdlib", Some("BSD-3-Clause"), Some(("a", "golang", "go"))),
    ("systemd", Some("LGPL-2.1-or-later"), Some(("a", "systemd_project", "systemd"))),
    ("ziglang", Some("MIT"), Some(("a", "ziglang", "zig"))),
];

/// What is known of an upstream, by its name.
pub fn known(name: &str) -> Option<Known> {
    let row = TABLE.binary_search_by(|row| row.0.cmp(name)).ok()?;
    let (_, licence, cpe) = TABLE[row];
    Some(Known { licence, cpe })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::OWN_LICENCE;

    #[test]
    fn the_table_is_sorted_and_names_are_found() {
        assert!(TABLE.is_sorted_by(|one, other| one.0 < other.0));
        for (name, licence, _) in TABLE {
            assert_eq!(known(name).and_then(|known| known.licence), *licence, "{name}");
        }
        assert_eq!(known("github.com/nobody/knows"), None);
        assert_eq!(OWN_LICENCE, "Apache-2.0 OR MIT");
    }
}
