//! Go programs for tests, made by hand.

/// What the table of functions begins with since Go 1.20.
pub(crate) const GO_1_20: u32 = 0xffff_fff1;
/// Marks before and after the text; Go's own are other 16 bytes.
const MARK: &[u8; 16] = b"0123456789abcdef";

/// An ELF file with these sections, each at an offset that 16 divides; without a table of sections, the first is in a
/// segment that can be written.
pub(crate) fn elf(sections: &[(&str, Vec<u8>)], table: bool) -> Vec<u8> {
    let mut file = vec![0; 64 + 56];
    let mut names = vec![0];
    let mut headers = vec![[0_u8; 64]];
    let mut add = |name: &str, bytes: &[u8], file: &mut Vec<u8>, names: &mut Vec<u8>| {
        file.resize(file.len().next_multiple_of(16), 0);
        let mut header = [0; 64];
        header[..4].copy_from_slice(&(names.len() as u32).to_le_bytes());
        header[4] = 1;
        header[24..32].copy_from_slice(&(file.len() as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        names.extend_from_slice(name.as_bytes());
        names.push(0);
        headers.push(header);
        file.extend_from_slice(bytes);
    };
    for (name, bytes) in sections {
        add(name, bytes, &mut file, &mut names);
    }
    let mut all = names.clone();
    all.extend_from_slice(b".shstrtab\0");
    add(".shstrtab", &all, &mut file, &mut names);
    let (at, count) = (file.len() as u64, headers.len() as u16);
    file[..8].copy_from_slice(b"\x7fELF\x02\x01\x01\0");
    file[16] = 2;
    file[18] = 62;
    file[32] = 64;
    file[52..58].copy_from_slice(&[64, 0, 56, 0, 1, 0]);
    // The one segment: to be read and written, as much as there is.
    file[64..72].copy_from_slice(&[1, 0, 0, 0, 6, 0, 0, 0]);
    file[72] = 128;
    let size = (at - 128).to_le_bytes();
    file[96..104].copy_from_slice(&size);
    if table {
        file[40..48].copy_from_slice(&at.to_le_bytes());
        file[58] = 64;
        file[60..62].copy_from_slice(&count.to_le_bytes());
        file[62..64].copy_from_slice(&(count - 1).to_le_bytes());
        file.extend(headers.concat());
    }
    file
}

fn varint(mut value: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// Build information: the version of Go and the text.
pub(crate) fn blob(go: &str, text: &str) -> Vec<u8> {
    let mut out = b"\xff Go buildinf:\x08\x02".to_vec();
    out.resize(32, 0);
    let framed = if text.is_empty() { Vec::new() } else { [MARK, text.as_bytes(), MARK].concat() };
    for part in [go.as_bytes(), &framed] {
        out.extend(varint(part.len()));
        out.extend_from_slice(part);
    }
    out
}

/// A table in which the first names are linked functions and the others inlined.
pub(crate) fn table(magic: u32, linked: &[&str], inlined: &[&str]) -> Vec<u8> {
    let (mut names, mut starts) = (Vec::new(), Vec::new());
    for name in linked.iter().chain(inlined) {
        starts.push(names.len() as u32);
        names.extend_from_slice(name.as_bytes());
        names.push(0);
    }
    names.resize(names.len().next_multiple_of(16), 0);
    let mut functions = Vec::new();
    let records = linked.len() * 8 + 4;
    for index in 0..linked.len() {
        functions.extend((index as u32 * 16).to_le_bytes());
        functions.extend(((records + index * 8) as u32).to_le_bytes());
    }
    functions.extend([0; 4]);
    for start in starts.iter().take(linked.len()) {
        functions.extend([0; 4]);
        functions.extend(start.to_le_bytes());
    }
    let mut out = magic.to_le_bytes().to_vec();
    out.extend([0, 0, 1, 8]);
    let end = 72 + names.len();
    for value in [linked.len(), 1, 0, 72, end, end, end, end] {
        out.extend((value as u64).to_le_bytes());
    }
    [out, names, functions].concat()
}
