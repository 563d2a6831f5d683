//! Messages that go out.

use super::{FIXED, Kind, NO_REPLY, field};

/// What an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Nothing,
    /// A text, `s`.
    Text(String),
    /// A number in a variant, `v` of `t`: a property's value.
    Property(u64),
    /// The first descriptor that comes with the message, `h`.
    Descriptor,
    /// Yes or no, `b`.
    Bool(bool),
}

/// A message that answers one of a client's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Its own number.
    pub serial: u32,
    /// The number of what it answers.
    pub to: u32,
    /// Who seems to send it.
    pub sender: &'a str,
}

impl Value {
    fn signature(&self) -> &'static str {
        match self {
            Value::Nothing => "",
            Value::Text(_) => "s",
            Value::Property(_) => "v",
            Value::Descriptor => "h",
            Value::Bool(_) => "b",
        }
    }

    fn body(&self) -> Vec<u8> {
        let mut body = Bytes::default();
        match self {
            Value::Nothing => {}
            Value::Text(text) => body.text(text),
            Value::Property(number) => {
                body.signature("t");
                body.align(8);
                body.0.extend(number.to_le_bytes());
            }
            Value::Descriptor => body.number(0),
            Value::Bool(value) => body.number(u32::from(*value)),
        }
        body.0
    }
}

/// The answer to a call.
#[must_use]
pub fn reply(answer: Answer<'_>, value: &Value) -> Vec<u8> {
    let mut fields = Bytes::default();
    fields.number_field(field::REPLY_SERIAL, answer.to);
    fields.text_field(field::SENDER, 's', answer.sender);
    if *value == Value::Descriptor {
        fields.number_field(field::UNIX_FDS, 1);
    }
    message(Kind::Reply, answer.serial, fields, value)
}

/// The answer to a call that cannot be done.
#[must_use]
pub fn error(answer: Answer<'_>, name: &str, text: &str) -> Vec<u8> {
    let mut fields = Bytes::default();
    fields.text_field(field::ERROR_NAME, 's', name);
    fields.number_field(field::REPLY_SERIAL, answer.to);
    fields.text_field(field::SENDER, 's', answer.sender);
    message(Kind::Error, answer.serial, fields, &Value::Text(text.to_owned()))
}

/// A signal: the object's path, its interface, the signal's name.
#[must_use]
pub fn signal(serial: u32, [path, interface, member]: [&str; 3], sender: &str, value: &Value) -> Vec<u8> {
    let mut fields = Bytes::default();
    fields.text_field(field::PATH, 'o', path);
    fields.text_field(field::INTERFACE, 's', interface);
    fields.text_field(field::MEMBER, 's', member);
    fields.text_field(field::SENDER, 's', sender);
    message(Kind::Signal, serial, fields, value)
}

fn message(kind: Kind, serial: u32, mut fields: Bytes, value: &Value) -> Vec<u8> {
    let (signature, body) = (value.signature(), value.body());
    if !signature.is_empty() {
        fields.begin(field::SIGNATURE, 'g');
        fields.signature(signature);
    }
    let mut out = Bytes(vec![b'l', kind.code(), NO_REPLY, 1]);
    out.number(body.len() as u32);
    out.number(serial);
    out.number(fields.0.len() as u32);
    debug_assert_eq!(out.0.len(), FIXED);
    out.0.extend(fields.0);
    out.align(8);
    out.0.extend(body);
    out.0
}

/// Values one after the other, each where its type wants it. What it begins with lies at a multiple of 8.
#[derive(Debug, Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn align(&mut self, to: usize) {
        self.0.resize(self.0.len().next_multiple_of(to), 0);
    }

    fn number(&mut self, number: u32) {
        self.align(4);
        self.0.extend(number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u32);
        self.0.extend(text.bytes());
        self.0.push(0);
    }

    /// At most 255 bytes, as all here are.
    fn signature(&mut self, text: &str) {
        self.0.push(text.len() as u8);
        self.0.extend(text.bytes());
        self.0.push(0);
    }

    fn begin(&mut self, code: u8, kind: char) {
        self.align(8);
        self.0.push(code);
        self.signature(kind.encode_utf8(&mut [0; 4]));
    }

    fn number_field(&mut self, code: u8, number: u32) {
        self.begin(code, 'u');
        self.number(number);
    }

    fn text_field(&mut self, code: u8, kind: char, text: &str) {
        self.begin(code, kind);
        self.text(text);
    }
}
