//! The two CRC-32 of this crate: GPT's (zlib's polynomial) and ext4's (Castagnoli). Tables are made by the compiler.

const fn table(polynomial: u32) -> [u32; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < 256 {
        let mut value = index as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ polynomial } else { value >> 1 };
            bit += 1;
        }
        table[index] = value;
        index += 1;
    }
    table
}

static ZLIB: [u32; 256] = table(0xedb8_8320);
static CASTAGNOLI: [u32; 256] = table(0x82f6_3b78);

fn update(table: &[u32; 256], seed: u32, bytes: &[u8]) -> u32 {
    bytes.iter().fold(seed, |crc, byte| table[((crc ^ u32::from(*byte)) & 0xff) as usize] ^ (crc >> 8))
}

/// CRC-32 as GPT wants it.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    !update(&ZLIB, !0, bytes)
}

/// CRC-32C as ext4 wants it: seeded with all ones, not inverted at the end.
pub(crate) fn crc32c_ext4(bytes: &[u8]) -> u32 {
    update(&CASTAGNOLI, !0, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_values_of_the_catalogue() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(!crc32c_ext4(b"123456789"), 0xe306_9283);
    }
}
