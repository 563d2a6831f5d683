//! The packages of a suite with its updates and security fixes: where a locked version comes from.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::PathBuf;

use debversion::Version;
use orlop_config::definition::is_sha256;

use super::super::cache::Cache;
use super::super::download::{Downloader, Wanted};
use super::super::error::{At, Error};
use super::super::progress::Report;
use super::super::unpack;
use super::archive::Archive;
use super::control::{Paragraph, paragraphs, relations};
use super::release::{self, Release};

/// A package (or a file of a source package) of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `LABEL SUITE POOL-PATH`.
    pub origin: String,
    /// Digest of the file.
    pub sha256: String,
    /// Bytes of the file.
    pub size: u64,
    /// `Pre-Depends` and `Depends`: for each the alternatives.
    pub depends: Vec<Vec<String>>,
}

/// The verified indexes of one suite, `SUITE-updates` and `SUITE-security`.
#[derive(Debug)]
pub struct Index {
    suite: String,
    /// Label and suite of each part, its `Packages`, and its `Sources` when they were asked for.
    parts: Vec<Part>,
    /// The newest `Date:` of the parts.
    pub date: u64,
}

#[derive(Debug)]
struct Part {
    label: String,
    suite: String,
    packages: String,
    sources: String,
}

/// What an index is fetched with.
pub struct Fetcher<'a> {
    /// Where the archive is.
    pub archive: &'a Archive,
    /// Who downloads.
    pub downloader: &'a Downloader,
    /// Where to.
    pub cache: &'a Cache,
    /// Who is told.
    pub report: &'a dyn Report,
    /// Whose signatures count.
    pub keys: &'a [&'a [u8]],
    /// Seconds since 1970, now.
    pub now: u64,
}

impl Index {
    /// Fetches and verifies a suite's indexes, with the `Sources` where `sources` asks for them.
    pub fn fetch(fetcher: &Fetcher<'_>, suite: &str, sources: bool) -> Result<Index, Error> {
        let suites = [
            ("Debian", suite.to_string()),
            ("Debian", format!("{suite}-updates")),
            ("Debian-Security", format!("{suite}-security")),
        ];
        let (mut parts, mut newest) = (Vec::new(), 0);
        for (label, name) in suites {
            let release = fetcher.release(label, &name)?;
            newest = newest.max(release.date);
            let packages = fetcher.text(&release, label, &name, "main/binary-amd64/Packages.xz")?;
            let sources =
                if sources { fetcher.text(&release, label, &name, "main/source/Sources.xz")? } else { String::new() };
            parts.push(Part { label: label.into(), suite: name, packages, sources });
        }
        Ok(Index { suite: suite.into(), parts, date: newest })
    }

    /// The newest version of a binary package.
    pub fn package(&self, name: &str) -> Result<Package, Error> {
        self.package_in(name, None)
    }

    /// A binary package in one of the versions that the indexes have; the newest, where none is asked for.
    pub fn package_in(&self, name: &str, asked: Option<&str>) -> Result<Package, Error> {
        let mut found: Option<(Version, Package)> = None;
        let mut there = BTreeSet::new();
        for part in &self.parts {
            for paragraph in named(&part.packages, name) {
                let package = part.package(paragraph)?;
                let version = version(&package)?;
                there.insert(package.version.clone());
                let wanted = asked.is_none_or(|asked| asked == package.version);
                if wanted && found.as_ref().is_none_or(|(best, _)| version > *best) {
                    found = Some((version, package));
                }
            }
        }
        found.map(|(_, package)| package).ok_or_else(|| match asked {
            Some(asked) if !there.is_empty() => Error::Unresolved(format!(
                "no version {asked} of package `{name}` in {0}, {0}-updates and {0}-security; there is {1}",
                self.suite,
                there.into_iter().collect::<Vec<_>>().join(", ")
            )),
            _ => self.unknown("package", name),
        })
    }

    /// The package among the dependencies of `meta` whose name starts with `prefix`; both in one version, where one is asked
    /// for.
    pub fn follow(&self, meta: &str, prefix: &str, asked: Option<&str>) -> Result<Package, Error> {
        let package = self.package_in(meta, asked)?;
        let names = package.depends.iter().flatten();
        let found = names.into_iter().find(|name| name.starts_with(prefix)).ok_or_else(|| {
            Error::Unresolved(format!("`{meta}` {} depends on no package named `{prefix}…`", package.version))
        })?;
        self.package_in(found, asked)
    }

