//! EFI signature lists (UEFI 2.10, §32.4.1), as the variable `db` holds them: whose programs the firmware starts.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::Guid;

/// A `db` is not bigger. The vendors' have about 8 KB.
pub const LIMIT: usize = 512 << 10;
/// Type, list size, header size, signature size.
const HEAD: usize = 28;
/// Before each signature's data: the GUID of who put it there.
const OWNER: usize = 16;

/// Entries that are X.509 certificates.
pub const X509: Guid = Guid::from_u128(0xa5c059a1_94e4_4aa7_87b5_ab155c2bf072);
/// Digests of single programs. No key hides behind one.
const DIGESTS: [(Guid, &str); 5] = [
    (Guid::from_u128(0x826ca512_cf10_4ac9_b187_be01496631bd), "sha1"),
    (Guid::from_u128(0x0b6e5233_a65c_44c9_9407_d9ab83bfc8bd), "sha224"),
    (Guid::from_u128(0xc1c41626_504c_4092_aca9_41f936934328), "sha256"),
    (Guid::from_u128(0xff3e5307_9fd0_48c9_85f1_8ad56c701e01), "sha384"),
    (Guid::from_u128(0x093e0fae_a6c4_4f50_9f1b_d41e2b89c19a), "sha512"),
];

/// What a `db` holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SignatureLists {
    /// SHA-256 of each certificate's DER, hex.
    pub certificates: BTreeSet<String>,
    /// Names of the kinds of digests.
    pub digests: BTreeSet<&'static str>,
    /// Types that are neither; a key may hide behind one.
    pub others: BTreeSet<Guid>,
}

/// Why bytes are no signature lists.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    /// More than any firmware holds.
    #[error("{0} bytes, want at most {LIMIT}")]
    TooLong(usize),
    /// A list that ends before its head does.
    #[error("the list at byte {0} is cut off")]
    Cut(usize),
    /// Sizes that do not fit together.
    #[error("the list at byte {offset} has {list} bytes, a header of {header} and signatures of {signature}")]
    Sizes {
        /// Where it begins.
        offset: usize,
        /// Size of the list.
        list: usize,
        /// Size of its header.
        header: usize,
        /// Size of each signature, the owner's GUID included.
        signature: usize,
    },
}

/// Reads signature lists up to the last byte.
pub fn parse(bytes: &[u8]) -> Result<SignatureLists, ListError> {
    if bytes.len() > LIMIT {
        return Err(ListError::TooLong(bytes.len()));
    }
    let mut lists = SignatureLists::default();
    let mut offset = 0;
    while offset < bytes.len() {
        offset += read(&bytes[offset..], offset, &mut lists)?;
    }
    Ok(lists)
}

/// Reads the list at the beginning of `rest`; its size.
fn read(rest: &[u8], offset: usize, lists: &mut SignatureLists) -> Result<usize, ListError> {
    let (kind, sizes) = rest.split_at_checked(16).ok_or(ListError::Cut(offset))?;
    let size = |index: usize| {
        let bytes = sizes.get(4 * index..4 * index + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(|bytes| u32::from_le_bytes(bytes) as usize).ok_or(ListError::Cut(offset))
    };
    let (list, header, signature) = (size(0)?, size(1)?, size(2)?);
    let whole = rest.get(..list).ok_or(ListError::Cut(offset))?;
    let signatures = HEAD.checked_add(header).and_then(|begin| whole.get(begin..));
    let fits = |signatures: &&[u8]| signature > OWNER && signatures.len() % signature == 0;
    let signatures = signatures.filter(fits).ok_or(ListError::Sizes { offset, list, header, signature })?;
    let kind = Guid::from_disk(std::array::from_fn(|index| kind[index]));
    let mut data = signatures.chunks_exact(signature).map(|one| &one[OWNER..]).peekable();
    if kind == X509 {
        lists.certificates.extend(data.map(|der| hex::encode(Sha256::digest(der))));
    } else if data.peek().is_some() {
        match DIGESTS.iter().find(|(guid, _)| *guid == kind) {
            Some((_, name)) => lists.digests.insert(name),
            None => lists.others.insert(kind),
        };
    }
    Ok(list)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// One list.
    pub(crate) fn list(kind: Guid, entries: &[&[u8]]) -> Vec<u8> {
        let signature = OWNER + entries.first().map_or(1, |entry| entry.len());
        let size = HEAD + signature * entries.len();
        let mut bytes = kind.to_disk().to_vec();
        for number in [size, 0, signature] {
            bytes.extend_from_slice(&(number as u32).to_le_bytes());
        }
        for entry in entries {
            bytes.extend_from_slice(&[7; OWNER]);
            bytes.extend_from_slice(entry);
        }
        bytes
    }

    fn sha256(der: &[u8]) -> String {
        hex::encode(Sha256::digest(der))
    }

    #[test]
    fn certificates_are_told_by_their_digest_and_the_rest_by_kind() {
        let other = Guid::from_u128(0x3c5766e8_269c_4e34_aa14_ed776e85b3b6);
        let bytes = [
            list(X509, &[b"one"]),
            list(X509, &[b"other", b"third"]),
            list(DIGESTS[2].0, &[&[1; 32]]),
            list(other, &[&[2; 256]]),
        ];
        let lists = parse(&bytes.concat()).unwrap();
        let want: [&[u8]; 3] = [b"one", b"other", b"third"];
        assert_eq!(lists.certificates, want.map(sha256).into());
        assert_eq!(lists.digests, ["sha256"].into());
        assert_eq!(lists.others, [other].into());
        assert_eq!(parse(&[]), Ok(SignatureLists::default()));
        assert_eq!(parse(&list(other, &[])), Ok(SignatureLists::default()), "a list of nothing");
    }

    #[test]
    fn every_cut_is_an_error() {
        let bytes = list(X509, &[b"one", b"two"]);
        for end in 1..bytes.len() {
            assert!(parse(&bytes[..end]).is_err(), "cut at {end}");
        }
        assert_eq!(parse(&[0; 3]), Err(ListError::Cut(0)));
        assert_eq!(parse(&vec![0; LIMIT + 1]), Err(ListError::TooLong(LIMIT + 1)));
    }

    #[test]
    fn sizes_that_do_not_fit_are_named() {
        // Where the size stands, and one that is wrong there: a list that ends in its head would never end.
        for (at, wrong) in [(16, 0u32), (16, 27), (20, u32::MAX), (20, 36), (24, 16), (24, 0), (24, 18)] {
            let mut bytes = list(X509, &[b"one", b"two"]);
            bytes[at..at + 4].copy_from_slice(&wrong.to_le_bytes());
            assert!(matches!(parse(&bytes), Err(ListError::Sizes { offset: 0, .. })), "{wrong} at {at}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_lists_or_an_error(bytes: Vec<u8>) {
            let _ = parse(&bytes);
        }

        #[test]
        fn any_altered_byte_is_read_or_an_error(at in 0usize..200, byte: u8) {
            let mut bytes = [list(X509, &[&[5; 60], &[6; 60]]), list(DIGESTS[2].0, &[&[1; 32]])].concat();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = parse(&bytes);
        }
    }
}
