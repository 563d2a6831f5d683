//! The UKI on a subject's ESP: taken apart, changed, put together, signed or not; and files beside it.

use std::ffi::OsStr;
use std::fs;
use std::ops::Range;

use anyhow::{Context, Result, ensure};
use orlop::formats::pe::{self, NewSection};
use orlop::image::open;
use orlop_machine::image::Image;
use orlop_machine::{esp, program};

use crate::forge::{self, By};
use crate::subject::{Subject, replace};

/// The sections that a UKI adds to its stub, in their order.
const ADDED: [&str; 5] = [".osrel", ".cmdline", ".uname", ".initrd", ".linux"];

/// A UKI's stub and what was added to it.
pub struct Parts {
    stub: Vec<u8>,
    /// Names and contents.
    pub sections: Vec<(&'static str, Vec<u8>)>,
}

impl Subject {
    /// The UKI, without its signature.
    pub fn uki(&self) -> Result<Vec<u8>> {
        unsigned(Image::open(&self.disk)?.uki()?)
    }

    /// Puts a UKI in its place, signed by this one or not at all.
    pub fn set_uki(&self, uki: &[u8], by: Option<By>) -> Result<()> {
        let signed = by.map(|by| forge::signed(uki, by)).transpose()?;
        self.lay(esp::UKI, signed.as_deref().unwrap_or(uki))
    }

    /// Lays a file on the ESP; its folders are made.
    pub fn lay(&self, path: &str, bytes: &[u8]) -> Result<()> {
        let volume = format!("{}@@{}", self.disk.display(), self.offset("esp")?);
        let mtools = |name, words: &[&OsStr]| program::run((name, "mtools"), words);
        for (at, _) in path.match_indices('/') {
            let folder = format!("::/{}", &path[..at]);
            // One that is there already is skipped.
            let _ = mtools("mmd", &["-D", "s", "-i", &volume, &folder].map(OsStr::new));
        }
        let file = self.bench.file("laid");
        fs::write(&file, bytes)?;
        let target = format!("::/{path}");
        let words: [&OsStr; 5] = ["-o".as_ref(), "-i".as_ref(), volume.as_ref(), file.as_ref(), target.as_ref()];
        Ok(mtools("mcopy", &words)?)
    }

