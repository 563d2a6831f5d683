//! The option list of `mount -o`: which words are flags of mount(2), which are for people and other programs, and
//! which the filesystem reads itself.

use nix::mount::MsFlags;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

/// Words that set flags.
const SET: [(&str, MsFlags); 17] = [
    ("bind", MsFlags::MS_BIND),
    ("dirsync", MsFlags::MS_DIRSYNC),
    ("lazytime", MsFlags::MS_LAZYTIME),
    ("mand", MsFlags::MS_MANDLOCK),
    ("noatime", MsFlags::MS_NOATIME),
    ("nodev", MsFlags::MS_NODEV),
    ("nodiratime", MsFlags::MS_NODIRATIME),
    ("noexec", MsFlags::MS_NOEXEC),
    ("nosuid", MsFlags::MS_NOSUID),
    ("nosymfollow", NOSYMFOLLOW),
    ("rbind", MsFlags::MS_BIND.union(MsFlags::MS_REC)),
    ("relatime", MsFlags::MS_RELATIME),
    ("remount", MsFlags::MS_REMOUNT),
    ("ro", MsFlags::MS_RDONLY),
    ("silent", MsFlags::MS_SILENT),
    ("strictatime", MsFlags::MS_STRICTATIME),
    ("sync", MsFlags::MS_SYNCHRONOUS),
];
/// Words that clear flags which came before them.
const CLEAR: [(&str, MsFlags); 13] = [
    ("async", MsFlags::MS_SYNCHRONOUS),
    ("atime", MsFlags::MS_NOATIME),
    ("dev", MsFlags::MS_NODEV),
    ("diratime", MsFlags::MS_NODIRATIME),
    ("exec", MsFlags::MS_NOEXEC),
    ("loud", MsFlags::MS_SILENT),
    ("nolazytime", MsFlags::MS_LAZYTIME),
    ("nomand", MsFlags::MS_MANDLOCK),
    ("norelatime", MsFlags::MS_RELATIME),
    ("nostrictatime", MsFlags::MS_STRICTATIME),
    ("rw", MsFlags::MS_RDONLY),
    ("suid", MsFlags::MS_NOSUID),
    ("symfollow", NOSYMFOLLOW),
];
/// Words that mount(8) reads for itself or for others: the kernel never sees them.
const SWALLOWED: [&str; 5] = ["_netdev", "auto", "defaults", "noauto", "nofail"];
/// `MS_NOSYMFOLLOW` of `include/uapi/linux/mount.h`, which nix does not name.
const NOSYMFOLLOW: MsFlags = MsFlags::from_bits_retain(256);

/// An option list, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The flags of mount(2).
    pub flags: MsFlags,
    /// What the filesystem reads, in the order given.
    pub data: OsString,
}

impl Default for Options {
    fn default() -> Self {
        Self { flags: MsFlags::empty(), data: OsString::new() }
    }
}

impl Options {
    /// Reads one more list; of contradicting words the last one holds, as in mount(8).
    pub fn add(&mut self, list: &OsStr) {
        for word in list.as_bytes().split(|byte| *byte == b',') {
            self.add_word(word);
        }
    }

    fn add_word(&mut self, word: &[u8]) {
        let named = |table: &[(&str, MsFlags)]| {
            let entry = table.iter().find(|(name, _)| name.as_bytes() == word);
            entry.map(|(_, flags)| *flags)
        };
        if let Some(flags) = named(&SET) {
            self.flags |= flags;
        } else if let Some(flags) = named(&CLEAR) {
            self.flags &= !flags;
        } else if !is_swallowed(word) {
            if !self.data.is_empty() {
                self.data.push(",");
            }
            self.data.push(OsStr::from_bytes(word));
        }
    }
}

fn is_swallowed(word: &[u8]) -> bool {
    word.is_empty() || word.starts_with(b"x-") || SWALLOWED.iter().any(|name| name.as_bytes() == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(list: &str) -> Options {
        let mut options = Options::default();
        options.add(OsStr::new(list));
        options
    }

    #[test]
    fn words_for_people_are_swallowed_and_the_filesystems_are_kept_in_order() {
        let options = read("size=1024,_netdev,noswap,defaults,,x-mount.mkdir,mode=0700");
        assert_eq!(options.data, "size=1024,noswap,mode=0700");
        assert_eq!(options.flags, MsFlags::empty());
    }

    #[test]
    fn the_last_of_two_contradicting_words_holds() {
        assert_eq!(read("ro,rw").flags, MsFlags::empty());
        assert_eq!(read("rw,ro,nodev,dev").flags, MsFlags::MS_RDONLY);
    }

    proptest! {
        /// kubelet's remount words come in Go's map order, which is random.
        #[test]
        fn the_order_of_flags_does_not_matter(
            words in Just(vec!["bind", "remount", "ro", "nodev", "noexec", "nosuid", "noatime", "nodiratime"]).prop_shuffle(),
        ) {
            let wanted = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY | MsFlags::MS_NODEV
                | MsFlags::MS_NOEXEC | MsFlags::MS_NOSUID | MsFlags::MS_NOATIME | MsFlags::MS_NODIRATIME;
            prop_assert_eq!(read(&words.join(",")), Options { flags: wanted, data: OsString::new() });
        }

        #[test]
        fn any_bytes_are_read(list in proptest::collection::vec(any::<u8>(), 0..64)) {
            Options::default().add(OsStr::from_bytes(&list));
        }
    }
}
