//! Messages that came. Every step says whether there was enough.

use super::{FIXED, Kind, LARGEST, NO_REPLY, field};

/// What is wrong with a message; its client's connection ends.
pub type Wrong = &'static str;

/// How long the message is that some bytes begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// There are too few bytes to say.
    Unknown,
    /// So many bytes.
    Bytes(usize),
}

/// How long the first message is; an error where it is none that this program reads.
pub fn size(bytes: &[u8]) -> Result<Size, Wrong> {
    if bytes.first().is_some_and(|order| *order != b'l') {
        return Err("a message in another byte order");
    }
    let Some(fixed) = bytes.first_chunk::<FIXED>() else { return Ok(Size::Unknown) };
    let number = |at: usize| u32::from_le_bytes(std::array::from_fn(|index| fixed[at + index])) as usize;
    let (body, fields) = (number(4), number(12));
    if fixed[3] != 1 {
        return Err("a message of another version of the protocol");
    }
    if body > LARGEST || fields > LARGEST || FIXED + fields.next_multiple_of(8) + body > LARGEST {
        return Err("a message that is too long");
    }
    Ok(Size::Bytes(FIXED + fields.next_multiple_of(8) + body))
}

/// A message, as far as this program looks at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message<'a> {
    /// What it is.
    pub kind: Kind,
    /// Whether an answer is wanted.
    pub wants_reply: bool,
    /// Its number, which the answer names.
    pub serial: u32,
    /// The object that it is for.
    pub path: &'a str,
    /// The interface, which a call may leave out.
    pub interface: &'a str,
    /// The method or signal.
    pub member: &'a str,
    /// The types of its body.
    pub signature: &'a str,
    /// Its arguments.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads a whole message, of the length that [`size`] says.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Wrong> {
        let code = *bytes.get(1).ok_or(SHORT)?;
        let kind = Kind::ALL.into_iter().find(|kind| kind.code() == code).ok_or("a message of no known type")?;
        let flags = *bytes.get(2).ok_or(SHORT)?;
        let mut reader = Body { bytes, at: 8 };
        let serial = reader.number()?;
        if serial == 0 {
            return Err("a message without a number");
        }
        let end = reader.number()? as usize + FIXED;
        let mut message = Message {
            kind,
            wants_reply: flags & NO_REPLY == 0,
            serial,
            path: "",
            interface: "",
            member: "",
            signature: "",
            body: &[],
        };
        let mut fields = Body { bytes: bytes.get(..end).ok_or(SHORT)?, at: FIXED };
        while fields.at < end {
            fields.align(8)?;
            message.take_field(&mut fields)?;
        }
        message.body = bytes.get(end.next_multiple_of(8)..).ok_or(SHORT)?;
        if kind == Kind::Call && (message.path.is_empty() || message.member.is_empty()) {
            return Err("a call without path or method");
        }
        Ok(message)
    }

    /// A field of the header: a byte, and a value that says its own type.
    fn take_field(&mut self, fields: &mut Body<'a>) -> Result<(), Wrong> {
        let code = fields.byte()?;
        let text = match fields.signature()? {
            "s" | "o" => fields.text()?,
            "g" => fields.signature()?,
            "u" => {
                fields.number()?;
                return Ok(());
            }
            _ => return Err("a header's field of an unknown type"),
        };
        match code {
            field::PATH => self.path = text,
            field::INTERFACE => self.interface = text,
            field::MEMBER => self.member = text,
            field::SIGNATURE => self.signature = text,
            // Whom it is for, for example: there is nobody else here.
            _ => {}
        }
        Ok(())
    }
}

/// What is left to read of a message or its body, which begins at a multiple of 8.
#[derive(Debug, Clone)]
pub struct Body<'a> {
    bytes: &'a [u8],
    at: usize,
}

const SHORT: Wrong = "a message that is shorter than it says";

impl<'a> Body<'a> {
    /// Reads a body.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Body { bytes, at: 0 }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Wrong> {
        let end = self.at.checked_add(count).ok_or(SHORT)?;
        let taken = self.bytes.get(self.at..end).ok_or(SHORT)?;
        self.at = end;
        Ok(taken)
    }

    fn align(&mut self, to: usize) -> Result<(), Wrong> {
        let padding = self.take(self.at.next_multiple_of(to) - self.at)?;
        if padding.iter().any(|byte| *byte != 0) {
            return Err("a message with something between its values");
        }
        Ok(())
    }

    fn byte(&mut self) -> Result<u8, Wrong> {
        Ok(self.take(1)?[0])
    }

    fn number(&mut self) -> Result<u32, Wrong> {
        self.align(4)?;
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes(std::array::from_fn(|index| bytes[index])))
    }

    /// The next text, of type `s` or `o`.
    pub fn text(&mut self) -> Result<&'a str, Wrong> {
        let length = self.number()? as usize;
        self.ended(length)
    }

    fn signature(&mut self) -> Result<&'a str, Wrong> {
        let length = usize::from(self.byte()?);
        self.ended(length)
    }

    fn ended(&mut self, length: usize) -> Result<&'a str, Wrong> {
        let text = self.take(length)?;
        if self.byte()? != 0 || text.contains(&0) {
            return Err("a text that does not end where it says");
        }
        std::str::from_utf8(text).map_err(|_| "a text that is not UTF-8")
    }
}
