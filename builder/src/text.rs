//! Text for people. That of others is made fit for printing: nothing of it moves a terminal's cursor or turns the direction of
//! writing.

/// Characters that do not show as themselves: controls, and those that turn the direction of writing or have no width.
pub fn deceives(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2064}'
                | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// A name as it can be printed: in quotes when it holds anything that would not show as itself.
pub fn shown(name: &str) -> String {
    if name.chars().any(deceives) { format!("\"{}\"", name.escape_default()) } else { name.to_owned() }
}

/// A line as it can be printed, its width kept: U+FFFD stands for what would not show as itself.
pub fn printable(line: &str) -> String {
    line.chars().map(|character| if deceives(character) { '\u{fffd}' } else { character }).collect()
}

/// `1 file`, `2 files`.
pub fn count(number: usize, one: &str, more: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { more })
}

#[test]
fn one_thing_is_counted_otherwise_than_none_or_more() {
    assert_eq!([0, 1, 2].map(|number| count(number, "file", "files")), ["0 files", "1 file", "2 files"]);
}

#[test]
fn what_moves_a_cursor_is_not_printed() {
    assert_eq!(printable("a\u{1b}]0;x\u{7}\u{202e}b\nc é"), "a\u{fffd}]0;x\u{fffd}\u{fffd}b\u{fffd}c é");
    for hidden in
        ['\u{ad}', '\u{61c}', '\u{180e}', '\u{200d}', '\u{2060}', '\u{2064}', '\u{2069}', '\u{e0001}', '\u{e007f}']
    {
        assert_eq!(printable(&format!("a{hidden}b")), "a\u{fffd}b", "{}", hidden.escape_unicode());
    }
    for visible in ['\u{ac}', '\u{61b}', '\u{1810}', '\u{2027}', '\u{2070}', '\u{1f980}'] {
        assert!(!deceives(visible), "{visible}");
    }
    assert_eq!((shown("a b").as_str(), shown("a\nb").as_str()), ("a b", "\"a\\nb\""));
}
