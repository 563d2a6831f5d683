//! Text of a document, made fit for printing.

use crate::text::deceives;

/// The longest line that is kept of what a document says of itself, in characters.
const LINE: usize = 300;

/// A name, version or address that a document gives; one that would not show as itself is an error.
pub(super) fn name(what: &str, text: String) -> Result<String, String> {
    if text.chars().any(deceives) {
        return Err(format!("{what} holds characters that do not show: \"{}\"", text.escape_default()));
    }
    Ok(text)
}

/// [`name`] of each.
pub(super) fn names(what: &str, texts: Option<Vec<String>>) -> Result<Vec<String>, String> {
    texts.unwrap_or_default().into_iter().map(|text| name(what, text)).collect()
}

/// An advisory's name: what others ask for it by, and what stands in addresses and file names.
pub(super) fn id(text: String) -> Result<String, String> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:+".contains(&byte);
    if text.is_empty() || text.len() > 128 || !text.bytes().all(good) || text.starts_with('.') {
        return Err(format!(
            "`id` is \"{}\": letters, digits and - _ . : + are taken, up to 128",
            text.escape_default()
        ));
    }
    Ok(text)
}

/// The first line with anything in it, without what does not show, and not too long.
pub(super) fn line(text: &str) -> String {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    let shows = |character: char| if deceives(character) { ' ' } else { character };
    let mut line: String = first.chars().take(LINE).map(shows).collect();
    if first.chars().nth(LINE).is_some() {
        line.push('…');
    }
    line.trim_end().to_owned()
}
