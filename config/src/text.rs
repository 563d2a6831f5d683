//! TOML text into typed values, with errors that say where, what, and what was probably meant.

use std::fmt::{self, Display};
use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

/// Letters of a value that a message repeats. A node's consoles show 400 of a line, and what to do stands at its end.
const EXCERPT: usize = 60;
/// Stands for what no message shows.
pub(crate) const MASK: &str = "********";
/// No name that is compared with a misspelt one is longer.
const LONGEST_NAME: usize = 256;

/// One text and what to call it: a file, as the person who reads the error knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// File name, as it is shown in errors.
    pub file: String,
    /// What the file holds.
    pub text: String,
}

impl Text {
    /// A text and its file's name.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        Text { file: file.into(), text: text.into() }
    }
}

/// Something wrong at a place in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// File name.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The keys that lead to the value, as the document writes them; none where they are not known or of no use.
    pub key: Option<String>,
    /// What is wrong, with the value.
    pub message: String,
    /// What to do about it.
    pub next: Option<String>,
}

impl Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: ", self.file, self.line, self.column)?;
        self.key.iter().try_for_each(|key| write!(f, "{key}: "))?;
        f.write_str(&self.message)?;
        match &self.next {
            Some(next) => write!(f, "; {next}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Mistake {}

/// Texts laid end to end, so that a byte offset alone says which file it is in. Values that were merged
/// out of several files keep their place this way.
pub(crate) struct Sources<'t> {
    texts: &'t [Text],
    /// No mistake repeats what stands in the text: it may be a secret in the wrong place.
    quiet: bool,
}

impl<'t> Sources<'t> {
    pub(crate) fn new(texts: &'t [Text]) -> Self {
        Sources { texts, quiet: false }
    }

    /// Texts that hold secrets.
    pub(crate) fn quiet(texts: &'t [Text]) -> Self {
        Sources { texts, quiet: true }
    }

    /// The text that an offset lies in (its index), and the offset within it. Each text has one offset more than
    /// bytes: its end.
    fn place(&self, offset: usize) -> (usize, usize) {
        let mut start = 0;
        for (index, text) in self.texts.iter().enumerate() {
            if offset - start <= text.text.len() {
                return (index, offset - start);
            }
            start += text.text.len() + 1;
        }
        let last = self.texts.len() - 1;
        (last, self.texts[last].text.len())
    }

    /// The file that an offset lies in.
    pub(crate) fn file(&self, offset: usize) -> &'t str {
        &self.texts[self.place(offset).0].file
    }

    /// The table that a text holds, with its places counted from the first text's start.
    pub(crate) fn parse(&self, index: usize) -> Result<Spanned<DeTable<'t>>, Mistake> {
        let base: usize = self.texts[..index].iter().map(|text| text.text.len() + 1).sum();
        match DeTable::parse(&self.texts[index].text) {
            Ok(table) if base == 0 => Ok(table),
            Ok(table) => {
                let span = shift(table.span(), base);
                Ok(Spanned::new(span, shift_table(table.into_inner(), base)))
            }
            Err(error) => {
                let span = shift(error.span().unwrap_or(0..0), base);
                Err(self.syntax(error.message(), span))
            }
        }
    }

    /// A typed value out of a table.
    pub(crate) fn read<T: DeserializeOwned>(&self, table: Spanned<DeTable<'t>>) -> Result<T, Mistake> {
        let span = table.span();
        let value = Spanned::new(span.clone(), DeValue::Table(table.into_inner()));
        T::deserialize(toml::de::ValueDeserializer::from(value)).map_err(|error| {
            let span = error.span().unwrap_or(span);
            self.typed(error.message(), span)
        })
    }

    /// A mistake at a place.
    pub(crate) fn mistake(&self, span: Range<usize>, message: String, next: Option<String>) -> Mistake {
        let (index, offset) = self.place(span.start);
        let text = &self.texts[index];
        let (line, column) = line_and_column(&text.text, offset);
        Mistake { file: text.file.clone(), line, column, key: None, message, next }
    }

    /// What stands at a place: short, and on one line.
    fn excerpt(&self, span: &Range<usize>) -> Option<String> {
        let (index, offset) = self.place(span.start);
        let text = &self.texts[index].text;
        let end = (offset + (span.end - span.start)).min(text.len());
        let line = text.get(offset..end)?.lines().next()?.trim();
        (!line.is_empty()).then(|| self.repeated(line))
    }

    /// A piece of the text as a message repeats it.
    fn repeated(&self, piece: &str) -> String {
        match self.quiet {
            // An `@` may be written as an escape.
            true if piece.contains('\\') => MASK.to_owned(),
            true => shown(piece),
            false => excerpt(piece),
        }
    }

    fn syntax(&self, message: &str, span: Range<usize>) -> Mistake {
        if message.contains("duplicate key") {
            return self.twice(span);
        }
        let found = self.excerpt(&span).filter(|_| !self.quiet);
        let found = found.map(|found| format!(" at `{found}`")).unwrap_or_default();
        self.mistake(span, format!("not TOML: {message}{found}"), None)
    }

    /// A key or a table's header that stands in a file for the second time.
    fn twice(&self, span: Range<usize>) -> Mistake {
        let (index, offset) = self.place(span.start);
        let text = &self.texts[index].text;
        let (number, _) = line_and_column(text, offset);
        let line = text.lines().nth(number - 1).unwrap_or_default().trim();
        let header = line.starts_with('[');
        let name = if header { Some(self.repeated(line)) } else { self.excerpt(&span) };
        let first = text.lines().take(number - 1).position(|other| header && other.trim() == line);
        let first = first.map(|first| format!(" (first in line {})", first + 1)).unwrap_or_default();
        let message = format!("`{}` is defined twice in one file{first}", name.unwrap_or_default());
        self.mistake(span, message, Some("keep one of the two, or rename one".into()))
    }

    /// What serde said, as a mistake at a place.
    pub(crate) fn typed(&self, message: &str, span: Range<usize>) -> Mistake {
        if let Some((wrong, known)) = unknown_name(message) {
            let next = match nearest(wrong, &known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            let kind = if message.starts_with("unknown variant") { "unknown value" } else { "unknown key" };
            let wrong = if self.quiet { shown(wrong) } else { excerpt(wrong) };
            return self.mistake(span, format!("{kind} `{wrong}`"), Some(next));
        }
        // A wrong address is no secret.
        let is_told = !self.quiet || message.ends_with("address syntax");
        let found = match self.excerpt(&span) {
            // A missing key is reported at its table: what stands there says nothing.
            Some(found) if is_told && !message.starts_with("missing field") => format!(" (the value is `{found}`)"),
            _ => String::new(),
        };
        let message = message.replace("missing field", "missing key");
        self.mistake(span, format!("{message}{found}"), None)
    }
}

