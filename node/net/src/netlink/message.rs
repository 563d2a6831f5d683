//! Messages and attributes (`linux/netlink.h`): native byte order, everything aligned to four bytes.

/// Length of `struct nlmsghdr`.
pub const HEADER: usize = 16;
/// `NLM_F_REQUEST`
pub const REQUEST: u16 = 1;
/// `NLM_F_ACK`
pub const ACK: u16 = 4;
/// `NLM_F_REPLACE`
pub const REPLACE: u16 = 0x100;
/// `NLM_F_EXCL`
pub const EXCLUSIVE: u16 = 0x200;
/// `NLM_F_CREATE`
pub const CREATE: u16 = 0x400;
/// `NLM_F_APPEND`
pub const APPEND: u16 = 0x800;
/// `NLM_F_DUMP`
pub const DUMP: u16 = 0x300;
/// `NLMSG_ERROR`
pub const ERROR: u16 = 2;
/// `NLMSG_DONE`
pub const DONE: u16 = 3;
/// `NLA_F_NESTED`
const NESTED: u16 = 0x8000;
/// `NLA_TYPE_MASK`
const TYPE_MASK: u16 = 0x3fff;

/// One message as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Builder(Vec<u8>);

impl Builder {
    /// A message of a type, with its flags and its fixed part.
    pub fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[4..6].copy_from_slice(&kind.to_ne_bytes());
        bytes[6..8].copy_from_slice(&(flags | REQUEST).to_ne_bytes());
        bytes.extend_from_slice(fixed);
        align(&mut bytes);
        Builder(bytes)
    }

    /// Adds an attribute.
    pub fn put(mut self, kind: u16, value: &[u8]) -> Self {
        attribute(&mut self.0, kind, value);
        self
    }

    /// Adds an attribute that holds attributes.
    pub fn nest(mut self, kind: u16, attributes: &[u8]) -> Self {
        attribute(&mut self.0, kind | NESTED, attributes);
        self
    }

    /// The message's bytes under a sequence number.
    pub fn finish(mut self, sequence: u32) -> Vec<u8> {
        let length = self.0.len() as u32;
        self.0[..4].copy_from_slice(&length.to_ne_bytes());
        self.0[8..12].copy_from_slice(&sequence.to_ne_bytes());
        self.0
    }
}

/// Appends an attribute to bytes.
pub fn attribute(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    bytes.extend_from_slice(&((value.len() + 4) as u16).to_ne_bytes());
    bytes.extend_from_slice(&kind.to_ne_bytes());
    bytes.extend_from_slice(value);
    align(bytes);
}

/// Appends an attribute that holds attributes.
pub fn nested(bytes: &mut Vec<u8>, kind: u16, attributes: &[u8]) {
    attribute(bytes, kind | NESTED, attributes);
}

fn align(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// One message as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its type.
    pub kind: u16,
    /// The request that it answers.
    pub sequence: u32,
    /// What follows the header.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The fixed part of a given length, and the attributes behind it.
    pub fn split(&self, fixed: usize) -> Option<(&'a [u8], Attributes<'a>)> {
        let head = self.body.get(..fixed)?;
        Some((head, Attributes(self.body.get(fixed.next_multiple_of(4)..).unwrap_or_default())))
    }

    /// Of an error message: the error's number, 0 for "done".
    pub fn error(&self) -> Option<i32> {
        (self.kind == ERROR).then(|| number(self.body).map_or(libc_einval(), |code| (code as i32).wrapping_neg()))
    }
}

/// `EINVAL`: what a cut error message counts as.
fn libc_einval() -> i32 {
    nix::errno::Errno::EINVAL as i32
}

/// The messages of one datagram; stops at what is cut.
#[derive(Debug, Clone)]
pub struct Messages<'a>(pub &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let length = number(self.0)? as usize;
        let message = self.0.get(..length).filter(|bytes| bytes.len() >= HEADER)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message {
            kind: u16::from_ne_bytes(message[4..6].try_into().ok()?),
            sequence: number(&message[8..])?,
            body: &message[HEADER..],
        })
    }
}

/// Attributes, as (type, value); stops at what is cut.
#[derive(Debug, Clone, Copy)]
pub struct Attributes<'a>(pub &'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let length = usize::from(u16::from_ne_bytes(self.0.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(self.0.get(2..4)?.try_into().ok()?);
        let value = self.0.get(4..length)?;
        self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind & TYPE_MASK, value))
    }
}

/// A native number at the start of bytes.
pub fn number(bytes: &[u8]) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?))
}

/// Text up to the first NUL.
pub fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(kind in 16u16.., values in proptest::collection::vec((1u16..100, proptest::collection::vec(any::<u8>(), 0..40)), 0..8)) {
            let mut builder = Builder::new(kind, DUMP, &[7; 10]);
            for (kind, value) in &values {
                builder = builder.put(*kind, value);
            }
            let bytes = builder.finish(9);
            let message = Messages(&bytes).next().expect("a message");
            prop_assert_eq!((message.kind, message.sequence), (kind, 9));
            let (head, attributes) = message.split(10).expect("a fixed part");
            prop_assert_eq!(head, &[7; 10]);
            let read: Vec<(u16, Vec<u8>)> = attributes.map(|(kind, value)| (kind, value.to_vec())).collect();
            prop_assert_eq!(read, values);
        }

        #[test]
        fn no_bytes_are_a_panic_or_a_loop(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            for message in Messages(&bytes) {
                let _ = message.error();
                let _ = message.split(12).map(|(_, attributes)| attributes.count());
            }
            prop_assert!(Attributes(&bytes).count() <= bytes.len());
        }
    }

    #[test]
    fn an_error_has_its_number_whatever_it_is() {
        let error = |code: i32| Message { kind: ERROR, sequence: 1, body: &code.to_ne_bytes() }.error();
        assert_eq!((error(0), error(-22)), (Some(0), Some(22)));
        // It has no opposite.
        assert_eq!(error(i32::MIN), Some(i32::MIN));
        assert_eq!(Message { kind: ERROR, sequence: 1, body: &[0; 3] }.error(), Some(libc_einval()), "a cut one");
        assert_eq!(Message { kind: DONE, sequence: 1, body: &[0; 4] }.error(), None);
    }

    #[test]
    fn an_attribute_of_no_length_ends_the_reading() {
        assert_eq!(Attributes(&[0; 8]).count(), 0);
        assert_eq!(Messages(&[0; 64]).count(), 0);
    }
}
