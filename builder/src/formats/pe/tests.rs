use super::format::*;
use super::*;
use proptest::prelude::*;

/// A small image made by hand: `.text` of 16 bytes and `.sbat`, room for more sections.
fn image(nx: bool, subsystem: u16) -> Vec<u8> {
    let mut bytes = vec![0; 0x600];
    put(&mut bytes, 0, b"MZ");
    put(&mut bytes, PE_OFFSET, &0x80_u32.to_le_bytes());
    put(&mut bytes, 0x80, SIGNATURE);
    let optional = 0x84 + COFF;
    put(&mut bytes, 0x84, &0x8664_u16.to_le_bytes());
    put(&mut bytes, 0x84 + COFF_SECTIONS, &2_u16.to_le_bytes());
    put(&mut bytes, 0x84 + COFF_OPTIONAL_SIZE, &240_u16.to_le_bytes());
    put(&mut bytes, optional, &PE32_PLUS.to_le_bytes());
    let flags = if nx { NX_COMPAT } else { 0 };
    put(&mut bytes, optional + SUBSYSTEM, &subsystem.to_le_bytes());
    put(&mut bytes, optional + DLL_CHARACTERISTICS, &flags.to_le_bytes());
    let fields =
        [(SECTION_ALIGNMENT, 0x1000), (FILE_ALIGNMENT, 0x200), (SIZE_OF_IMAGE, 0x3000), (SIZE_OF_HEADERS, 0x400)];
    for (at, value) in fields.into_iter().chain([(DIRECTORIES, 16_u32)]) {
        put(&mut bytes, optional + at, &value.to_le_bytes());
    }
    section(&mut bytes, 0, b".text", &[16, 0x1000, 0x200, 0x400]);
    let sbat = b"sbat,1,head\nstub,1,Stub\n\0";
    bytes.resize(0x800, 0);
    section(&mut bytes, 1, b".sbat", &[sbat.len() as u32, 0x2000, 0x200, 0x600]);
    put(&mut bytes, 0x400, b"code code code !");
    put(&mut bytes, 0x600, sbat);
    bytes
}

fn section(bytes: &mut [u8], index: usize, name: &[u8], fields: &[u32]) {
    let entry = 0x84 + COFF + 240 + index * SECTION;
    put(bytes, entry, name);
    for (place, field) in fields.iter().enumerate() {
        put(bytes, entry + 8 + place * 4, &field.to_le_bytes());
    }
}

pub(crate) fn stub() -> Vec<u8> {
    image(true, EFI_APPLICATION)
}

fn uki() -> Vec<u8> {
    let sections = [
        NewSection::data(".osrel", b"ID=orlop\n".to_vec()),
        NewSection::data(".initrd", vec![7; 0x201]),
        NewSection::kernel(image(false, EFI_APPLICATION)).unwrap(),
    ];
    add_sections(&stub(), &sections).unwrap()
}

#[test]
fn sections_that_were_added_are_read_back() {
    let uki = uki();
    let image = Image::parse(&uki).unwrap();
    let names: Vec<_> = image.sections.iter().map(|section| section.name.as_str()).collect();
    assert_eq!(names, [".text", ".sbat", ".osrel", ".initrd", ".linux"]);
    assert_eq!(image.section(".osrel"), Some(b"ID=orlop\n".as_slice()));
    assert_eq!(image.section(".initrd"), Some(vec![7; 0x201].as_slice()));
    assert_eq!(image.section(".linux"), Some(self::image(false, EFI_APPLICATION).as_slice()));
    assert_eq!(image.section(".nothing"), None);
    let linux = image.sections.last().unwrap();
    assert_eq!((linux.virtual_address, linux.virtual_size, linux.raw_size), (0x5000, 0x3000, 0x800));
    assert_eq!(image.size_of_image(), 0x8000);
    assert!(image.sections.iter().all(|section| section.raw_offset % 0x200 == 0));
    assert!(!image.nx_compatible(), "a kernel without NX_COMPAT takes it from the UKI");
}

#[test]
fn sbat_lines_of_stub_kernel_and_uki_are_merged_in_place() {
    let uki = uki();
    let text = Image::parse(&uki).unwrap().section(".sbat").unwrap();
    let text = std::str::from_utf8(text).unwrap();
    let firsts: Vec<_> = text.trim_end_matches('\0').lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(firsts, ["sbat", "stub", "stub", "uki"]);
}

