//! The file of OVMF's variables, as edk2 lays it out (`MdePkg/Include/Pi/PiFirmwareVolume.h` and
//! `MdeModulePkg/Include/Guid/VariableFormat.h`): a firmware volume whose first content is a store of authenticated
//! variables, one behind the other.

/// A GUID's bytes, as they lie in memory: the first three fields little-endian.
pub type Guid = [u8; 16];

/// `fff12b8d-7696-4c8b-a985-2747075b4f50`, a firmware volume of variables.
const VOLUME: Guid = [0x8d, 0x2b, 0xf1, 0xff, 0x96, 0x76, 0x8b, 0x4c, 0xa9, 0x85, 0x27, 0x47, 0x07, 0x5b, 0x4f, 0x50];
/// `aaf32c78-947b-439a-a180-2e144ec37792`, a store of authenticated variables.
const STORE: Guid = [0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43, 0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92];

/// `VARIABLE_STORE_HEADER`.
const STORE_HEADER: usize = 28;
/// `AUTHENTICATED_VARIABLE_HEADER`.
const HEADER: usize = 60;
/// What a variable begins with.
const START: u16 = 0x55aa;
/// `VAR_ADDED`: header and data are whole.
const ADDED: u8 = 0x3f;
/// `VAR_DELETED`, a bit that is cleared.
const DELETED: u8 = 0xfd;

/// Kept over a reset; seen by the firmware's own programs.
pub const NON_VOLATILE: u32 = 1;
/// Seen before the operating system takes over.
pub const BOOT_SERVICE: u32 = 2;
/// Seen afterwards.
pub const RUNTIME: u32 = 4;
/// Changed only by who signs the change, with a later time.
pub const TIME_BASED_AUTHENTICATED: u32 = 0x20;

/// One variable.
pub struct Variable<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whose it is.
    pub vendor: Guid,
    /// Its attributes.
    pub attributes: u32,
    /// Its content.
    pub data: &'a [u8],
}

/// Writes variables behind those that are there, and takes away what has the same name.
pub fn append(file: &mut [u8], variables: &[Variable]) -> Result<(), String> {
    let store = store(file)?;
    let mut end = STORE_HEADER;
    while let Some((name, vendor, next)) = variable_at(store, end)? {
        if variables.iter().any(|new| utf16(new.name) == name && new.vendor == vendor) {
            store[end + 2] &= DELETED;
        }
        end = next;
    }
    for variable in variables {
        let bytes = variable.bytes();
        let place = store.get_mut(end..end + bytes.len()).ok_or_else(|| format!("no room for {}", variable.name))?;
        place.copy_from_slice(&bytes);
        end = (end + bytes.len()).next_multiple_of(4);
    }
    Ok(())
}

/// The store in the volume, its header included.
fn store(file: &mut [u8]) -> Result<&mut [u8], String> {
    let wrong = || "no variable store of OVMF; install its package again".to_owned();
    let is_volume = file.get(16..32) == Some(&VOLUME) && file.get(40..44) == Some(b"_FVH");
    let at = usize::from(u16::from_le_bytes(array(file, 48).filter(|_| is_volume).ok_or_else(wrong)?));
    let size = u32::from_le_bytes(array(file, at + 16).ok_or_else(wrong)?) as usize;
    let is_store = file.get(at..at + 16) == Some(&STORE) && size >= STORE_HEADER;
    file.get_mut(at..at + size).filter(|_| is_store).ok_or_else(wrong)
}

/// Name, owner and end of the variable that begins here; `None` where nothing was written yet.
fn variable_at(store: &[u8], at: usize) -> Result<Option<(Vec<u8>, Guid, usize)>, String> {
    if array(store, at).map(u16::from_le_bytes) != Some(START) {
        return Ok(None);
    }
    let parsed = || {
        let length = |offset| array(store, at + offset).map(|bytes| u32::from_le_bytes(bytes) as usize);
        let (name, data) = (length(36)?, length(40)?);
        let start = at + HEADER;
        let name = store.get(start..start.checked_add(name)?)?.to_vec();
        let end = start + name.len();
        Some((name, array(store, at + 44)?, store.get(end..end.checked_add(data)?).map(|_| end + data)?))
    };
    let (name, vendor, end) = parsed().ok_or("a variable that ends beyond its store")?;
    Ok(Some((name, vendor, end.next_multiple_of(4))))
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

/// A name as it is stored: UTF-16 with a zero at its end.
fn utf16(name: &str) -> Vec<u8> {
    name.encode_utf16().chain([0]).flat_map(u16::to_le_bytes).collect()
}

impl Variable<'_> {
    fn bytes(&self) -> Vec<u8> {
        let name = utf16(self.name);
        let mut bytes = START.to_le_bytes().to_vec();
        bytes.extend([ADDED, 0]);
        bytes.extend(self.attributes.to_le_bytes());
        bytes.extend([0; 8]); // monotonic count
        bytes.extend(if self.attributes & TIME_BASED_AUTHENTICATED == 0 { [0; 16] } else { time() });
        bytes.extend([0; 4]); // index of the public key: of an older kind of variable
        bytes.extend((name.len() as u32).to_le_bytes());
        bytes.extend((self.data.len() as u32).to_le_bytes());
        bytes.extend(self.vendor);
        bytes.extend(name);
        bytes.extend(self.data);
        bytes
    }
}

