//! Numbers as people read them.

/// Bytes: `812 B`, `61.2 MB`. Units are of a thousand, as in the documentation's tables.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut value, mut unit) = (bytes as f64, "B");
    for next in UNITS {
        if value < 999.95 {
            break;
        }
        (value, unit) = (value / 1000.0, next);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") }
}

/// What a size grew by: `+1.2 MB`, `−812 B`, `±0`.
pub fn growth(before: u64, after: u64) -> String {
    match after.cmp(&before) {
        std::cmp::Ordering::Greater => format!("+{}", size(after - before)),
        std::cmp::Ordering::Less => format!("−{}", size(before - after)),
        std::cmp::Ordering::Equal => "±0".into(),
    }
}

/// Milliseconds as seconds: `9.40 s`.
pub fn seconds(ms: u64) -> String {
    format!("{:.2} s", ms as f64 / 1000.0)
}

/// A part of a whole: `12.5 %`.
pub fn share(part: u64, whole: u64) -> String {
    format!("{:.1} %", part as f64 / whole.max(1) as f64 * 100.0)
}

/// A text of at most so many characters, with `…` for the rest: a picture has no room for more, the table beside it has.
pub fn short(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_words() {
        let sizes = [0, 999, 1000, 999_949, 999_950, 61_234_567, u64::MAX].map(size);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "999.9 kB", "1.0 MB", "61.2 MB", "18.4 EB"]);
        assert_eq!([growth(1, 1), growth(0, 1500), growth(2, 1)], ["±0", "+1.5 kB", "−1 B"]);
        assert_eq!([share(1, 8), share(0, 0)], ["12.5 %", "0.0 %"]);
        assert_eq!(seconds(9404), "9.40 s");
        assert_eq!([short("abc", 3), short("abcd", 3), short("äöüß", 3), short("", 3)], ["abc", "ab…", "äö…", ""]);
    }
}