fn shift(span: Range<usize>, base: usize) -> Range<usize> {
    span.start + base..span.end + base
}

fn shift_table(table: DeTable<'_>, base: usize) -> DeTable<'_> {
    let shifted = table.into_iter().map(|(key, value)| {
        let key_span = shift(key.span(), base);
        (Spanned::new(key_span, key.into_inner()), shift_value(value, base))
    });
    shifted.collect()
}

fn shift_value(value: Spanned<DeValue<'_>>, base: usize) -> Spanned<DeValue<'_>> {
    let span = shift(value.span(), base);
    let inner = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shift_table(table, base)),
        DeValue::Array(array) => DeValue::Array(array.into_iter().map(|item| shift_value(item, base)).collect()),
        plain => plain,
    };
    Spanned::new(span, inner)
}

/// Line and column, both from 1; the column counts characters.
pub(crate) fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (line, column)
}

/// What serde said was wrong, and which names it knows: `unknown field `x`, expected one of `a`, `b``.
pub(crate) fn unknown_name(message: &str) -> Option<(&str, Vec<&str>)> {
    if !message.starts_with("unknown field") && !message.starts_with("unknown variant") {
        return None;
    }
    let (head, expected) = message.split_once("`, expected ")?;
    let (_, wrong) = head.split_once('`')?;
    let known = expected.split('`').skip(1).step_by(2).collect();
    Some((wrong, known))
}

/// A value as a message repeats it: on one line, and so short that what to do about it is still read.
pub(crate) fn excerpt(text: &str) -> String {
    let mut short: String =
        text.chars().take(EXCERPT).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.chars().nth(EXCERPT).is_some() {
        short.push('…');
    }
    short
}

/// The same of a document that holds secrets, any of which may be in the wrong place: a bootstrap token is known by its
/// shape, and what stands before an `@` may be a password.
pub(crate) fn shown(text: &str) -> String {
    let text = without_tokens(text);
    match text.rsplit_once('@') {
        Some((_, rest)) => excerpt(&format!("{MASK}@{rest}")),
        None => excerpt(&text),
    }
}