    /// The newest version of a source package's upstream archive (`*.orig.tar.*`).
    pub fn source(&self, name: &str) -> Result<Package, Error> {
        let mut found: Option<(Version, Package)> = None;
        for part in &self.parts {
            for paragraph in named(&part.sources, name) {
                let package = part.source(paragraph)?;
                let version = version(&package)?;
                if found.as_ref().is_none_or(|(best, _)| version > *best) {
                    found = Some((version, package));
                }
            }
        }
        found.map(|(_, package)| package).ok_or_else(|| self.unknown("source package", name))
    }

    /// A package and the libraries that its programs load. A tool runs by its own loader inside the cache and
    /// needs nothing else of what its packages depend on.
    pub fn with_libraries(&self, name: &str) -> Result<BTreeMap<String, Package>, Error> {
        let mut all = BTreeMap::new();
        let mut open = vec![name.to_string()];
        while let Some(name) = open.pop() {
            if all.contains_key(&name) {
                continue;
            }
            let package = self.package(&name)?;
            for alternatives in &package.depends {
                let libraries: Vec<_> = alternatives.iter().filter(|name| is_library(name)).collect();
                open.extend(libraries.iter().find(|name| self.package(name).is_ok()).map(|name| (**name).clone()));
            }
            all.insert(name, package);
        }
        Ok(all)
    }

    fn unknown(&self, kind: &str, name: &str) -> Error {
        let suite = &self.suite;
        Error::Unresolved(format!("no {kind} `{name}` in {suite}, {suite}-updates and {suite}-security"))
    }
}

impl Part {
    fn package(&self, paragraph: Paragraph<'_>) -> Result<Package, Error> {
        let name = paragraph.get("Package").unwrap_or_default();
        let field = |field: &str| {
            paragraph
                .get(field)
                .ok_or_else(|| Error::format(format!("{} Packages", self.suite), format!("`{name}` has no `{field}`")))
        };
        let depends = ["Pre-Depends", "Depends"].iter().filter_map(|name| paragraph.get(name)).flat_map(relations);
        Package {
            name: name.into(),
            version: field("Version")?.into(),
            origin: format!("{} {} {}", self.label, self.suite, field("Filename")?),
            sha256: field("SHA256")?.into(),
            size: field("Size")?.parse().unwrap_or(0),
            depends: depends.map(|names| names.into_iter().map(str::to_owned).collect()).collect(),
        }
        .checked(&self.suite)
    }

    fn source(&self, paragraph: Paragraph<'_>) -> Result<Package, Error> {
        let name = paragraph.get("Package").unwrap_or_default();
        let bad = |reason: &str| Error::format(format!("{} Sources", self.suite), format!("`{name}` {reason}"));
        let line = paragraph
            .lines("Checksums-Sha256")
            .into_iter()
            .find(|line| line.contains(".orig.tar.") && !line.ends_with(".asc"))
            .ok_or_else(|| bad("has no upstream archive"))?;
        let parts: Vec<_> = line.split_whitespace().collect();
        let [sha256, size, file] = parts[..] else { return Err(bad("has a bad line of checksums")) };
        let folder = paragraph.get("Directory").ok_or_else(|| bad("has no `Directory`"))?;
        Package {
            name: name.into(),
            version: paragraph.get("Version").ok_or_else(|| bad("has no `Version`"))?.into(),
            origin: format!("{} {} {folder}/{file}", self.label, self.suite),
            sha256: sha256.into(),
            size: size.parse().unwrap_or(0),
            depends: Vec::new(),
        }
        .checked(&self.suite)
    }
}

impl Package {
    fn checked(self, suite: &str) -> Result<Package, Error> {
        if is_sha256(&self.sha256) && self.size > 0 {
            return Ok(self);
        }
        Err(Error::format(format!("{suite}: `{}`", self.name), "has no proper SHA-256 and size"))
    }
}

