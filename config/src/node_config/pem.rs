//! PEM texts, looked at far enough to tell a certificate from something else. What it says is left to those who use it:
//! PID 1 carries no X.509.

mod pair;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::date::civil;
use crate::text::{excerpt, shown};

pub(super) use pair::fit;

const CERTIFICATE: &str = "CERTIFICATE";
/// Labels of private keys that Go reads.
const KEYS: [&str; 3] = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"];
/// Stands before a key that `openssl ecparam -genkey` wrote, and says which curve it is of, as the key does.
const PARAMETERS: &str = "EC PARAMETERS";
const ENCRYPTED: &str = "it is an encrypted key, and nobody is there to ask for its password: `openssl pkey -in FILE` \
     writes it without one";

/// ASN.1 tags.
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const VERSION: u8 = 0xa0;
const OBJECT_ID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// 2.5.4.3, a name's part `CN`.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];

/// Why a text is not one or more certificates.
pub(super) fn certificates(text: &str) -> Result<(), String> {
    let blocks = blocks(text)?;
    for (number, (label, der)) in (1..).zip(&blocks) {
        match label.as_str() {
            CERTIFICATE if is_certificate(der) => {}
            CERTIFICATE => return Err(format!("block {number} is not an X.509 certificate")),
            other if other.ends_with("PRIVATE KEY") => {
                return Err(format!("block {number} is a private key, which has no place here"));
            }
            other => return Err(format!("block {number} is labelled `{}`, not `{CERTIFICATE}`", shown(other))),
        }
    }
    if blocks.is_empty() { Err("it has no PEM block".into()) } else { Ok(()) }
}

/// Why a text is not a private key. It says nothing of what stands there.
pub(super) fn key(text: &str) -> Result<(), String> {
    // A header in front of the base64 (RFC 1421 §4.6.1.1): `Proc-Type: 4,ENCRYPTED`.
    if text.lines().any(|line| line.trim().starts_with("Proc-Type:") && line.contains("ENCRYPTED")) {
        return Err(ENCRYPTED.into());
    }
    match key_blocks(text).map_err(|_| "it is not PEM".to_owned())?.as_slice() {
        [(label, _)] if label == "ENCRYPTED PRIVATE KEY" => Err(ENCRYPTED.into()),
        [(label, der)] if KEYS.contains(&label.as_str()) && element(der).is_some_and(|it| it.0 == SEQUENCE) => Ok(()),
        [_] => Err("it is not a private key".into()),
        other => Err(format!("it has {} PEM blocks, not one", other.len())),
    }
}

/// The blocks of a key's text. Go skips what stands before the key, too (`tls.X509KeyPair`).
fn key_blocks(text: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut blocks = blocks(text)?;
    if blocks.len() > 1 && blocks[0].0 == PARAMETERS {
        blocks.remove(0);
    }
    Ok(blocks)
}

/// The text as it is rendered: Go finds a block only where `-----BEGIN` and `-----END` begin a line, and [`blocks`] is
/// not so strict, since a document is indented as its writer likes.
pub(crate) fn normalised(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).flat_map(|line| [line, "\n"]).collect()
}

/// Label and content of each block; text between blocks is skipped, as Go does.
fn blocks(text: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
    let mut blocks = Vec::new();
    let mut open: Option<(&str, String)> = None;
    for line in text.lines().map(str::trim) {
        let begins = line.strip_prefix("-----BEGIN ").and_then(|rest| rest.strip_suffix("-----"));
        let ends = line.strip_prefix("-----END ").and_then(|rest| rest.strip_suffix("-----"));
        let number = blocks.len() + 1;
        match (open.as_mut(), begins, ends) {
            (None, Some(label), _) => open = Some((label, String::new())),
            (None, None, _) => {}
            (Some((label, body)), _, Some(end)) => {
                let der = STANDARD.decode(&*body).ok().filter(|_| *label == end);
                let der = der.ok_or_else(|| format!("block {number} is not whole, or not base64"))?;
                blocks.push((label.to_string(), der));
                open = None;
            }
            (Some(_), Some(_), None) => return Err(format!("block {number} does not end")),
            (Some((_, body)), None, None) => body.push_str(line),
        }
    }
    if open.is_some() { Err(format!("block {} does not end", blocks.len() + 1)) } else { Ok(blocks) }
}

