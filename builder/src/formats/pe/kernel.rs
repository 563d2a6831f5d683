//! The version text of an x86 kernel (`Documentation/arch/x86/boot.rst`, `kernel_version`).

use super::format::u16_at;

const MAGIC: (usize, &[u8; 4]) = (0x202, b"HdrS");
const POINTER: usize = 0x20e;
const BASE: usize = 0x200;
const MAX: usize = 256;

/// The release of a kernel image, as `uname -r` says it: the first word of its version text.
pub fn kernel_release(kernel: &[u8]) -> Option<String> {
    if kernel.get(MAGIC.0..)?.first_chunk() != Some(MAGIC.1) {
        return None;
    }
    let at = usize::from(u16_at(kernel, POINTER).filter(|pointer| *pointer != 0)?) + BASE;
    let text = kernel.get(at..)?;
    let text = &text[..text.len().min(MAX)];
    let word = text.split(|byte| matches!(byte, 0 | b' ')).next()?;
    let word = std::str::from_utf8(word).ok()?;
    (!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic())).then(|| word.to_owned())
}
