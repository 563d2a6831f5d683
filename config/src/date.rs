//! Days as dates, for those who carry no library of calendars.

/// Year, month (1 to 12) and day (1 to 31) of a day, counted from 1970-01-01: H. Hinnant's `civil_from_days`, in which
/// years begin in March.
pub fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// Year, month and day as `2026-08-21`.
pub fn text((year, month, day): (u64, u64, u64)) -> String {
    format!("{year:04}-{month:02}-{day:02}")
}

/// The day of a date (`2026-08-21`), counted from 1970-01-01; `None` for what is no date since then.
pub fn parse(date: &str) -> Option<u64> {
    let mut parts = date.split('-');
    let mut number = |digits: usize| -> Option<u64> {
        let part = parts.next().filter(|part| part.len() == digits)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let wanted = (number(4)?, number(2)?, number(2)?);
    // 400 years have 146,097 days: the day is near, and the calendar says which of them it is.
    let (year, month, day) = wanted;
    let near = (year.checked_sub(1970)? * 146_097 / 400) + month.saturating_sub(1) * 30 + day;
    let found = (near.saturating_sub(8)..near + 8).find(|days| civil(*days) == wanted);
    found.filter(|_| parts.next().is_none())
}

#[cfg(test)]
mod tests {
    use super::{civil, parse, text};

    #[test]
    fn a_date_is_the_day_that_has_it() {
        for days in 0..140_000 {
            assert_eq!(parse(&text(civil(days))), Some(days));
        }
        assert_eq!(text((2026, 8, 1)), "2026-08-01");
        for other in [
            "",
            "2026",
            "2026-08",
            "2026-8-1",
            "2026-13-01",
            "2026-02-29",
            "2026-00-10",
            "2026-01-00",
            "1969-12-31",
            "+026-01-01",
            "2026-01-01-01",
            "2026/01/01",
            "0001-01-01",
        ] {
            assert_eq!(parse(other), None, "{other:?}");
        }
    }

    #[test]
    fn leap_days_and_the_ends_of_years() {
        for (days, date) in [
            (0, (1970, 1, 1)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_453, (2025, 12, 31)),
            (47_540, (2100, 2, 28)),
            (47_541, (2100, 3, 1)),
        ] {
            assert_eq!(civil(days), date, "day {days}");
        }
    }
}
