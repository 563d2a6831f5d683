//! How deep a text nests, told before anybody goes down into it. `toml` bounds brackets in brackets and the keys of a
//! dotted key, each by 80; both together are 6,400 levels in 13 KB, and to build, move and drop one level takes about a
//! KiB of stack: more than PID 1 and its threads have.

/// The most levels of tables and lists. A document has five to say: `network`, its interfaces, one of them, its routes,
/// one of them.
pub(super) const DEEPEST: usize = 16;

/// Where the first statement begins that nests deeper than [`DEEPEST`] levels.
pub(super) fn too_deep(text: &str) -> Option<usize> {
    levels(text, DEEPEST).err()
}

/// How deep a text nests, or where the first statement begins that nests deeper than `most`. Of a text that is no TOML it
/// says too much rather than too little: only its own bracket closes what is open, so nothing is open for `toml` that is
/// not open here.
fn levels(text: &str, most: usize) -> Result<usize, usize> {
    const BOM: char = '\u{feff}';
    let mut scan = Scan::default();
    let mut deepest = 0;
    let mut at = if text.starts_with(BOM) { BOM.len_utf8() } else { 0 };
    while let Some(rest) = text.as_bytes().get(at..).filter(|rest| !rest.is_empty()) {
        scan.take(rest[0], at);
        deepest = deepest.max(scan.levels());
        if deepest > most {
            return Err(scan.start.unwrap_or(at));
        }
        at += length(rest);
    }
    Ok(deepest)
}

/// What is known of a text that is read token by token.
#[derive(Default)]
struct Scan {
    /// Where the statement begins: a header, or a key with its value.
    start: Option<usize>,
    is_header: bool,
    /// How deep the last header leads: what follows it is below.
    header: usize,
    /// Dots of the statement's own key.
    dots: usize,
    /// What is open in the statement, the outermost first.
    open: Vec<Open>,
    /// Dots of the key that is being read.
    run: usize,
}

/// A table or list that is open.
struct Open {
    /// Its end.
    close: u8,
    /// Dots of the key in it that is being read, or whose value is.
    dots: usize,
}

impl Scan {
    /// Takes a token, by its first byte.
    fn take(&mut self, first: u8, at: usize) {
        let is_between = matches!(first, b' ' | b'\t' | b'\r' | b'\n' | b'#');
        if !is_between && self.start.is_none() {
            (self.start, self.is_header) = (Some(at), first == b'[');
            self.header = if self.is_header { 0 } else { self.header };
        }
        // Spaces do not end a key.
        if matches!(first, b'=' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'\r' | b'\n') {
            self.run = 0;
        }
        match first {
            b'.' => {
                self.run += 1;
                let run = self.run;
                let dots = self.key();
                *dots = run.max(*dots);
            }
            b',' => *self.key() = 0,
            b'[' => self.open.push(Open { close: b']', dots: 0 }),
            b'{' => self.open.push(Open { close: b'}', dots: 0 }),
            b']' | b'}' => {
                self.open.pop_if(|open| open.close == first);
            }
            // A header ends with its line, whole or not.
            b'\r' | b'\n' if self.is_header || self.open.is_empty() => {
                *self = Scan { header: self.header, ..Scan::default() };
            }
            _ => {}
        }
        if self.is_header {
            self.header = self.header.max(self.inner());
        }
    }

    /// The dots of the innermost key.
    fn key(&mut self) -> &mut usize {
        match self.open.last_mut() {
            Some(open) => &mut open.dots,
            None => &mut self.dots,
        }
    }

    /// Levels of the statement alone.
    fn inner(&self) -> usize {
        self.dots + self.open.iter().map(|open| 1 + open.dots).sum::<usize>()
    }

    fn levels(&self) -> usize {
        if self.is_header { self.inner() } else { self.header + self.inner() }
    }
}

/// Length of the token that stands first, as `toml` cuts it, wrong ones too: no bracket hides in a string that is none.
fn length(rest: &[u8]) -> usize {
    let until = |is_end: fn(&u8) -> bool| rest.iter().position(is_end).unwrap_or(rest.len());
    match rest[0] {
        quote @ (b'"' | b'\'') => string(rest, quote),
        b'#' => until(|byte| matches!(byte, b'\r' | b'\n')),
        byte if ends_word(&byte) => 1,
        _ => until(ends_word),
    }
}

/// Quotes do not: within a word they are a part of it.
fn ends_word(byte: &u8) -> bool {
    b".=,[]{} \t#\r\n".contains(byte)
}

