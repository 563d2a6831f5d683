//! The signed index of a suite (`InRelease`). `gpgv` verifies it, and only what `gpgv` gives back, the signed
//! text, is read: text around the signature is nobody's.

use std::collections::BTreeMap;
use std::io::Write;

use orlop_config::definition::is_sha256;

use super::super::error::{At, Error};
use super::super::run::Run;
use super::control::{date, paragraphs};

/// The archive's keys; `keys/README.md` names whose they are.
pub const KEYS: [&[u8]; 6] = [
    include_bytes!("keys/trixie-automatic.gpg"),
    include_bytes!("keys/trixie-security-automatic.gpg"),
    include_bytes!("keys/trixie-stable.gpg"),
    include_bytes!("keys/bookworm-automatic.gpg"),
    include_bytes!("keys/bookworm-security-automatic.gpg"),
    include_bytes!("keys/bookworm-stable.gpg"),
];

/// A suite's index after it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The archive's label: `Debian`, `Debian-Security`.
    pub label: String,
    /// The suite's name, `trixie-security`; what `stable` means changes, this does not.
    pub codename: String,
    /// Seconds since 1970 when it was made.
    pub date: u64,
    /// Path below the suite's folder → SHA-256 and size.
    pub files: BTreeMap<String, (String, u64)>,
}

/// Verifies an `InRelease` file against an archive's keys; gives the text that is signed.
pub fn verify(in_release: &[u8], keys: &[&[u8]], what: &str) -> Result<String, Error> {
    let folder = tempfile::tempdir().at("a temporary folder")?;
    let (keyring, signed, text) =
        (folder.path().join("keys"), folder.path().join("signed"), folder.path().join("text"));
    // Binary keyrings are sequences of packets: one after the other they are a keyring again.
    std::fs::write(&keyring, keys.concat()).at(keyring.display())?;
    let mut file = std::fs::File::create(&signed).at(signed.display())?;
    file.write_all(in_release).at(signed.display())?;
    let (_, status, errors) = Run::bare("gpgv")
        .or_install("install it: apt install gpgv")
        .env("HOME", folder.path())
        .args(["--status-fd", "1", "--keyring"])
        .args([&keyring])
        .arg_pair("--output", &text)
        .args([&signed])
        .outcome()?;
    judge(&String::from_utf8_lossy(&status)).map_err(|reason| {
        let said = String::from_utf8_lossy(&errors);
        let said = said.lines().last().unwrap_or_default();
        Error::Signature { what: what.into(), reason: format!("{reason} ({said})") }
    })?;
    std::fs::read_to_string(&text).at(format!("{what}: the signed text"))
}

/// Judges `gpgv`'s status lines (GnuPG's doc/DETAILS). Debian signs with several keys, and one that we do not
/// know is no objection: at least one known key must have made a good signature, and none may be bad.
fn judge(status: &str) -> Result<(), String> {
    let words = status.lines().filter_map(|line| line.strip_prefix("[GNUPG:] ")?.split(' ').next());
    let (mut good, mut valid) = (false, 0);
    for word in words {
        match word {
            "BADSIG" => return Err("the signature does not fit the text".into()),
            "GOODSIG" => good = true,
            // VALIDSIG follows expired and revoked keys' signatures too; GOODSIG does not.
            "EXPSIG" | "EXPKEYSIG" | "REVKEYSIG" | "ERRSIG" => good = false,
            "VALIDSIG" if good => valid += 1,
            _ => {}
        }
    }
    if valid == 0 { Err("no good signature of a known archive key".into()) } else { Ok(()) }
}

