//! Control data of Debian (`deb822(5)`): paragraphs of fields, as an archive's indexes hold them.

/// One paragraph: a slice of the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paragraph<'a>(&'a str);

/// All paragraphs of a text.
pub fn paragraphs(text: &str) -> impl Iterator<Item = Paragraph<'_>> {
    text.split("\n\n").filter(|part| !part.trim().is_empty()).map(Paragraph)
}

impl<'a> Paragraph<'a> {
    /// A field's value on its first line, without surrounding space.
    pub fn get(&self, field: &str) -> Option<&'a str> {
        self.0.lines().filter(|line| !line.starts_with([' ', '\t'])).find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(field).then(|| value.trim())
        })
    }

    /// The lines of a field that has several, the first one (behind the colon) included where it is not empty.
    pub fn lines(&self, field: &str) -> Vec<&'a str> {
        let mut lines = self.0.lines().skip_while(|line| {
            line.starts_with([' ', '\t'])
                || !line.split_once(':').is_some_and(|(name, _)| name.eq_ignore_ascii_case(field))
        });
        let first = lines.next().and_then(|line| line.split_once(':')).map(|(_, value)| value.trim());
        let rest = lines.take_while(|line| line.starts_with([' ', '\t'])).map(str::trim);
        first.into_iter().chain(rest).filter(|line| !line.is_empty()).collect()
    }
}

/// The names in a relationship field: for each wanted package the alternatives in order, without versions,
/// architectures and profiles.
pub fn relations(field: &str) -> Vec<Vec<&str>> {
    field
        .split(',')
        .map(|wanted| {
            let names = wanted.split('|').filter_map(|name| {
                let name = name.trim().split([' ', '(', '[', '<', ':', '\t']).next()?;
                (!name.is_empty()).then_some(name)
            });
            names.collect::<Vec<_>>()
        })
        .filter(|names| !names.is_empty())
        .collect()
}

/// Seconds since 1970 of a date as an archive's `Release` writes it: `Sat, 21 Nov 2026 09:15:44 UTC`.
pub fn date(text: &str) -> Option<u64> {
    let rest = text.split_once(',').map_or(text, |(_, rest)| rest);
    let mut parts = rest.split_whitespace();
    let day: i64 = parts.next()?.parse().ok()?;
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = parts.next()?;
    let month = 1 + i64::try_from(months.iter().position(|name| *name == month)?).ok()?;
    let year: i64 = parts.next()?.parse().ok()?;
    let mut clock = parts.next()?.split(':').map(|part| part.parse::<i64>().ok());
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    let zone = parts.next()?;
    let fits = (1970..=9999).contains(&year) && (1..=31).contains(&day) && (0..24).contains(&hour);
    if !fits || !(0..60).contains(&minute) || !(0..=60).contains(&second) || !matches!(zone, "UTC" | "GMT" | "+0000") {
        return None;
    }
    // Days since 1970, counted in years that start in March: howardhinnant.github.io/date_algorithms.html.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    u64::try_from(days * 86_400 + hour * 3600 + minute * 60 + second).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PACKAGES: &str = "Package: libfoo1\nVersion: 1.2-3\nDepends: libc6 (>= 2.38), a | b:any (<< 2) [amd64]\n\
        Description: first\n more: text\n .\n end\nSize: 5\n\nPackage: bar\nChecksums-Sha256:\n 00 1 one\n 11 2 two\n";

    #[test]
    fn fields_and_relations() {
        let all: Vec<_> = paragraphs(PACKAGES).collect();
        assert_eq!(all.len(), 2);
        assert_eq!(all[0].get("version"), Some("1.2-3"));
        assert_eq!(all[0].get("more"), None, "a continuation line is no field");
        assert_eq!(all[0].get("Size"), Some("5"));
        assert_eq!(all[1].lines("Checksums-Sha256"), ["00 1 one", "11 2 two"]);
        assert_eq!(relations(all[0].get("Depends").unwrap()), [vec!["libc6"], vec!["a", "b"]]);
    }

    #[test]
    fn dates() {
        assert_eq!(date("Thu, 01 Jan 1970 00:00:00 UTC"), Some(0));
        assert_eq!(date("Sat, 21 Nov 2026 09:15:44 UTC"), Some(1_795_252_544));
        assert_eq!(date("Tue, 29 Feb 2028 23:59:60 UTC"), Some(1_835_481_600));
        for bad in [
            "",
            "Sat, 21 Nov 2026",
            "Sat, 21 Nov 2026 09:15 UTC",
            "Sat, 21 Nov 2026 09:15:44 CET",
            "x, 1 Foo 2000 1:1:1 UTC",
        ] {
            assert_eq!(date(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in ".{0,400}") {
            for paragraph in paragraphs(&text) {
                paragraph.get("Package");
                paragraph.lines("SHA256");
            }
            relations(&text);
            date(&text);
        }

        #[test]
        fn any_cut_is_survived(cut in 0..PACKAGES.len()) {
            for paragraph in paragraphs(&PACKAGES[..cut]) {
                relations(paragraph.get("Depends").unwrap_or_default());
                paragraph.lines("Checksums-Sha256");
            }
        }

        #[test]
        fn days_follow_each_other(day in 1i64..28, month in 0usize..12, year in 1970u32..2400) {
            let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
            let at = |day: i64| date(&format!("Mon, {day:02} {} {year} 00:00:00 UTC", months[month])).unwrap();
            prop_assert_eq!(at(day) + 86_400, at(day + 1));
        }
    }
}