/// A text with a mask over each word that is made as a bootstrap token is: six letters, a dot and sixteen.
fn without_tokens(text: &str) -> String {
    const BEFORE: usize = 6;
    const BEHIND: usize = 16;
    let bytes = text.as_bytes();
    let is_letter = |at: usize| bytes.get(at).is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let goes_on = |at: Option<usize>| at.and_then(|at| bytes.get(at)).is_some_and(u8::is_ascii_alphanumeric);
    let mut masked = String::new();
    let mut start = 0;
    for (dot, _) in text.match_indices('.') {
        let Some(first) = dot.checked_sub(BEFORE) else { continue };
        let end = dot + 1 + BEHIND;
        let is_token = (first..dot).chain(dot + 1..end).all(is_letter);
        if is_token && !goes_on(first.checked_sub(1)) && !goes_on(Some(end)) {
            masked.push_str(&text[start..first]);
            masked.push_str(MASK);
            start = end;
        }
    }
    masked.push_str(&text[start..]);
    masked
}

/// The known name that is nearest to a misspelt one, if any is near enough to be meant.
pub fn nearest<'k>(wrong: &str, known: &[&'k str]) -> Option<&'k str> {
    // A comparison takes memory for each letter of the one by each of the other: a long one would take PID 1's.
    if wrong.len() > LONGEST_NAME {
        return None;
    }
    let scored = known.iter().map(|name| (strsim::damerau_levenshtein(wrong, name), *name));
    let (distance, name) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= 2.max(wrong.chars().count() / 3)).then_some(name)
}

/// Where the deepest existing part of a key path stands. A list's items are numbered from 0.
pub(crate) fn span_of<S: AsRef<str>>(table: &DeTable<'_>, path: &[S]) -> Range<usize> {
    let Some((first, rest)) = path.split_first() else { return 0..0 };
    let Some((name, value)) = table.get_key_value(first.as_ref()) else { return 0..0 };
    let mut span = place_of(name, value);
    let mut value = value.get_ref();
    for key in rest {
        match value {
            DeValue::Table(inner) => {
                let Some((name, next)) = inner.get_key_value(key.as_ref()) else { break };
                (span, value) = (place_of(name, next), next.get_ref());
            }
            DeValue::Array(items) => {
                let Some(item) = key.as_ref().parse().ok().and_then(|index: usize| items.get(index)) else { break };
                (span, value) = (item.span(), item.get_ref());
            }
            _ => break,
        }
    }
    span
}

/// A path of keys as the document writes it: `registries."docker.io".mirrors[0].url`. `None`: the path is of no keys.
/// It is shown as values of documents with secrets are.
pub(crate) fn key_of<S: AsRef<str>>(table: &DeTable<'_>, path: &[S]) -> Option<String> {
    let mut key = String::new();
    let mut table = Some(table);
    let mut list: Option<&DeArray<'_>> = None;
    for name in path {
        let name: &str = name.as_ref();
        let value = match list.take() {
            Some(items) => {
                key.push_str(&format!("[{name}]"));
                name.parse().ok().and_then(|index: usize| items.get(index))
            }
            None => {
                push_name(&mut key, name);
                table.take().and_then(|table| table.get(name))
            }
        };
        match value.map(Spanned::get_ref) {
            Some(DeValue::Table(inner)) => table = Some(inner),
            Some(DeValue::Array(items)) => list = Some(items),
            _ => {}
        }
    }
    (!key.is_empty()).then_some(key)
}

fn push_name(key: &mut String, name: &str) {
    if !key.is_empty() {
        key.push('.');
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    match !name.is_empty() && name.bytes().all(plain) {
        true => key.push_str(&excerpt(name)),
        false => key.push_str(&format!("\"{}\"", shown(name))),
    }
}

/// A plain value is shown where it stands, a table where its key does (a table may have several places).
fn place_of(name: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) -> Range<usize> {
    match value.get_ref() {
        DeValue::Table(_) => name.span(),
        _ => value.span(),
    }
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_bootstrap_token_is_masked_as_a_word() {
        let token = "abcdef.0123456789abcdef";
        for (text, expected) in [
            (token, "********"),
            (&format!("\"{token}\" = 1"), "\"********\" = 1"),
            (&format!("[cluster.{token}.a]"), "[cluster.********.a]"),
            (&format!("ä{token},{token}\u{fc}"), "ä********,********ü"),
            (&format!("https://{token}@{token}"), "********@********"),
            (&format!("{token}0"), "abcdef.0123456789abcdef0"),
            (&format!("x{token}"), "xabcdef.0123456789abcdef"),
            ("abcdef.0123456789abcde", "abcdef.0123456789abcde"),
            ("ABCDEF.0123456789ABCDEF", "ABCDEF.0123456789ABCDEF"),
            ("a.b.registry.example.org:5000", "a.b.registry.example.org:5000"),
            (".", "."),
            ("", ""),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
        // Of a token that an excerpt would cut nothing is left.
        let text = format!("{} {token}", "a".repeat(50));
        assert_eq!(shown(&text), format!("{} ********", "a".repeat(50)));
    }
}
