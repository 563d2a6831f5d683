use super::*;
use crate::Guid;
use crate::device::cuts;
use proptest::prelude::*;

const SIZE: u64 = 256 << 10;

/// A template with the shape of a real one: superblock, descriptors behind it, something far away.
fn sample() -> Vec<u8> {
    let extents = vec![(0, 2 * BLOCK).into(), (4 * BLOCK, BLOCK).into(), (40 * BLOCK, BLOCK).into()];
    let layout = Layout { size: SIZE, block: BLOCK, extents };
    let mut first = vec![0; BLOCK as usize];
    first[1024 + 0x38..1024 + 0x3a].copy_from_slice(&0xef53_u16.to_le_bytes());
    first[1024 + 0x61] = 0x20;
    first[1024 + 0x65] = 0x04;
    superblock::patch(&mut first, Guid::from_u128(1), Guid::from_u128(2));
    let others = (1..4_u8).flat_map(|value| vec![value; BLOCK as usize]);
    [encode_header(&layout).unwrap(), first, others.collect()].concat()
}

const MINE: Identity = Identity { uuid: Guid::from_u128(0x1111_2222), hash_seed: Guid::from_u128(0x3333_4444) };

/// What the partition must hold in the end.
fn whole(template: &Template<'_>, identity: Identity) -> Vec<u8> {
    let mut bytes = template.range(0, SIZE as usize);
    superblock::patch(&mut bytes[..BLOCK as usize], identity.uuid, identity.hash_seed);
    bytes
}

#[test]
fn ranges_have_extents_and_zeros() {
    let file = sample();
    let template = Template::parse(&file).unwrap();
    let bytes = template.range(0, SIZE as usize);
    assert_eq!(bytes[BLOCK as usize], 1);
    assert_eq!(bytes[2 * BLOCK as usize], 0);
    assert_eq!(template.range(4 * BLOCK + 5, 3), [2, 2, 2]);
    assert_eq!(template.first_block().unwrap().len(), 4096);
}

/// From a blank partition, from a reused disk's leavings beyond the first 64 KiB, and from any torn state of an earlier try.
#[test]
fn at_every_cut_it_is_blank_or_interrupted_or_whole() {
    let file = sample();
    let template = Template::parse(&file).unwrap();
    let mut torn_states = vec![vec![0; SIZE as usize]];
    torn_states[0][30 * BLOCK as usize..].fill(0x55);
    let mut seen = torn_states.clone();
    cuts::for_each(&mut torn_states[0], &plan(&template, MINE), &mut |torn| seen.push(torn.to_vec()));
    assert_eq!(torn_states[0], whole(&template, MINE));

    let other = Identity { uuid: Guid::from_u128(5), hash_seed: Guid::from_u128(6) };
    for (index, state) in seen.into_iter().enumerate() {
        match judge(&state, &template) {
            Content::Ext4 => assert_eq!(state, whole(&template, MINE), "an ext4 before everything was there"),
            Content::Unknown => panic!("our own torn writing is taken for foreign content"),
            Content::Blank | Content::Interrupted if index % 5 == 0 => {
                let mut state = state;
                cuts::for_each(&mut state, &plan(&template, other), &mut |torn| match judge(torn, &template) {
                    Content::Ext4 => assert_eq!(torn, whole(&template, other)),
                    found => assert_ne!(found, Content::Unknown),
                });
                assert_eq!(state, whole(&template, other));
            }
            Content::Blank | Content::Interrupted => {}
        }
    }
}

#[test]
fn a_filesystem_that_is_wiped_is_never_taken_for_foreign_content() {
    let file = sample();
    let template = Template::parse(&file).unwrap();
    let mut device = vec![0x77; SIZE as usize];
    device[1024 + 0x38..1024 + 0x3a].copy_from_slice(&0xef53_u16.to_le_bytes());
    assert_eq!(judge(&device, &template), Content::Ext4);
    cuts::for_each(&mut device, &plan(&template, MINE), &mut |torn| {
        assert_ne!(judge(torn, &template), Content::Unknown);
    });
    assert_eq!(device, whole(&template, MINE));
}

#[test]
fn foreign_content_is_unknown() {
    let file = sample();
    let template = Template::parse(&file).unwrap();
    let mut luks = vec![0; SIZE as usize];
    luks[..6].copy_from_slice(b"LUKS\xba\xbe");
    assert_eq!(judge(&luks, &template), Content::Unknown);
    let mut late = vec![0; SIZE as usize];
    late[BLANK_BYTES - 1] = 1;
    assert_eq!(judge(&late, &template), Content::Unknown);
    assert_eq!(judge(&[0; 100], &template), Content::Unknown);
}

#[test]
fn layouts_that_make_no_sense_are_named() {
    let bad: [(u64, &[(u64, u64)]); 6] = [
        (SIZE, &[(0, 0)]),
        (SIZE, &[(0, 5)]),
        (SIZE, &[(4096, 4096), (0, 4096)]),
        (SIZE, &[(0, 8192), (4096, 4096)]),
        (SIZE, &[(SIZE, 4096)]),
        (SIZE, &[(u64::MAX - 4095, 4096)]),
    ];
    for (size, extents) in bad {
        let layout = Layout { size, block: BLOCK, extents: extents.iter().map(|pair| (*pair).into()).collect() };
        assert!(matches!(layout.extent_bytes(), Err(TemplateError::Extent { .. })), "{extents:?}");
    }
    let odd = Layout { size: 100, block: BLOCK, extents: vec![] };
    assert!(matches!(odd.extent_bytes(), Err(TemplateError::Size { .. })));
}

#[test]
fn every_cut_is_an_error() {
    let file = sample();
    for end in (0..200).chain((200..file.len()).step_by(97)) {
        assert!(Template::parse(&file[..end]).is_err(), "cut at {end}");
    }
    let long = [file.as_slice(), &[0]].concat();
    assert!(matches!(Template::parse(&long), Err(TemplateError::Length { .. })));
}

proptest! {
    #[test]
    fn any_bytes_are_a_template_or_an_error(json in ".{0,200}", tail: Vec<u8>) {
        let file = [MAGIC_LINE.as_bytes(), b"\n", json.as_bytes(), b"\n", &tail].concat();
        let _ = Template::parse(&file);
    }

    #[test]
    fn any_layout_is_a_template_or_an_error(size: u64, extents: Vec<(u64, u64)>) {
        let layout = Layout { size, block: BLOCK, extents: extents.into_iter().map(Extent::from).collect() };
        if let Ok(header) = encode_header(&layout) {
            let _ = Template::parse(&header);
        }
    }

    #[test]
    fn any_head_has_a_judgement(at in 0..BLANK_BYTES, value: u8) {
        let file = sample();
        let template = Template::parse(&file).unwrap();
        let mut head = whole(&template, MINE);
        head[at] = value;
        let _ = judge(&head, &template);
    }
}