/// An `EFI_TIME`: whoever changes the variable must name a later one.
fn time() -> [u8; 16] {
    let [low, high] = 2020u16.to_le_bytes();
    [low, high, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: Guid = [7; 16];

    /// A volume with an empty store of so many bytes.
    fn empty(bytes: usize) -> Vec<u8> {
        let mut file = vec![0; 72];
        file[16..32].copy_from_slice(&VOLUME);
        file[40..44].copy_from_slice(b"_FVH");
        file[48] = 72;
        file.extend(STORE);
        file.extend((bytes as u32).to_le_bytes());
        file.extend([0x5a, 0xfe, 0, 0, 0, 0, 0, 0]);
        file.resize(72 + bytes, 0xff);
        file
    }

    fn variable<'a>(name: &'a str, data: &'a [u8]) -> Variable<'a> {
        Variable { name, vendor: OURS, attributes: NON_VOLATILE | TIME_BASED_AUTHENTICATED, data }
    }

    /// Name and state of each variable.
    fn read(file: &mut [u8]) -> Vec<(String, u8)> {
        let store = store(file).unwrap();
        let (mut at, mut found) = (STORE_HEADER, Vec::new());
        while let Some((name, _, next)) = variable_at(store, at).unwrap() {
            let letters = name.iter().step_by(2).take(name.len() / 2 - 1);
            found.push((letters.map(|letter| char::from(*letter)).collect(), store[at + 2]));
            at = next;
        }
        found
    }

    #[test]
    fn variables_are_written_behind_each_other_and_the_older_one_is_deleted() {
        let mut file = empty(4096);
        append(&mut file, &[variable("PK", b"odd"), variable("KEK", b"even")]).unwrap();
        append(&mut file, &[variable("PK", b"new")]).unwrap();
        let deleted = ADDED & DELETED;
        assert_eq!(read(&mut file), [("PK".into(), deleted), ("KEK".into(), ADDED), ("PK".into(), ADDED)]);
        let other = Variable { vendor: [8; 16], ..variable("PK", b"somebody's") };
        append(&mut file, &[other]).unwrap();
        assert_eq!(read(&mut file)[2].1, ADDED);
    }

    #[test]
    fn a_variable_is_what_edk2_says() {
        let bytes = variable("db", &[1, 2]).bytes();
        assert_eq!(bytes.len(), HEADER + 6 + 2);
        assert_eq!(bytes[..8], [0xaa, 0x55, 0x3f, 0, 0x21, 0, 0, 0]);
        assert_eq!(bytes[16..20], [0xe4, 7, 1, 1]);
        assert_eq!(bytes[36..44], [6, 0, 0, 0, 2, 0, 0, 0]);
        assert_eq!(bytes[60..], *b"d\0b\0\0\0\x01\x02");
    }

    #[test]
    fn no_room_and_no_store_are_errors() {
        let full = append(&mut empty(100), &[variable("PK", &[0; 100])]).unwrap_err();
        assert_eq!(full, "no room for PK");
        for length in [0, 16, 50, 72, 90, 99] {
            assert!(append(&mut empty(200)[..length], &[]).unwrap_err().contains("no variable store"));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let mut file = empty(300);
            file[72 + STORE_HEADER..][..bytes.len()].copy_from_slice(&bytes);
            file[72 + STORE_HEADER..][..2].copy_from_slice(&START.to_le_bytes());
            let _ = append(&mut file, &[variable("PK", b"x")]);
            let _ = append(&mut bytes.clone(), &[variable("PK", b"x")]);
        }
    }
}