    /// Changes the boot manifest in the UKI's initramfs and in the one of a direct boot. Its length stays: what is
    /// shorter is filled up with spaces at its end. Manifest and UKI are signed again: by us, so that nothing but
    /// the change is wrong, or the manifest by a stranger.
    pub fn manifest(&mut self, (from, to): (&str, &str), by: By) -> Result<()> {
        let old = open::Image::open(&self.disk)?.uki()?.boot_manifest()?;
        let mut new = replace(std::str::from_utf8(&old)?, from, to)?.into_bytes();
        ensure!(new.len() <= old.len(), "the manifest grows");
        new.resize(old.len(), b' ');
        let initramfs = &self.bench.boot.initramfs;
        fs::write(initramfs, exchanged(fs::read(initramfs)?, &old, &new)?)?;
        self.set_uki(&exchanged(self.uki()?, &old, &new)?, Some(By::Us))?;
        let signature = forge::manifest_signature(&new, by)?;
        self.signature(|document| {
            document.orlop_boot_signature = signature;
            Ok(())
        })
    }
}

fn exchanged(mut bytes: Vec<u8>, old: &[u8], new: &[u8]) -> Result<Vec<u8>> {
    let at = find(&bytes, old).context("the boot manifest, uncompressed")?;
    bytes[at..at + new.len()].copy_from_slice(new);
    Ok(bytes)
}

pub fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// Where the PE header says where the certificates lie.
fn certificates(pe: &[u8]) -> Result<Range<usize>> {
    let header = u32::from_le_bytes(pe.get(60..64).context("a PE file")?.try_into()?) as usize;
    // Signature and COFF header, 112 bytes of optional header, then the fifth of the directories.
    let at = header + 24 + 112 + 4 * 8;
    Ok(at..at + 8)
}

/// A changed PE file with the signature that another one has.
pub fn with_signature_of(signed: &[u8], mut changed: Vec<u8>) -> Result<Vec<u8>> {
    let field = signed[certificates(signed)?].to_vec();
    let at = u32::from_le_bytes(field[..4].try_into()?) as usize;
    let signature = signed.get(at..).filter(|_| at != 0).context("the UKI's signature")?;
    changed.resize(changed.len().next_multiple_of(8), 0);
    let place = certificates(&changed)?;
    let end = u32::try_from(changed.len())?;
    changed[place.clone()].copy_from_slice(&field);
    changed[place.start..place.start + 4].copy_from_slice(&end.to_le_bytes());
    changed.extend_from_slice(signature);
    Ok(changed)
}

/// A signed PE file as it was before.
fn unsigned(mut pe: Vec<u8>) -> Result<Vec<u8>> {
    let place = certificates(&pe)?;
    let table = u32::from_le_bytes(pe[place.start..place.start + 4].try_into()?) as usize;
    if table != 0 {
        pe.truncate(table);
        pe[place].fill(0);
    }
    Ok(pe)
}

impl Parts {
    /// Takes a UKI apart.
    pub fn of(uki: &[u8]) -> Result<Parts> {
        let image = pe::Image::parse(uki)?;
        let section = |name| image.section(name).map(|bytes| (name, bytes.to_vec())).context(name);
        let sections = ADDED.into_iter().map(section).collect::<Result<_>>()?;
        let first = image.sections.iter().position(|section| section.name == ADDED[0]).context(ADDED[0])?;
        ensure!(image.sections.len() == first + ADDED.len(), "a UKI with other sections: {:?}", image.sections);
        let mut stub = uki[..image.sections[first].raw_offset as usize].to_vec();
        let header = u32::from_le_bytes(stub[60..64].try_into()?) as usize;
        stub[header + 6..header + 8].copy_from_slice(&u16::try_from(first)?.to_le_bytes());
        let sbat = image.sections.iter().find(|section| section.name == ".sbat").context(".sbat")?;
        restore_sbat(&mut stub[sbat.raw_offset as usize..][..sbat.raw_size as usize])?;
        Ok(Parts { stub, sections })
    }

    /// Puts it together again.
    pub fn join(&self) -> Result<Vec<u8>> {
        let section = |(name, bytes): &(&'static str, Vec<u8>)| match *name {
            ".linux" => NewSection::kernel(bytes.clone()),
            name => Ok(NewSection::data(name, bytes.clone())),
        };
        let sections: Vec<_> = self.sections.iter().map(section).collect::<Result<_, _>>()?;
        Ok(pe::add_sections(&self.stub, &sections)?)
    }

    /// The stub with one section: what an add-on is to the stub that loads it.
    pub fn addon(&self, command_line: &str) -> Result<Vec<u8>> {
        let line = NewSection::data(".cmdline", format!("{command_line}\0").into_bytes());
        Ok(pe::add_sections(&self.stub, &[line])?)
    }

    /// The content of a section.
    pub fn section(&mut self, name: &str) -> Result<&mut Vec<u8>> {
        let found = self.sections.iter_mut().find(|(section, _)| *section == name);
        Ok(&mut found.with_context(|| name.to_owned())?.1)
    }
}

/// Leaves only the stub's own lines in `.sbat`: the others come with the kernel and the UKI.
fn restore_sbat(bytes: &mut [u8]) -> Result<()> {
    let text = std::str::from_utf8(bytes)?.trim_end_matches('\0').to_owned();
    let own = text.lines().filter(|line| line.starts_with("sbat,") || line.starts_with("systemd"));
    let own: String = own.map(|line| format!("{line}\n")).collect();
    bytes.fill(0);
    bytes[..own.len()].copy_from_slice(own.as_bytes());
    Ok(())
}
