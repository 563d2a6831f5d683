//! A line of kubelet's log, as klog writes it:
//! `E1128 21:13:00.123456     188 reflector.go:227] "Failed to watch" err="…" type="*v1.Node"`.

/// More of a reason is not said.
const LONGEST: usize = 400;

/// A line with klog's header. What a program quotes in a message cannot stand in the header's place: klog escapes it.
#[derive(Debug, PartialEq, Eq)]
pub struct Line<'l> {
    /// The source file that says it.
    pub file: &'l str,
    /// What follows the header.
    pub rest: &'l str,
}

impl<'l> Line<'l> {
    /// Reads a line; `None` where it has no header.
    pub fn parse(text: &'l str) -> Option<Self> {
        let (header, rest) = text.split_once("] ")?;
        let mut words = header.split_ascii_whitespace();
        let (day, place) = (words.next()?, words.next_back()?);
        let date = day.strip_prefix(['I', 'W', 'E', 'F'])?;
        let is_date = date.len() == 4 && date.bytes().all(|byte| byte.is_ascii_digit());
        let (file, _) = place.split_once(':')?;
        (is_date && words.count() == 2).then_some(Line { file, rest })
    }

    /// The value of a key: `err="…"`, without quotes and escapes.
    pub fn value(&self, key: &str) -> Option<String> {
        let start = format!(" {key}=\"");
        let (_, quoted) = self.rest.split_once(&start)?;
        let mut value = String::new();
        let mut chars = quoted.chars();
        loop {
            match chars.next()? {
                '"' => return Some(value),
                '\\' => value.push(match chars.next()? {
                    'n' | 't' | 'r' => ' ',
                    other => other,
                }),
                other => value.push(other),
            }
        }
    }

    /// Why, in kubelet's words: the error, where the line has one.
    pub fn reason(&self) -> String {
        let mut reason = self.value("err").unwrap_or_else(|| self.rest.to_owned());
        if let Some((end, _)) = reason.char_indices().nth(LONGEST) {
            reason.truncate(end);
            reason.push('…');
        }
        reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_file_and_its_reason() {
        let text = r#"E1128 21:13:00.123456     188 reflector.go:227] "Failed to watch" err="Get \"https://x\": EOF" type="*v1.Node""#;
        let line = Line::parse(text).expect("a line");
        assert_eq!((line.file, line.reason().as_str()), ("reflector.go", "Get \"https://x\": EOF"));
        assert_eq!(line.value("type").as_deref(), Some("*v1.Node"));
        let long = format!("I1128 21:13:00.1 188 kubelet.go:1] {}", "ä".repeat(2 * LONGEST));
        assert_eq!(Line::parse(&long).expect("a line").reason().chars().count(), LONGEST + 1);
    }

    #[test]
    fn what_has_no_header_is_no_line() {
        for text in
            ["", "] ", "x] y", "E12x8 a 1 b.go:1] y", "E1128 b.go:1] y", "E1128 a b c b.go:1] y", "E1128 a 1 b.go] y"]
        {
            assert_eq!(Line::parse(text), None, "{text}");
        }
    }
}