/// The paragraphs of one package: found by its line, so that the other 60,000 are not looked at.
fn named<'a>(index: &'a str, name: &str) -> Vec<Paragraph<'a>> {
    let line = format!("Package: {name}\n");
    let starts = index.match_indices(&line).map(|(at, _)| at).filter(|at| *at == 0 || index[..*at].ends_with('\n'));
    starts
        .filter_map(|at| {
            let start = index[..at].rfind("\n\n").map_or(0, |gap| gap + 2);
            paragraphs(&index[start..]).next()
        })
        .collect()
}

/// Debian's libraries are called `lib…`, but for one.
fn is_library(package: &str) -> bool {
    package.starts_with("lib") || package == "zlib1g"
}

fn version(package: &Package) -> Result<Version, Error> {
    package
        .version
        .parse()
        .map_err(|_| Error::format(&package.name, format!("`{}` is no Debian version", package.version)))
}

impl Fetcher<'_> {
    fn release(&self, label: &str, suite: &str) -> Result<Release, Error> {
        let what = format!("{label} {suite} InRelease");
        let base = self.archive.base(label).unwrap_or_default();
        let wanted =
            Wanted { input: what.clone(), url: format!("{base}/dists/{suite}/InRelease"), sha256: None, size: None };
        let sha256 = self.downloader.fetch(self.cache, &wanted, self.report)?;
        let bytes = std::fs::read(self.cache.blob_path(&sha256)).at(&what)?;
        let release = release::parse(&release::verify(&bytes, self.keys, &what)?, self.now, &what)?;
        // The keys sign the indexes of several archives and suites: one of them does not stand for another.
        for (got, asked) in [(&release.label, label), (&release.codename, suite)] {
            if got != asked {
                let reason = format!("is signed as the index of `{got}`, not of `{asked}`");
                return Err(Error::Signature { what, reason });
            }
        }
        Ok(release)
    }

    /// A file that a release names, by its digest: an index that is replaced meanwhile is still there.
    fn text(&self, release: &Release, label: &str, suite: &str, path: &str) -> Result<String, Error> {
        let what = format!("{suite} {path}");
        let (sha256, size) =
            release.files.get(path).ok_or_else(|| Error::format(&what, "the index names no such file"))?;
        let base = self.archive.base(label).unwrap_or_default();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let url = format!("{base}/dists/{suite}/{folder}/by-hash/SHA256/{sha256}");
        let wanted = Wanted { input: what.clone(), url, sha256: Some(sha256.clone()), size: Some(*size) };
        let blob = match self.blob(&wanted) {
            Err(Error::NotFound { .. }) => self.blob(&Wanted { url: format!("{base}/dists/{suite}/{path}"), ..wanted }),
            other => other,
        }?;
        let file = std::fs::File::open(blob).at(&what)?;
        let mut text = String::new();
        unpack::decompress(file, &what)?.read_to_string(&mut text).at(&what)?;
        Ok(text)
    }

    /// A file whose content was hashed in this run: one that was damaged in the cache is fetched again.
    fn blob(&self, wanted: &Wanted) -> Result<PathBuf, Error> {
        for _ in 0..2 {
            let sha256 = self.downloader.fetch(self.cache, wanted, self.report).map_err(of_another_state)?;
            match self.cache.blob(&sha256) {
                Ok(Some(path)) => return Ok(path),
                Ok(None) => {}
                Err(error @ Error::Corrupt { .. }) => self.report.note(&error.to_string()),
                Err(error) => return Err(error),
            }
        }
        Err(Error::format(&wanted.input, "was fetched, and is not in the cache"))
    }
}