/// Length of a string with its quotes. One that does not end goes to the line's end, or to the text's with three quotes.
fn string(rest: &[u8], quote: u8) -> usize {
    let long = rest.starts_with(&[quote; 3]);
    let mut at = if long { 3 } else { 1 };
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'\\' if quote == b'"' => {
                let escapes = matches!(rest.get(at + 1), Some(b'\\' | b'"'));
                at += if escapes { 2 } else { 1 };
            }
            b'\n' if !long => return at,
            _ if byte == quote && !long => return at + 1,
            _ if long && rest[at..].starts_with(&[quote; 3]) => {
                // One or two before the last three are the string's own.
                let own = rest[at + 3..].iter().take(2).take_while(|more| **more == quote).count();
                return at + 3 + own;
            }
            _ => at += 1,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use toml::de::{DeTable, DeValue};

    use super::*;

    /// Values that are no table and no list, whatever stands in them.
    const PLAIN: &[&str] = &[
        "1",
        "1.5",
        "true",
        "2026-01-01T00:00:00.5Z",
        "\"\"",
        "''",
        "\"[[.\"",
        "\"\\\"{\"",
        "'{\\'",
        "'''[\n'''",
        "\"\"\"\\\"\"\"{\\\\\"\"\"",
        "\"\"\"\"{\"\"\"\"\"",
    ];
    const FURTHER_KEYS: &[&str] = &["", ".b", " . \"c.[d\"", ".'e'.f"];
    const PIECES: &[&str] = &[
        "a",
        "b.c",
        ".",
        " ",
        "=",
        ",",
        "[",
        "]",
        "{",
        "}",
        "\n",
        "\r",
        "#",
        "\"",
        "'",
        "\"\"\"",
        "'''",
        "\\",
        "1",
        "a = {",
        "[[a.b]]\n",
        "\u{feff}",
    ];

    fn value() -> impl Strategy<Value = String> {
        let plain = prop::sample::select(PLAIN).prop_map(str::to_owned);
        plain.prop_recursive(4, 32, 4, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..4);
            let list = list.prop_map(|items| format!("[ # [[ \"\n{}]", items.join(", ")));
            let pairs = prop::collection::vec((prop::sample::select(FURTHER_KEYS), inner), 0..4);
            let table = pairs.prop_map(|pairs| {
                let pairs =
                    pairs.iter().enumerate().map(|(number, (more, value))| format!("k{number}{more} = {value}"));
                format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
            });
            prop_oneof![list, table]
        })
    }

    fn told(text: &str) -> usize {
        levels(text, usize::MAX).expect("no limit")
    }

    fn depth(table: &DeTable<'_>) -> usize {
        table.iter().map(|(_, value)| depth_of(value.get_ref())).max().unwrap_or(0)
    }

    fn depth_of(value: &DeValue<'_>) -> usize {
        match value {
            DeValue::Table(table) => 1 + depth(table),
            DeValue::Array(items) => 1 + items.iter().map(|item| depth_of(item.get_ref())).max().unwrap_or(0),
            _ => 0,
        }
    }

    #[test]
    fn the_limit_is_at_its_place() {
        for (text, deepest) in [
            ("", 0),
            ("a = 1", 0),
            ("a.b.c = 1", 2),
            ("[a.b]\n", 2),
            ("[[a.b]]\n", 3),
            ("[a.b]\nc.d = [{ e.f = 1 }]\n", 6),
            ("[a.b]\n[c]\nd = 1\n", 2),
            ("a = \"[[[\" # [[[\nb = '{{{'\n", 0),
            ("a\"[ = 1", 1),
            ("a = \"[[\nb = ]", 0),
            ("[a\n[b\n[c\n", 1),
            ("a = [}]}", 1),
        ] {
            assert_eq!(told(text), deepest, "{text}");
        }
        let nested = |levels: usize| format!("b = 1\n\na = {}{}\n", "[".repeat(levels), "]".repeat(levels));
        assert_eq!((too_deep(&nested(DEEPEST)), too_deep(&nested(DEEPEST + 1))), (None, Some(7)));
    }

    proptest! {
        #[test]
        fn toml_nests_as_deep_as_is_told(one in value(), two in value(), three in value()) {
            let text = format!("a.b = {one} # [[[\n[h.i]\nx = {two}\ny . z = {three}\n[[j]]\nq.r = {one}");
            let table = DeTable::parse(&text).unwrap_or_else(|error| panic!("{error}"));
            let depth = depth(table.get_ref());
            // The dot of a number counts as a key's.
            prop_assert!((depth..=depth + 1).contains(&told(&text)), "{} for {depth}: {text}", told(&text));
        }

        /// A level of what is told is a bracket or a dot. Each bracket holds a key with so many dots at most, and a key of a
        /// header may lead into a list.
        #[test]
        fn what_is_no_toml_hides_no_bracket(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..80)) {
            let text = pieces.concat();
            let (table, _) = DeTable::parse_recoverable(&text);
            let most = (told(&text) + 2).pow(2);
            prop_assert!(depth(table.get_ref()) <= most, "{} is more than {most}", depth(table.get_ref()));
        }
    }
}
