//! Where Debian's archive is: what the machine's own apt is told, or `ORLOP_DEBIAN_MIRROR`.

use std::path::Path;

use super::super::error::Error;
use super::control::paragraphs;

/// Base addresses, without a final slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Archive {
    main: String,
    security: String,
}

impl Archive {
    /// The archive that this machine uses.
    pub fn of_this_machine() -> Result<Archive, Error> {
        if let Some(mirror) = std::env::var("ORLOP_DEBIAN_MIRROR").ok().filter(|mirror| !mirror.is_empty()) {
            return Ok(Archive::mirror(&mirror));
        }
        Archive::from_sources(&read_sources(Path::new("/etc/apt"))).ok_or_else(|| {
            Error::Unresolved(
                "no Debian archive known: /etc/apt/sources.list and sources.list.d name no address that ends in \
                 `/debian`; set ORLOP_DEBIAN_MIRROR to one (its security archive is expected beside it, ending in \
                 `-security`)"
                    .into(),
            )
        })
    }

    /// A mirror; the security archive lies beside it.
    pub fn mirror(base: &str) -> Archive {
        let main = base.trim_end_matches('/').to_string();
        Archive { security: format!("{main}-security"), main }
    }

    /// From the texts of apt's sources, each with whether it is in the newer format (`*.sources`).
    fn from_sources(texts: &[(bool, String)]) -> Option<Archive> {
        let addresses: Vec<String> =
            texts.iter().flat_map(|(newer, text)| if *newer { from_deb822(text) } else { from_lines(text) }).collect();
        let ending = |end: &str| addresses.iter().find(|address| address.ends_with(end)).cloned();
        let main = ending("/debian")?;
        let security = ending("/debian-security").unwrap_or_else(|| format!("{main}-security"));
        Some(Archive { main, security })
    }

    /// The base address of the archive with this label (`Debian`, `Debian-Security`).
    pub fn base(&self, label: &str) -> Option<&str> {
        match label {
            "Debian" => Some(&self.main),
            "Debian-Security" => Some(&self.security),
            _ => None,
        }
    }

    /// The address of a locked file, whose origin is `LABEL SUITE POOL-PATH`.
    pub fn locate(&self, origin: &str) -> Option<String> {
        let mut parts = origin.split(' ');
        let (label, _suite, path) = (parts.next()?, parts.next()?, parts.next()?);
        (parts.next().is_none() && !path.split('/').any(|part| part == ".."))
            .then_some(())
            .and(self.base(label))
            .map(|base| format!("{base}/{path}"))
    }
}

fn read_sources(apt: &Path) -> Vec<(bool, String)> {
    let mut files = vec![apt.join("sources.list")];
    if let Ok(folder) = std::fs::read_dir(apt.join("sources.list.d")) {
        files.extend(folder.flatten().map(|entry| entry.path()));
    }
    files.sort();
    let known = |path: &Path| path.extension().and_then(|end| end.to_str()).map(str::to_owned);
    files
        .iter()
        .filter(|path| matches!(known(path).as_deref(), Some("list" | "sources")))
        .filter_map(|path| Some((known(path)? == "sources", std::fs::read_to_string(path).ok()?)))
        .collect()
}

fn address(text: &str) -> Option<String> {
    (text.starts_with("http://") || text.starts_with("https://")).then(|| text.trim_end_matches('/').to_string())
}

fn from_lines(text: &str) -> Vec<String> {
    let lines = text.lines().filter_map(|line| {
        let rest = line.trim().strip_prefix("deb ")?.trim_start();
        let rest = if rest.starts_with('[') { rest.split_once(']')?.1 } else { rest };
        address(rest.split_whitespace().next()?)
    });
    lines.collect()
}

fn from_deb822(text: &str) -> Vec<String> {
    let without_comments: String =
        text.lines().filter(|line| !line.starts_with('#')).flat_map(|line| [line, "\n"]).collect();
    paragraphs(&without_comments)
        .filter(|paragraph| paragraph.get("Enabled") != Some("no"))
        .filter(|paragraph| paragraph.get("Types").is_some_and(|types| types.split(' ').any(|kind| kind == "deb")))
        .flat_map(|paragraph| paragraph.lines("URIs"))
        .flat_map(str::split_whitespace)
        .filter_map(address)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn both_formats() {
        let list = "# deb http://no.invalid/debian x main\ndeb [arch=amd64 signed-by=/k] http://a.invalid/debian/ trixie main\n";
        let sources = "Types: deb\n# old\nURIs: http://b.invalid/debian\nSuites: x\n\nTypes: deb deb-src\nURIs: https://b.invalid/debian-security/\n";
        let archive = Archive::from_sources(&[(false, list.into()), (true, sources.into())]).unwrap();
        assert_eq!(archive.base("Debian"), Some("http://a.invalid/debian"));
        assert_eq!(archive.base("Debian-Security"), Some("https://b.invalid/debian-security"));
        let only = Archive::from_sources(&[(true, sources.replace("-security/", "-x"))]).unwrap();
        assert_eq!(only.base("Debian-Security"), Some("http://b.invalid/debian-security"));
        assert_eq!(Archive::from_sources(&[(true, format!("Enabled: no\n{sources}"))]), None);
    }

    #[test]
    fn locked_files() {
        let archive = Archive::mirror("http://m.invalid/debian/");
        let at = |origin| archive.locate(origin);
        assert_eq!(at("Debian trixie pool/a.deb").as_deref(), Some("http://m.invalid/debian/pool/a.deb"));
        assert_eq!(at("Debian-Security s pool/a.deb").as_deref(), Some("http://m.invalid/debian-security/pool/a.deb"));
        for bad in ["", "Debian trixie", "Other trixie pool/a", "Debian trixie ../a", "Debian trixie pool/a b"] {
            assert_eq!(at(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(deb |URIs: |Types: deb|\\[|\\]|http://|\n|.){0,60}") {
            from_lines(&text);
            from_deb822(&text);
        }
    }
}
