//! Which licence a text is, word for word: SPDX's way of comparing them ("License Matching Guidelines", annex B of SPDX 2.3),
//! as far as it takes no judgement.
//!
//! White space, case, quotes, kinds of hyphens, bullets and numbers do not count, nor do titles and copyright lines ahead of the
//! text; where a licence names its holder, anybody may stand. A text that has a word more, less or another is not that licence.

use std::sync::LazyLock;

use super::OWN;

/// No holder's name has more words.
const HOLDER_WORDS: usize = 20;
/// What Apache's text ends with, in most copies.
const APACHE_END: &str = "END OF TERMS AND CONDITIONS";
/// How to apply it, which most copies have behind that.
const APACHE_APPENDIX: &str = include_str!("texts/Apache-2.0-appendix.txt");
/// The notice that it asks for; some copies have it ahead of the text, or behind it.
const APACHE_NOTICE: &str = include_str!("texts/Apache-2.0-notice.txt");
const ISC: &str = include_str!("texts/ISC.txt");
/// Lines that only say what follows, as [`is_ahead`] leaves them.
const TITLES: [&str; 8] = [
    "bsd 2-clause license",
    "bsd 3-clause license",
    "isc license",
    "mit license",
    "mozilla public license version 2.0",
    "mozilla public license, version 2.0",
    "the bsd 3-clause license",
    "the mit license",
];

/// A piece of a licence's text. In the texts here, `<>` stands for a holder, and what may be left out stands between `[[` and `]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Word(String),
    /// Some words.
    Holder,
    /// The next so many pieces may be left out.
    Optional(usize),
}

/// SPDX's identifier → the text.
static LICENCES: LazyLock<Vec<(&str, Vec<Piece>)>> = LazyLock::new(|| {
    let [(_, apache), (_, mit)] = OWN;
    let apache = apache.trim_end().trim_end_matches(APACHE_END);
    let apache =
        format!("[[ {APACHE_NOTICE} ]] {apache} [[ {APACHE_END} ]] [[ {APACHE_APPENDIX} ]] [[ {APACHE_NOTICE} ]]");
    vec![
        ("Apache-2.0", template(&apache)),
        ("BSD-2-Clause", template(include_str!("texts/BSD-2-Clause.txt"))),
        ("BSD-3-Clause", template(include_str!("texts/BSD-3-Clause.txt"))),
        ("ISC", template(ISC)),
        // As it was before 2007.
        ("ISC", template(&ISC.replace("and/or", "and"))),
        ("MIT", template(body(mit))),
        ("MPL-2.0", template(body(include_str!("texts/MPL-2.0.txt")))),
    ]
});

/// SPDX's identifier of the licence that a text is; `None` where it is none of those that are known here.
pub(super) fn identifier(text: &str) -> Option<&'static str> {
    let words: Vec<String> = body(text).split_whitespace().filter_map(word).collect();
    LICENCES.iter().find(|(_, licence)| fits(licence, &words)).map(|row| row.0)
}

/// Without the lines ahead of it.
fn body(text: &str) -> &str {
    let mut rest = text;
    while let Some((line, behind)) = rest.split_once('\n') {
        if !is_ahead(line) {
            break;
        }
        rest = behind;
    }
    rest
}

/// Whether a line ahead of a text belongs to no text: a title, a copyright notice, a rule, nothing at all.
fn is_ahead(line: &str) -> bool {
    let line = line.to_lowercase();
    let line = line.trim_start_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '(' | '©'));
    let line = line.trim_end_matches(|c: char| !c.is_alphanumeric());
    let copyright = ["copyright ", "(c) ", "©"].iter().any(|start| line.starts_with(start));
    // `(The MIT License)`, `The MIT License (MIT)`
    let title = line.trim_start_matches('(');
    let title = title.strip_suffix(" (mit").unwrap_or(title);
    !line.contains(char::is_alphanumeric)
        || copyright
        || line.ends_with("all rights reserved")
        || TITLES.contains(&title)
}

/// A word as it is compared; `None` for what does not count.
fn word(raw: &str) -> Option<String> {
    let plain: String = raw
        .to_lowercase()
        .chars()
        .filter(|c| !matches!(c, '"' | '\'' | '`' | '“' | '”' | '‘' | '’'))
        .map(|c| if ('\u{2010}'..='\u{2014}').contains(&c) { '-' } else { c })
        .collect();
    let plain = plain.replace("http://", "https://");
    (plain.contains(char::is_alphanumeric) && !is_bullet(&plain)).then_some(plain)
}

/// `1.`, `2.1.`, `b)`, `(iv)`.
fn is_bullet(word: &str) -> bool {
    let Some(number) = word.strip_suffix([')', '.']) else { return false };
    let number = number.strip_prefix('(').unwrap_or(number);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let letter = number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_lowercase());
    let roman = !number.is_empty() && number.bytes().all(|byte| b"ivx".contains(&byte));
    number.split('.').all(digits) || letter || roman
}

