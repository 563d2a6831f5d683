//! What can happen to bytes on their way, by a row of numbers that is the same at each run.

/// More than this no input grows to beyond its seed.
const LONGEST_INSERTION: usize = 64;
/// Values that lengths, counts and flags are wrong by.
const SPECIAL: [u8; 8] = [0, 1, 0x3f, 0x7f, 0x80, 0xc0, 0xfe, 0xff];

/// A row of numbers.
pub struct Damage(u64);

impl Damage {
    /// The row of a name.
    pub fn new(name: &str) -> Self {
        Damage(name.bytes().fold(0x9e37_79b9_7f4a_7c15, |state, byte| next(state ^ u64::from(byte))))
    }

    /// One of these seeds, with up to eight things wrong.
    pub fn of(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(8) {
            self.hurt(&mut bytes, seeds);
        }
        bytes
    }

    fn hurt(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        if bytes.is_empty() {
            bytes.push(self.byte());
        }
        // Headers come first and matter most.
        let near = if self.below(2) == 0 { bytes.len().min(512) } else { bytes.len() };
        let at = self.below(near);
        match self.below(8) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = self.byte(),
            2 => bytes[at] = SPECIAL[self.below(SPECIAL.len())],
            3 => {
                let end = (at + 1 + self.below(8)).min(bytes.len());
                let with = SPECIAL[self.below(SPECIAL.len())];
                bytes[at..end].fill(with);
            }
            4 => bytes.truncate(at),
            5 => {
                let end = (at + 1 + self.below(LONGEST_INSERTION)).min(bytes.len());
                bytes.drain(at..end);
            }
            6 => {
                let more: Vec<u8> = (0..self.below(LONGEST_INSERTION)).map(|_| self.byte()).collect();
                bytes.splice(at..at, more);
            }
            _ => {
                // A piece of another one, or of itself, in its place.
                let other = &seeds[self.below(seeds.len())];
                let from = self.below(other.len());
                let piece = &other[from..(from + self.below(LONGEST_INSERTION)).min(other.len())];
                let end = (at + piece.len()).min(bytes.len());
                bytes.splice(at..end, piece.iter().copied());
            }
        }
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = next(self.0);
        // The higher bits are the better ones.
        ((self.0 >> 16) % limit.max(1) as u64) as usize
    }
}

/// xorshift64*
fn next(state: u64) -> u64 {
    let mut state = state | 1;
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    state.wrapping_mul(0x2545_f491_4f6c_dd1d)
}