/// No lockfile names this digest: the signed index does.
fn of_another_state(error: Error) -> Error {
    match error {
        Error::WrongHash { input, expected, got, from, .. } => Error::Signature {
            what: input,
            reason: format!(
                "{from} has SHA-256 {got}, the signed index says {expected}; the mirror may be between two states: try \
                 again later, or name another with ORLOP_DEBIAN_MIRROR"
            ),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SUM: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn package(name: &str, version: &str, depends: &str) -> String {
        format!(
            "Package: {name}\nVersion: {version}\nDepends: {depends}\nFilename: pool/{name}_{version}.deb\nSize: 7\nSHA256: {SUM}\n\n"
        )
    }

    fn index() -> Index {
        let main = [
            package("tool", "1.2-3", "libone (>= 1), perl, zlib1g (>= 1:1.2), libvirtual | libtwo (<< 9), debconf"),
            package("libone", "1.0-1", "libtwo, libone-data"),
            package("libone-data", "1", ""),
            package("zlib1g", "1:1.3", "libtwo"),
            package("libtwo", "2.0~rc1-1", "libone"),
            package("linux-meta", "6.12.9", "linux-image-6.12.9-cloud (= 6.12.9), linux-doc"),
            package("linux-image-6.12.9-cloud", "6.12.9", ""),
            package("linux-lost", "6.12.8", "linux-image-6.12.9-cloud"),
        ];
        let security = [
            package("libtwo", "2.0-1", "libone"),
            package("libone", "1.0-1~deb13u1", ""),
            package("linux-image-6.12.9-cloud", "6.12.9+1", ""),
        ];
        let sources = format!(
            "Package: seccomp\nVersion: 2.6.0-2\nDirectory: pool/main/s\nChecksums-Sha256:\n {SUM} 9 s_2.6.0-2.dsc\n {SUM} 10 s_2.6.0.orig.tar.gz.asc\n {SUM} 11 s_2.6.0.orig.tar.gz\n"
        );
        let part = |label: &str, suite: &str, packages: String, sources: String| Part {
            label: label.into(),
            suite: suite.into(),
            packages,
            sources,
        };
        let parts = vec![
            part("Debian", "trixie", main.concat(), sources),
            part("Debian-Security", "trixie-security", security.concat(), String::new()),
        ];
        Index { suite: "trixie".into(), parts, date: 0 }
    }

    #[test]
    fn the_newest_version_of_all_suites_counts() {
        let two = index().package("libtwo").unwrap();
        assert_eq!(two.origin, "Debian-Security trixie-security pool/libtwo_2.0-1.deb");
        assert_eq!(index().package("libone").unwrap().version, "1.0-1", "~ sorts before nothing");
        let error = index().package("one").unwrap_err().to_string();
        assert!(error.contains("no package `one` in trixie, trixie-updates and trixie-security"), "{error}");
    }

    #[test]
    fn a_meta_package_is_followed() {
        let follow = |meta: &str, asked: Option<&str>| index().follow(meta, "linux-image-", asked);
        let newest = follow("linux-meta", None).unwrap();
        assert_eq!((&*newest.name, &*newest.version), ("linux-image-6.12.9-cloud", "6.12.9+1"));
        // In the version that is asked for, or not at all.
        assert_eq!(follow("linux-meta", Some("6.12.9")).unwrap().version, "6.12.9");
        let error = follow("linux-lost", Some("6.12.8")).unwrap_err().to_string();
        assert!(error.contains("no version 6.12.8 of package `linux-image-6.12.9-cloud`"), "{error}");
        assert!(error.contains("there is 6.12.9, 6.12.9+1"), "{error}");
        assert!(index().follow("linux-meta", "linux-image-7", None).is_err());
    }

    #[test]
    fn a_tool_comes_with_its_libraries_and_nothing_else() {
        let all = index().with_libraries("tool").unwrap();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["libone", "libone-data", "libtwo", "tool", "zlib1g"]);
    }

    #[test]
    fn a_source_package_is_its_upstream_archive() {
        let source = index().source("seccomp").unwrap();
        assert_eq!((source.size, source.origin.as_str()), (11, "Debian trixie pool/main/s/s_2.6.0.orig.tar.gz"));
    }

    #[test]
    fn a_package_without_digest_is_refused() {
        let mut index = index();
        index.parts[0].packages = index.parts[0].packages.replace(SUM, "00");
        let error = index.package("tool").unwrap_err().to_string();
        assert!(error.contains("`tool`") && error.contains("SHA-256"), "{error}");
    }

    proptest! {
        #[test]
        fn any_cut_is_survived(cut in 0usize..1200) {
            let mut index = index();
            let cut = cut.min(index.parts[0].packages.len());
            index.parts[0].packages.truncate(cut);
            let cut = cut.min(index.parts[0].sources.len());
            index.parts[0].sources.truncate(cut);
            let _ = index.with_libraries("tool");
            let _ = index.source("seccomp");
        }
    }
}