/// Whether bytes have the frame of an X.509 certificate (RFC 5280 §4.1).
fn is_certificate(der: &[u8]) -> bool {
    fields(der).is_some()
}

/// What an X.509 certificate says, from its serial number on.
fn fields(der: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let Some((SEQUENCE, certificate, [])) = element(der) else { return None };
    let [(SEQUENCE, tbs), (SEQUENCE, _), (BIT_STRING, _)] = elements(certificate)?[..] else { return None };
    let mut fields = elements(tbs)?;
    if fields.first().is_some_and(|field| field.0 == VERSION) {
        fields.remove(0);
    }
    let [(INTEGER, _), (SEQUENCE, _), (SEQUENCE, _), (SEQUENCE, validity), (SEQUENCE, _), (SEQUENCE, _), ..] =
        fields[..]
    else {
        return None;
    };
    let is_time = |tag: u8| tag == UTC_TIME || tag == GENERALIZED_TIME;
    let times = elements(validity)?;
    (times.len() == 2 && times.iter().all(|time| is_time(time.0))).then_some(fields)
}

/// Whom the first of these certificates is of: the API server takes its client for that user. Of several names it is the last,
/// as in Go's `pkix.Name`.
pub(super) fn common_name(text: &str) -> Option<String> {
    let (_, der) = blocks(text).ok()?.into_iter().next()?;
    let (_, subject) = *fields(&der)?.get(4)?;
    let attributes = elements(subject)?.into_iter().filter_map(|(_, set)| elements(set)).flatten();
    let mut names = attributes.filter_map(|(_, attribute)| match elements(attribute)?[..] {
        [(OBJECT_ID, COMMON_NAME), (_, name)] => Some(name),
        _ => None,
    });
    std::str::from_utf8(names.next_back()?).ok().map(str::to_owned)
}

/// When the first of these certificates that has run out did so, if one has: `now` is in seconds since 1970.
pub(super) fn ended(text: &str, now: u64) -> Option<String> {
    let blocks = blocks(text).unwrap_or_default();
    let ends = blocks.iter().filter_map(|(_, der)| {
        let times = elements(fields(der)?.get(3)?.1)?;
        let (kind, digits) = *times.get(1)?;
        let digits = std::str::from_utf8(digits).ok()?;
        // RFC 5280 §4.1.2.5.1: two digits of a year are of 1950 to 2049.
        let century = if digits < "5" { "20" } else { "19" };
        Some(if kind == UTC_TIME { format!("{century}{digits}") } else { digits.to_owned() })
    });
    let now = compact(now);
    ends.into_iter().find(|end| *end < now).map(|end| readable(&end))
}

/// `20261124181051Z`, so that times compare as texts do.
fn compact(seconds: u64) -> String {
    let ((year, month, day), second) = (civil(seconds / 86_400), seconds % 86_400);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}Z")
}

fn readable(time: &str) -> String {
    match (time.get(..4), time.get(4..6), time.get(6..8)) {
        (Some(year), Some(month), Some(day)) => format!("{year}-{month}-{day}"),
        _ => excerpt(time),
    }
}

fn elements(mut bytes: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let (tag, value, rest) = element(bytes)?;
        all.push((tag, value));
        bytes = rest;
    }
    Some(all)
}

/// Tag, value and what follows, of DER with short tags.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (value, rest) = rest.split_at_checked(length)?;
    Some((tag, value, rest))
}

#[cfg(test)]
mod tests {
    use super::common_name;

    #[test]
    fn a_certificate_says_whom_it_is_of() {
        let (node, ca) =
            (include_str!("../../tests/node_config/node.pem"), include_str!("../../tests/node_config/ca.pem"));
        assert_eq!(common_name(node).as_deref(), Some("system:node:node-1.example"));
        assert_eq!(common_name(&format!("{ca}{node}")).as_deref(), Some("example cluster"));
        assert_eq!(common_name("nothing"), None);
    }
}
