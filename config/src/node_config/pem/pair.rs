//! Whether a certificate and a private key belong together, as far as the key's own bytes tell: those of RSA, and of
//! elliptic curves where the key's optional public half is there, as all tools write it.

use super::{BIT_STRING, INTEGER, SEQUENCE, blocks, element, elements, fields, key_blocks};

const OCTET_STRING: u8 = 0x04;
/// The public key in an ECPrivateKey (RFC 5915).
const PUBLIC_KEY: u8 = 0xa1;

/// Whether the first certificate is of this key; `None` where nobody can tell.
pub(in super::super) fn fit(certificate: &str, key: &str) -> Option<bool> {
    let certificate = blocks(certificate).ok()?.into_iter().next()?.1;
    let (_, key) = key_blocks(key).ok()?.into_iter().next()?;
    let (one, other) = (of_certificate(&certificate)?, of_key(&key)?);
    // Of a certificate Go takes a whole point alone; of a key it does not read the public half.
    Some(one == other || is_short_of(other, one))
}

/// Whether one point is the other in its compressed form (SEC 1 §2.3.3): the first coordinate, and in the first byte whether
/// the second one is odd.
fn is_short_of(short: &[u8], point: &[u8]) -> bool {
    let ([form @ (2 | 3), first @ ..], [4, both @ ..]) = (short, point) else { return false };
    let fits = both.last().is_some_and(|last| last % 2 == form % 2);
    fits && both.len() == 2 * first.len() && both.starts_with(first)
}

/// What both have: a point, or a modulus.
fn of_certificate(der: &[u8]) -> Option<&[u8]> {
    // After the subject, RFC 5280 §4.1.
    let (SEQUENCE, info) = *fields(der)?.get(5)? else { return None };
    let [(SEQUENCE, _), (BIT_STRING, [0, bits @ ..])] = elements(info)?[..] else { return None };
    match element(bits) {
        Some((SEQUENCE, rsa, [])) => modulus(elements(rsa)?.first()),
        _ => Some(bits),
    }
}

fn of_key(der: &[u8]) -> Option<&[u8]> {
    let Some((SEQUENCE, key, [])) = element(der) else { return None };
    let parts = elements(key)?;
    match parts[..] {
        // PKCS#8: version, algorithm, the key itself.
        [(INTEGER, _), (SEQUENCE, _), (OCTET_STRING, inner), ..] => of_key(inner),
        // SEC 1: version, scalar, perhaps the curve, perhaps the point.
        [(INTEGER, [1]), (OCTET_STRING, _), ..] => {
            let (_, public) = parts.iter().find(|part| part.0 == PUBLIC_KEY)?;
            let Some((BIT_STRING, [0, point @ ..], [])) = element(public) else { return None };
            Some(point)
        }
        // PKCS#1: version, modulus, exponents, primes.
        [(INTEGER, _), (INTEGER, _), (INTEGER, _), ..] => modulus(parts.get(1)),
        _ => None,
    }
}

fn modulus<'d>(part: Option<&(u8, &'d [u8])>) -> Option<&'d [u8]> {
    part.filter(|part| part.0 == INTEGER).map(|part| part.1)
}

#[cfg(test)]
mod tests {
    use super::is_short_of;

    #[test]
    fn a_point_is_known_in_its_compressed_form() {
        let (even, odd) = ([4, 7, 8, 9, 10], [4, 7, 8, 9, 11]);
        assert!(is_short_of(&[2, 7, 8], &even) && is_short_of(&[3, 7, 8], &odd));
        for short in [&[3, 7, 8][..], &[2, 7, 9], &[2, 7], &[2, 7, 8, 9], &[4, 7, 8], &[2], &[], &even] {
            assert!(!is_short_of(short, &even), "{short:?}");
        }
        assert!(!is_short_of(&[2], &[4]) && !is_short_of(&even, &[2, 7, 8]));
    }
}