/// Reads the signed text. `now` is compared with `Valid-Until`, where there is one: point releases have none.
pub fn parse(text: &str, now: u64, what: &str) -> Result<Release, Error> {
    let bad = |reason: String| Error::format(what, reason);
    let paragraph = paragraphs(text).next().ok_or_else(|| bad("is empty".into()))?;
    let field = |name: &str| paragraph.get(name).ok_or_else(|| bad(format!("has no field `{name}`")));
    let time = |name: &str, text: &str| date(text).ok_or_else(|| bad(format!("`{name}: {text}` is no date")));
    if let Some(until) = paragraph.get("Valid-Until")
        && time("Valid-Until", until)? < now
    {
        let reason = format!("it was valid until {until} only; the mirror is stale, or this machine's clock is wrong");
        return Err(Error::Signature { what: what.into(), reason });
    }
    let mut files = BTreeMap::new();
    for line in paragraph.lines("SHA256") {
        let mut parts = line.split_whitespace();
        let (sha256, size, path) = (parts.next(), parts.next(), parts.next());
        let entry = sha256.zip(size.and_then(|size| size.parse().ok())).zip(path);
        let Some(((sha256, size), path)) = entry.filter(|((sha256, _), _)| is_sha256(sha256)) else {
            return Err(bad(format!("the line `{line}` of SHA256 is no digest, size and path")));
        };
        files.insert(path.to_string(), (sha256.to_string(), size));
    }
    let (label, codename) = (field("Label")?.into(), field("Codename")?.into());
    Ok(Release { label, codename, date: time("Date", field("Date")?)?, files })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Signed by a key that was made for this test and thrown away.
    const SIGNED: &[u8] = include_bytes!("testdata/InRelease");
    const KEY: &[u8] = include_bytes!("testdata/key.gpg");
    const NOW: u64 = 1_795_300_000;

    fn text() -> String {
        verify(SIGNED, &[KEY], "test").unwrap()
    }

    #[test]
    fn the_signed_text_is_read() {
        let release = parse(&text(), NOW, "test").unwrap();
        assert_eq!((release.label.as_str(), release.date), ("Debian", 1_795_252_544));
        let (sha256, size) = &release.files["main/binary-amd64/Packages.xz"];
        assert_eq!((&sha256[..8], *size), ("60303ae2", 4));
    }

    #[test]
    fn text_around_the_signed_text_is_not_read() {
        let added = [b"Label: Evil\n\n".as_slice(), SIGNED, b"\nSHA256:\n 00 1 x\n"].concat();
        // Where gpgv accepts it at all, what it gives back is the signed text.
        if let Ok(found) = verify(&added, &[KEY], "test") {
            assert_eq!(found, text());
        }
    }

    #[test]
    fn altered_unsigned_and_foreign_indexes_are_refused() {
        let altered = String::from_utf8_lossy(SIGNED).replace("e3b0c442", "e3b0c443");
        let refused = |bytes: &[u8], keys: &[&[u8]]| match verify(bytes, keys, "the index") {
            Err(Error::Signature { what, reason }) => format!("{what}: {reason}"),
            other => panic!("{other:?}"),
        };
        assert!(refused(altered.as_bytes(), &[KEY]).contains("does not fit"));
        assert!(refused(text().as_bytes(), &[KEY]).contains("no good signature"));
        assert!(refused(SIGNED, &KEYS).contains("no good signature"));
        assert!(refused(b"", &[KEY]).contains("no good signature"));
    }

    #[test]
    fn a_stale_index_is_refused() {
        let error = parse(&text(), NOW + 10 * 86_400, "the index").unwrap_err().to_string();
        assert!(error.contains("valid until Sat, 28 Nov 2026"), "{error}");
        let endless = text().replace("Valid-Until", "X-Valid-Until");
        assert!(parse(&endless, NOW + 10 * 86_400, "a point release").is_ok());
    }

    #[test]
    fn a_good_signature_counts_beside_an_unknown_key_and_not_beside_a_bad_one() {
        let good = "[GNUPG:] GOODSIG A x\n[GNUPG:] VALIDSIG B\n";
        assert!(judge(&format!("[GNUPG:] ERRSIG C\n[GNUPG:] NO_PUBKEY C\n{good}")).is_ok());
        assert!(judge(&format!("{good}[GNUPG:] BADSIG C\n")).is_err());
        assert!(judge("[GNUPG:] EXPKEYSIG A x\n[GNUPG:] VALIDSIG B\n").is_err());
        assert!(judge("[GNUPG:] REVKEYSIG A x\n[GNUPG:] VALIDSIG B\n").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(Label: Debian\n|Date: |SHA256:\n| [0-9a-f]{64} 1 x\n|.|\n){0,40}") {
            let _ = parse(&text, 0, "test");
        }

        #[test]
        fn any_cut_is_survived(cut in 0usize..500) {
            let text = text_without_gpgv();
            let _ = parse(&text[..cut.min(text.len())], 0, "test");
        }
    }

    fn text_without_gpgv() -> String {
        let whole = String::from_utf8_lossy(SIGNED);
        let start = whole.find("Origin").unwrap();
        whole[start..whole.find("-----BEGIN PGP SIGNATURE").unwrap()].into()
    }
}
