//! From an image to a template: blocks that are all zero are left out.

use std::io;

use orlop_chain::device::ReadAt;
use orlop_chain::state_template::{self, BLOCK, Extent, Layout, Template, encode_header};

/// Bytes that are read at a time.
const CHUNK: u64 = 1 << 20;
/// A template is carried in the root: one that grew like this is a mistake in the recipe.
const MAX_CONTENT: u64 = 16 << 20;

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The image cannot be read.
    #[error("state template")]
    Io(#[from] io::Error),
    /// The image is not what a template is made of.
    #[error(transparent)]
    Template(#[from] state_template::TemplateError),
    /// Too much that is not zero.
    #[error("state template: more than {MAX_CONTENT} bytes are not zero; is this a filesystem that was just made?")]
    TooMuch,
}

/// The template file's bytes for a filesystem image. They were read back: a node will take them.
pub fn from_image(image: &impl ReadAt) -> Result<Vec<u8>, TemplateError> {
    let size = image.size()?;
    let mut layout = Layout { size, block: BLOCK, extents: Vec::new() };
    let mut content: Vec<u8> = Vec::new();
    let mut buffer = vec![0; CHUNK as usize];
    let mut offset = 0;
    while offset < size {
        let chunk = &mut buffer[..(size - offset).min(CHUNK) as usize];
        image.read_exact_at(chunk, offset)?;
        for (index, block) in chunk.chunks(BLOCK as usize).enumerate() {
            if block.iter().any(|byte| *byte != 0) {
                add(&mut layout.extents, offset + index as u64 * BLOCK, block.len() as u64);
                content.extend_from_slice(block);
            }
        }
        if content.len() as u64 > MAX_CONTENT {
            return Err(TemplateError::TooMuch);
        }
        offset += chunk.len() as u64;
    }
    let mut template = encode_header(&layout)?;
    template.append(&mut content);
    Template::parse(&template)?;
    Ok(template)
}

/// Adds a block, to the last extent where it continues it.
fn add(extents: &mut Vec<Extent>, offset: u64, length: u64) {
    match extents.last_mut() {
        Some(last) if last.offset + last.length == offset => last.length += length,
        _ => extents.push(Extent { offset, length }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_that_is_no_filesystem_is_an_error() {
        for image in [vec![], vec![0; 4096], vec![1; 8192], vec![1; 100]] {
            assert!(matches!(from_image(&image), Err(TemplateError::Template(_))), "{} bytes", image.len());
        }
    }

    #[test]
    fn neighbouring_blocks_are_one_extent() {
        let mut extents = Vec::new();
        for offset in [0, 4096, 12288] {
            add(&mut extents, offset, 4096);
        }
        assert_eq!(extents, [Extent { offset: 0, length: 8192 }, Extent { offset: 12288, length: 4096 }]);
    }
}
