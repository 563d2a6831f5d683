//! Text of a document, made fit for printing.

/// The longest line that is kept of what a document says of itself, in characters.
const LINE: usize = 300;

/// Characters that do not show as themselves: controls, and those that turn the direction of writing or have no width.
fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A name as it can be printed: in quotes when it holds anything that would not show as itself.
pub fn shown(name: &str) -> String {
    if name.chars().any(deceives) { format!("\"{}\"", name.escape_default()) } else { name.to_owned() }
}

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