fn template(text: &str) -> Vec<Piece> {
    let (mut pieces, mut open) = (Vec::new(), Vec::new());
    for raw in text.split_whitespace() {
        match raw {
            "<>" => pieces.push(Piece::Holder),
            "[[" => {
                open.push(pieces.len());
                pieces.push(Piece::Optional(0));
            }
            "]]" => {
                if let Some(at) = open.pop() {
                    pieces[at] = Piece::Optional(pieces.len() - at - 1);
                }
            }
            _ => pieces.extend(word(raw).map(Piece::Word)),
        }
    }
    pieces
}

/// Whether the words are that text, all of it and nothing else.
fn fits(mut licence: &[Piece], mut words: &[String]) -> bool {
    while let Some((piece, behind)) = licence.split_first() {
        match piece {
            Piece::Word(word) => match words.split_first() {
                Some((first, rest)) if first == word => (licence, words) = (behind, rest),
                _ => return false,
            },
            Piece::Holder => {
                let most = words.len().min(HOLDER_WORDS);
                return (1..=most).any(|count| fits(behind, &words[count..]));
            }
            Piece::Optional(count) => return fits(behind, words) || fits(&behind[*count..], words),
        }
    }
    words.is_empty()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A licence with these as its holders, all that may be left out in it.
    fn written(licence: &[Piece], holder: &str) -> String {
        let word = |piece: &Piece| match piece {
            Piece::Word(word) => Some(word.clone()),
            Piece::Holder => Some(holder.to_owned()),
            Piece::Optional(_) => None,
        };
        licence.iter().filter_map(word).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_licence_is_itself_and_no_other() {
        for (name, licence) in LICENCES.iter() {
            let text = written(licence, "Somebody & Co.,");
            assert_eq!(identifier(&text), Some(*name));
            for change in [
                format!("{text} Do no evil."),
                format!("Do no evil. {text}"),
                text.replacen(" the ", " ", 1),
                text.replacen(" provided ", " not provided ", 1),
                written(licence, &"many ".repeat(HOLDER_WORDS + 1)),
            ] {
                assert!(change == text || identifier(&change).is_none(), "{name}: {change}");
            }
        }
    }

    #[test]
    fn what_does_not_count_does_not() {
        let [(_, apache), (_, mit)] = OWN;
        assert_eq!((identifier(apache), identifier(mit)), (Some("Apache-2.0"), Some("MIT")));
        let body = body(mit);
        for text in [
            body.to_owned(),
            body.to_uppercase().replace('\n', "\r\n  "),
            format!("(The MIT License)\n\nCopyright (c) 2011 A, B\n© 2012 C. All Rights Reserved.\n---\n{body}"),
            format!("# The MIT License (MIT)\nPortions by D; all rights reserved.\n{}", body.replace('"', "“")),
        ] {
            assert_eq!(identifier(&text), Some("MIT"), "{text}");
        }
        assert_eq!(identifier(&format!("This is mine.\n{body}")), None);
        let bsd = written(&template(include_str!("texts/BSD-3-Clause.txt")), "the University");
        let numbered = bsd.replace("neither", "(iii) neither").replace("redistributions in", "* redistributions in");
        assert_ne!(numbered, bsd);
        assert_eq!(identifier(&numbered), Some("BSD-3-Clause"));
        let fourth = "all advertising materials must display an acknowledgement. neither";
        assert_eq!(identifier(&bsd.replace("neither", fourth)), None);
    }

    #[test]
    fn apaches_text_is_known_by_all_the_ends_that_it_is_copied_with() {
        let (_, text) = OWN[0];
        let terms = text.trim_end().strip_suffix(APACHE_END).unwrap();
        let notice = APACHE_NOTICE.replace("[[ Copyright <> ]]", "Copyright 2014 Docker, Inc.");
        let appendix = APACHE_APPENDIX.replace("[[ work ]] [[ work. ]]", "work.");
        for copy in [
            terms.to_owned(),
            format!("{text}\n{notice}"),
            format!("{text}\n{}{notice}", appendix.replace("[]", "{}")),
            format!("{terms}\n{appendix}{}", notice.replace("2014 Docker, Inc.", "[yyyy] [name of copyright owner]")),
            format!("{notice}\n{terms}"),
        ] {
            assert_eq!(identifier(&copy), Some("Apache-2.0"), "{copy}");
        }
        assert_eq!(identifier(&notice), None, "the notice alone says where the text is");
        assert_eq!(identifier(&format!("{text}\n{notice}\nNo commercial use.")), None);
    }

    #[test]
    fn bullets_are_told_from_words() {
        for bullet in ["1.", "2)", "10.4.", "(a)", "b)", "c.", "(iii)", "iv."] {
            assert!(is_bullet(bullet), "{bullet}");
        }
        for word in ["1", "2.0", "a", "work.", "(the", "license)", ".", ")", "1..", "mix."] {
            assert!(!is_bullet(word), "{word}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text: String, count in 0_usize..2000) {
            let (_, apache) = OWN[0];
            let cut: String = apache.chars().take(count).collect();
            prop_assert_eq!(identifier(&format!("{cut}{text}")), None);
        }
    }
}
