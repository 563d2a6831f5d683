//! The lines before the first message: a zero byte, `AUTH EXTERNAL`, `NEGOTIATE_UNIX_FD`, `BEGIN`. Who the client is the
//! kernel has said already; here it only may claim to be the same.

/// A longer line is no line of this protocol.
const LONGEST: usize = 512;
/// kubelet needs five at most.
const MOST: u32 = 16;
/// What the only mechanism is called. Also said to whoever asks for another.
const REJECTED: &str = "REJECTED EXTERNAL\r\n";
/// Of this bus. Clients keep it, nobody compares it.
const GUID: &str = "6f726c6f702d6c6f67696e6400000001";

/// How far a client is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    uid: u32,
    zero: bool,
    known: bool,
    /// It wants descriptors, which an inhibitor is.
    pub descriptors: bool,
    lines: u32,
}

/// What a client's bytes came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// More must come.
    More,
    /// So many bytes are done with; this is to be sent.
    Say(usize, String),
    /// So many bytes are done with; messages follow.
    Begun(usize),
}

impl Auth {
    /// For a client that is this user.
    #[must_use]
    pub fn new(uid: u32) -> Self {
        Auth { uid, zero: false, known: false, descriptors: false, lines: 0 }
    }

    /// Takes the zero byte or one line.
    pub fn step(&mut self, input: &[u8]) -> Result<Step, &'static str> {
        let Some(first) = input.first() else { return Ok(Step::More) };
        if !self.zero {
            self.zero = true;
            return if *first == 0 {
                Ok(Step::Say(1, String::new()))
            } else {
                Err("it does not begin with a zero byte")
            };
        }
        let Some(end) = input.iter().take(LONGEST).position(|byte| *byte == b'\n') else {
            return if input.len() < LONGEST {
                Ok(Step::More)
            } else {
                Err("a line of its authentication is too long")
            };
        };
        self.lines += 1;
        if self.lines > MOST {
            return Err("its authentication does not end");
        }
        let line = input[..end].strip_suffix(b"\r").ok_or("a line of its authentication does not end in CR LF")?;
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        self.answer(&words).map(|answer| match answer {
            Some(answer) => Step::Say(end + 1, answer),
            None => Step::Begun(end + 1),
        })
    }

    /// The answer to a line; none: messages follow.
    fn answer(&mut self, words: &[&[u8]]) -> Result<Option<String>, &'static str> {
        Ok(Some(match words {
            [b"AUTH", b"EXTERNAL", claim] if *claim == hex(&self.uid.to_string()).as_bytes() => {
                self.known = true;
                format!("OK {GUID}\r\n")
            }
            [b"AUTH" | b"CANCEL" | b"ERROR", ..] => {
                self.known = false;
                REJECTED.to_owned()
            }
            [b"NEGOTIATE_UNIX_FD"] if self.known => {
                self.descriptors = true;
                "AGREE_UNIX_FD\r\n".to_owned()
            }
            [b"BEGIN"] if self.known => return Ok(None),
            [b"BEGIN"] => return Err("it begins without authentication"),
            _ => "ERROR\r\n".to_owned(),
        }))
    }
}

/// As EXTERNAL writes a user: the digits of its number, each as two of hexadecimal.
#[must_use]
pub fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All that is said to these bytes, and what is left of them once messages follow.
    fn talk(uid: u32, mut input: &[u8]) -> Result<(String, Option<Vec<u8>>, Auth), &'static str> {
        let (mut auth, mut said) = (Auth::new(uid), String::new());
        loop {
            match auth.step(input)? {
                Step::More => return Ok((said, None, auth)),
                Step::Say(count, text) => {
                    said.push_str(&text);
                    input = &input[count..];
                }
                Step::Begun(count) => return Ok((said, Some(input[count..].to_vec()), auth)),
            }
        }
    }

    #[test]
    fn kubelets_words_are_understood() {
        let words = b"\0AUTH\r\nAUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\nl";
        let (said, rest, auth) = talk(0, words).expect("no error");
        assert_eq!(said, format!("REJECTED EXTERNAL\r\nOK {GUID}\r\nAGREE_UNIX_FD\r\n"));
        assert_eq!(rest.as_deref(), Some(&b"l"[..]));
        assert!(auth.descriptors);
    }

    #[test]
    fn nobody_is_somebody_else() {
        for words in ["AUTH EXTERNAL 30", "AUTH EXTERNAL", "AUTH ANONYMOUS", "AUTH DBUS_COOKIE_SHA1 30", "CANCEL"] {
            let (said, rest, _) = talk(1000, format!("\0{words}\r\n").as_bytes()).expect("no error");
            assert_eq!((said.as_str(), rest), (REJECTED, None), "{words}");
        }
        assert!(talk(1000, b"\0AUTH EXTERNAL 31303030\r\nBEGIN\r\n").is_ok_and(|(_, rest, _)| rest.is_some()));
        assert_eq!(talk(0, b"\0NEGOTIATE_UNIX_FD\r\n").expect("no error").0, "ERROR\r\n");
    }

    #[test]
    fn what_is_no_authentication_ends_it() {
        for (words, why) in [
            (&b"l\x01"[..], "zero byte"),
            (b"\0BEGIN\r\n", "without authentication"),
            (b"\0AUTH EXTERNAL 30\r\nCANCEL\r\nBEGIN\r\n", "without authentication"),
            (b"\0AUTH\n", "CR LF"),
            (&[&b"\0"[..], &[b'A'; LONGEST]].concat(), "too long"),
            (&[&b"\0"[..], &b"AUTH\r\n".repeat(MOST as usize + 1)].concat(), "does not end"),
        ] {
            let error = talk(0, words).expect_err("closed");
            assert!(error.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_are_believed_without_the_right_claim(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = talk(0, &bytes);
            let _ = talk(0, &[b"\0", &bytes[..]].concat());
        }
    }
}