#[test]
fn stubs_and_sections_that_cannot_be_used_are_named() {
    let data = |name| [NewSection::data(name, vec![1])];
    assert_eq!(add_sections(&stub(), &data(".text")), Err(PeError::Name(".text".to_owned())));
    assert_eq!(add_sections(&stub(), &data(".toolongname")), Err(PeError::Name(".toolongname".to_owned())));
    let many: Vec<_> = (0..17).map(|_| NewSection::data(".x", vec![])).collect();
    assert!(add_sections(&stub(), &many).is_err());
    assert!(matches!(add_sections(&image(true, 3), &data(".x")), Err(PeError::Stub(_))));
    let mut signed = stub();
    put(&mut signed, 0x84 + COFF + CERTIFICATES, &0x800_u32.to_le_bytes());
    assert!(matches!(add_sections(&signed, &data(".x")), Err(PeError::Stub(_))));
    let mut irrevocable = stub();
    put(&mut irrevocable, 0x84 + COFF + 240 + SECTION, b".sbaa");
    let error = add_sections(&irrevocable, &data(".x")).unwrap_err().to_string();
    assert!(error.contains("no .sbat section"), "{error}");
}

#[test]
fn the_table_ends_where_the_first_section_begins() {
    // 0x400 - (0x84 + 20 + 240) = 632 bytes: 15 entries, two of them taken.
    const NAMES: [&str; 14] = [".a", ".b", ".c", ".d", ".e", ".f", ".g", ".h", ".i", ".j", ".k", ".l", ".m", ".n"];
    let sections: Vec<_> = NAMES.iter().map(|name| NewSection::data(name, vec![1])).collect();
    assert!(add_sections(&stub(), &sections[..13]).is_ok());
    assert_eq!(add_sections(&stub(), &sections), Err(PeError::NoRoom(".n".to_owned())));
}

#[test]
fn the_digest_leaves_checksum_and_certificates_out_and_nothing_else() {
    let unsigned = uki();
    let digest = authenticode_digest(&unsigned).unwrap();
    let optional = 0x84 + COFF;
    let mut signed = unsigned.clone();
    put(&mut signed, optional + CHECKSUM, &[1, 2, 3, 4]);
    put(&mut signed, optional + CERTIFICATES, &(unsigned.len() as u32).to_le_bytes());
    put(&mut signed, optional + CERTIFICATES + 4, &16_u32.to_le_bytes());
    signed.extend_from_slice(&[9; 16]);
    assert_eq!(authenticode_digest(&signed), Ok(digest));
    for at in [2, optional + SIZE_OF_IMAGE, 0x300, 0x400, unsigned.len() - 1] {
        let mut other = unsigned.clone();
        other[at] ^= 1;
        assert_ne!(authenticode_digest(&other), Ok(digest), "byte {at:#x}");
    }
}

#[test]
fn a_kernel_says_its_release() {
    let mut kernel = vec![0; 0x1000];
    put(&mut kernel, 0x202, b"HdrS");
    put(&mut kernel, 0x20e, &0x300_u16.to_le_bytes());
    put(&mut kernel, 0x500, b"6.12.117+deb13-cloud-amd64 (x@y) #1 SMP");
    assert_eq!(kernel_release(&kernel).as_deref(), Some("6.12.117+deb13-cloud-amd64"));
    assert_eq!(kernel_release(&kernel[..0x500]), None);
    assert_eq!(kernel_release(b"MZ"), None);
}

#[test]
fn every_cut_is_an_error_or_an_image_with_whole_sections() {
    let uki = uki();
    for end in (0..uki.len()).step_by(3) {
        let cut = &uki[..end];
        assert!(Image::parse(cut).is_err(), "cut at {end}");
        let _ = authenticode_digest(cut);
        let _ = kernel_release(cut);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_an_image_or_an_error(tail: Vec<u8>) {
        let _ = Image::parse(&tail);
        let _ = kernel_release(&tail);
    }

    #[test]
    fn changed_headers_never_panic(changes in prop::collection::vec((0_usize..0x200, any::<u8>()), 1..6)) {
        let mut bytes = uki();
        for (at, value) in changes {
            bytes[at] = value;
        }
        if let Ok(image) = Image::parse(&bytes) {
            for section in &image.sections {
                let _ = image.section(&section.name);
            }
        }
        let _ = authenticode_digest(&bytes);
        let _ = add_sections(&bytes, &[NewSection::data(".x", vec![1; 700])]);
    }
}

/// A certificate table that claims the headers: without a section that has bytes, nothing else would notice.
#[test]
fn a_certificate_table_over_the_headers_is_an_error() {
    let mut bytes = stub();
    for index in 0..2 {
        let entry = 0x84 + COFF + 240 + index * SECTION;
        put(&mut bytes, entry + 16, &[0; 8]);
    }
    let length = bytes.len() as u32;
    let certificates = 0x84 + COFF + CERTIFICATES;
    for offset in [0, 8, 0x3f8] {
        put(&mut bytes, certificates, &u32::to_le_bytes(offset));
        put(&mut bytes, certificates + 4, &(length - offset).to_le_bytes());
        assert!(authenticode_digest(&bytes).is_err() && super::certificates(&bytes).is_err(), "{offset}");
        assert!(remove_certificates(&bytes).is_err(), "{offset}");
    }
}
