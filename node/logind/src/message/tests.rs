use super::*;
use proptest::prelude::*;

/// `Hello`, byte by byte as godbus writes it: the order of its fields is any, their alignment is not.
const HELLO: &[u8] = b"l\x01\x00\x01\x00\x00\x00\x00\x01\x00\x00\x00\x6e\x00\x00\x00\
    \x01\x01o\x00\x15\x00\x00\x00/org/freedesktop/DBus\x00\x00\x00\
    \x06\x01s\x00\x14\x00\x00\x00org.freedesktop.DBus\x00\x00\x00\x00\
    \x02\x01s\x00\x14\x00\x00\x00org.freedesktop.DBus\x00\x00\x00\x00\
    \x03\x01s\x00\x05\x00\x00\x00Hello\x00\x00\x00";

#[test]
fn kubelets_first_call_is_read() {
    assert_eq!(size(HELLO), Ok(Size::Bytes(HELLO.len())));
    let hello = Message::read(HELLO).expect("a message");
    assert_eq!((hello.kind, hello.serial, hello.wants_reply), (Kind::Call, 1, true));
    assert_eq!((hello.path, hello.interface), ("/org/freedesktop/DBus", "org.freedesktop.DBus"));
    assert_eq!((hello.member, hello.signature, hello.body), ("Hello", "", &[][..]));
}

#[test]
fn what_is_written_is_as_the_specification_has_it() {
    let answer = Answer { serial: 2, to: 1, sender: ":1.0" };
    let wanted = b"l\x02\x01\x01\x09\x00\x00\x00\x02\x00\x00\x00\x1f\x00\x00\x00\
        \x05\x01u\x00\x01\x00\x00\x00\
        \x07\x01s\x00\x04\x00\x00\x00:1.0\x00\x00\x00\x00\
        \x08\x01g\x00\x01s\x00\x00\
        \x04\x00\x00\x00:1.7\x00";
    let wrote = reply(answer, &Value::Text(":1.7".into()));
    assert_eq!(wrote, wanted, "{}", String::from_utf8_lossy(&wrote));
    let property = reply(answer, &Value::Property(45_000_000));
    // The variant's signature, then eight bytes at a multiple of 8.
    assert!(property.ends_with(b"\x01t\x00\x00\x00\x00\x00\x00\x40\xa5\xae\x02\x00\x00\x00\x00"), "{property:?}");
    let descriptor = reply(answer, &Value::Descriptor);
    assert!(descriptor.windows(8).any(|bytes| bytes == b"\x09\x01u\x00\x01\x00\x00\x00"), "how many come with it");
}

#[test]
fn what_is_written_can_be_read() {
    let answer = Answer { serial: 9, to: 8, sender: ":1.0" };
    for value in [Value::Nothing, Value::Text("a".into()), Value::Property(1), Value::Descriptor, Value::Bool(true)] {
        let names = ["/a/b", "a.B", "C"];
        for bytes in [reply(answer, &value), error(answer, "a.E", "why"), signal(9, names, ":1.0", &value)] {
            assert_eq!(size(&bytes), Ok(Size::Bytes(bytes.len())));
            let read = Message::read(&bytes).expect("a message");
            assert_eq!((read.serial, read.wants_reply), (9, false));
            match read.kind {
                Kind::Signal => assert_eq!([read.path, read.interface, read.member], names),
                Kind::Error => assert_eq!(Body::new(read.body).text(), Ok("why")),
                _ => assert_eq!(read.signature, value_signature(&value)),
            }
        }
    }
}

fn value_signature(value: &Value) -> &'static str {
    match value {
        Value::Nothing => "",
        Value::Text(_) => "s",
        Value::Property(_) => "v",
        Value::Descriptor => "h",
        Value::Bool(_) => "b",
    }
}

/// `Hello` with some bytes replaced.
fn altered(at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = HELLO.to_vec();
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

#[test]
fn what_is_none_is_refused_by_name() {
    let long = u32::try_from(LARGEST).expect("small").to_le_bytes();
    for (bytes, why) in [
        (altered(0, b"B"), "byte order"),
        (altered(3, b"\x02"), "version"),
        (altered(4, &long), "too long"),
        (altered(4, &[255; 4]), "too long"),
        (altered(12, &long), "too long"),
        (altered(12, &[255; 4]), "too long"),
        (altered(1, b"\x00"), "no known type"),
        (altered(1, b"\x05"), "no known type"),
        (altered(8, &[0; 4]), "without a number"),
        (altered(12, &[0; 4]), "without path"),
        (altered(18, b"a"), "unknown type"),
        (altered(20, &[255; 4]), "shorter than it says"),
        (altered(20, &[2, 0, 0, 0]), "end where it says"),
        (altered(24, b"\xff"), "not UTF-8"),
        (altered(24, b"\x00"), "end where it says"),
        (altered(46, b"x"), "between its values"),
    ] {
        let error = size(&bytes).and_then(|_| Message::read(&bytes).map(drop)).expect_err(why);
        assert!(error.contains(why), "{error}, not {why}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = size(&bytes);
        let _ = Message::read(&bytes);
        let mut body = Body::new(&bytes);
        while body.text().is_ok() {}
    }

    #[test]
    fn a_message_with_any_byte_changed_is_read(at in 0..HELLO.len(), byte in any::<u8>(), cut in 0..HELLO.len()) {
        let bytes = altered(at, &[byte]);
        let _ = Message::read(&bytes);
        let _ = Message::read(&bytes[..cut]);
        if let Ok(Size::Bytes(length)) = size(&bytes) {
            prop_assert!(length <= LARGEST);
        }
    }

    #[test]
    fn a_cut_message_waits_for_its_rest(cut in 0..HELLO.len()) {
        let known = if cut < 16 { Size::Unknown } else { Size::Bytes(HELLO.len()) };
        prop_assert_eq!(size(&HELLO[..cut]), Ok(known));
    }
}
