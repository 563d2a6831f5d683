//! Where a component came from, out of the words of the root's `components.json`.

use crate::sources::debian;

/// Debian itself, by the name that package URLs have for it.
pub const DEBIAN: &str = "debian";

/// Where a component came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A binary package of a Debian archive.
    Debian(DebianPackage),
    /// The upstream archive of a Debian source package.
    DebianSource {
        /// As in [`DebianPackage::vendor`].
        vendor: String,
        /// As in [`DebianPackage::distribution`].
        distribution: String,
    },
    /// A Go module, compiled from source; its name is the module's path.
    Go,
    /// A Python wheel.
    Wheel,
    /// This repository.
    Workspace,
    /// A toolchain that is named by no archive, or what one carries.
    Toolchain,
    /// The builder rendered it out of the image definition.
    Image,
    /// A file by its address.
    Url(String),
    /// A container image, by its reference.
    Oci(String),
    /// A file that lay beside the definition.
    File(String),
    /// Words that nobody knows here.
    Other(String),
}

/// A binary package of a Debian archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DebianPackage {
    /// Whose archive it is, in small letters: [`DEBIAN`], or what another one calls itself.
    pub vendor: String,
    /// `debian-13`, or the suite's name where its number is not known.
    pub distribution: String,
    /// `amd64`, `all`.
    pub architecture: String,
    /// The source packages that it was built from. The first is the one under which its flaws are filed.
    pub sources: Vec<SourcePackage>,
}

/// A Debian source package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePackage {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Reads an origin. `kind` is the lockfile's word for it, which older images do not carry: then it shows in the words.
pub fn parse(name: &str, version: &str, text: &str, kind: Option<&str>) -> Origin {
    let archive = debian::Origin::parse(text);
    let path = archive.map_or("", |archive| archive.path);
    let kind = kind.unwrap_or_else(|| match () {
        () if path.ends_with(".deb") => "deb",
        () if path.contains(".orig.tar") => "deb-source",
        () if text == "image definition" => "image",
        () if text.starts_with("orlop ") => "workspace",
        () if text == format!("{name}@{version}") => "go",
        () if text.starts_with("https://") || text.starts_with("http://") => "url",
        () => "",
    });
    match (kind, archive) {
        ("deb", Some(archive)) => return Origin::Debian(package(version, archive)),
        ("deb-source", Some(archive)) => {
            return Origin::DebianSource { vendor: vendor(archive.label), distribution: distribution(archive.suite) };
        }
        _ => {}
    }
    match kind {
        "go" | "go-toolchain" => Origin::Go,
        "wheel" => Origin::Wheel,
        "workspace" => Origin::Workspace,
        "rust-toolchain" | "carried" => Origin::Toolchain,
        "image" => Origin::Image,
        "url" => Origin::Url(text.into()),
        "oci" => Origin::Oci(text.into()),
        "file" => Origin::File(text.into()),
        _ => Origin::Other(text.into()),
    }
}

/// `Debian-Security`, `Debian Backports` → `debian`; of others, their own label.
fn vendor(label: &str) -> String {
    let label = label.to_ascii_lowercase().replace(' ', "-");
    if label.starts_with(DEBIAN) { DEBIAN.into() } else { label }
}

/// `trixie`, `trixie-security` → `debian-13`.
fn distribution(suite: &str) -> String {
    debian::release(suite).map_or_else(|| suite.into(), |number| format!("debian-{number}"))
}

/// By the pool's rules: `pool/AREA/PREFIX/SOURCE/NAME_VERSION_ARCHITECTURE.deb`.
fn package(version: &str, archive: debian::Origin<'_>) -> DebianPackage {
    let stem = archive.path.strip_suffix(".deb").and_then(|path| path.rsplit('/').next());
    let architecture = stem.and_then(|stem| stem.rsplit('_').next()).unwrap_or_default();
    let (source, own) = (archive.source(), debian::source_version(version));
    let of = |name: &str, version: &str| SourcePackage { name: name.into(), version: version.into() };
    let sources = match debian::signed(source) {
        // What is signed was built with the package's own version; the source package that carries the signatures writes it
        // with `+`.
        Some(built) => vec![of(built, own), of(source, &own.replace('-', "+"))],
        None => vec![of(source, own)],
    };
    let (vendor, distribution) = (vendor(archive.label), distribution(archive.suite));
    DebianPackage { vendor, distribution, architecture: architecture.into(), sources }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn debian(version: &str, text: &str) -> DebianPackage {
        match parse("it", version, text, None) {
            Origin::Debian(package) => package,
            other => panic!("{other:?}"),
        }
    }

    fn sources(package: &DebianPackage) -> Vec<(&str, &str)> {
        package.sources.iter().map(|source| (&*source.name, &*source.version)).collect()
    }

    #[test]
    fn a_package_tells_its_source() {
        let text = "Debian trixie pool/main/e/e2fsprogs/libcom-err2_1.47.2-3+b12_amd64.deb";
        let package = debian("1.47.2-3+b12", text);
        assert_eq!((&*package.distribution, &*package.architecture), ("debian-13", "amd64"));
        assert_eq!(sources(&package), [("e2fsprogs", "1.47.2-3")]);
        let text =
            "Debian-Security trixie-security pool/updates/main/l/linux-signed-amd64/linux-image-x_6.12.1-1_amd64.deb";
        let package = debian("6.12.1-1", text);
        assert_eq!(package.distribution, "debian-13");
        assert_eq!(sources(&package), [("linux", "6.12.1-1"), ("linux-signed-amd64", "6.12.1+1")]);
        let package = debian("20250419+deb13u1", "Debian sid pool/main/c/ca-certificates/c_20250419+deb13u1_all.deb");
        assert_eq!((&*package.distribution, &*package.architecture), ("sid", "all"));
        assert_eq!(sources(&package), [("ca-certificates", "20250419+deb13u1")]);
        for (label, vendor) in [("Debian-Security", "debian"), ("Debian Backports", "debian"), ("Other CE", "other-ce")]
        {
            assert_eq!(debian("1-1", &format!("{label} trixie pool/main/x/x/x_1-1_amd64.deb")).vendor, vendor);
        }
    }

    #[test]
    fn words_of_older_images_say_what_kind_they_are() {
        let kind = |name: &str, version: &str, text: &str| parse(name, version, text, None);
        assert_eq!(kind("k8s.io/kubernetes", "v1.37.2", "k8s.io/kubernetes@v1.37.2"), Origin::Go);
        assert_eq!(kind("orlop-init", "0.1.0", "orlop 0.1.0"), Origin::Workspace);
        assert_eq!(kind("rendered by orlop", "0.1.0", "image definition"), Origin::Image);
        assert_eq!(kind("x", "1", "https://example.org/x"), Origin::Url("https://example.org/x".into()));
        assert_eq!(kind("motd", "1", "files/motd"), Origin::Other("files/motd".into()));
        assert_eq!(parse("motd", "1", "files/motd", Some("file")), Origin::File("files/motd".into()));
        assert_eq!(parse("x", "1", "no pool", Some("deb")), Origin::Other("no pool".into()));
    }
}
