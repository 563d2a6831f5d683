//! How old a database is. One that nobody fetched for months knows nothing of what was found since: that is an error.

use std::time::{SystemTime, UNIX_EPOCH};

use orlop_config::date;

use crate::advisories::Source;

/// A day, counted from 1970-01-01 (UTC).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Today(pub u64);

/// Why the age of a database does not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgeError {
    /// Too old.
    #[error(
        "{path}: its newest advisory is of {newest}, {days} days ago, and at most {limit} are allowed; fetch it again, or \
         allow more with --max-age or `gates.max_database_age_days`"
    )]
    Old {
        /// Which.
        path: String,
        /// Its newest day.
        newest: String,
        /// How long ago that is.
        days: u64,
        /// How long it may be.
        limit: u64,
    },
    /// From the future, as this machine sees it: how old anything is cannot be said.
    #[error("{path}: its newest advisory is of {newest}, and this machine's clock says {today}; set the clock")]
    Future {
        /// Which.
        path: String,
        /// Its newest day.
        newest: String,
        /// What the clock says.
        today: String,
    },
    /// Nothing in it says when it was made.
    #[error("{path}: nothing in it says when it was made, so its age cannot be checked; fetch it again")]
    Undated {
        /// Which.
        path: String,
    },
}

impl Today {
    /// What this machine's clock says. Before 1970 it is day 0, which every database lies behind.
    pub fn now() -> Today {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Today(since.as_secs() / 86_400)
    }

    /// A day by its date (`2026-08-21`, and whatever follows that); `None` for what is none.
    pub fn parse(text: &str) -> Option<Today> {
        date::parse(text.get(..10)?).map(Today)
    }

    /// As a date.
    pub fn date(self) -> String {
        date::text(date::civil(self.0))
    }
}

/// Checks that each database is at most so many days old. Each for itself: a fresh one does not excuse an old one.
pub fn check_age(databases: &[Source], today: Today, limit: u64) -> Result<(), AgeError> {
    for Source { path, newest, .. } in databases {
        let path = path.clone();
        let Some((newest, day)) = newest.as_ref().and_then(|newest| Some((newest.clone(), Today::parse(newest)?)))
        else {
            return Err(AgeError::Undated { path });
        };
        let Some(days) = today.0.checked_sub(day.0) else {
            return Err(AgeError::Future { path, newest, today: today.date() });
        };
        if days > limit {
            return Err(AgeError::Old { path, newest, days, limit });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(newest: Option<&str>, today: &str, limit: u64) -> Result<(), AgeError> {
        let source = Source { path: "go.zip".into(), documents: 1, newest: newest.map(str::to_owned) };
        check_age(&[source], Today::parse(today).unwrap(), limit)
    }

    #[test]
    fn the_day_of_the_limit_is_the_last_that_does() {
        assert_eq!(of(Some("2026-08-21"), "2026-08-21", 0), Ok(()));
        assert_eq!(of(Some("2026-08-21"), "2026-09-20", 30), Ok(()));
        let error = of(Some("2026-08-21"), "2026-09-21", 30).unwrap_err();
        assert!(error.to_string().contains("go.zip: its newest advisory is of 2026-08-21, 31 days ago"), "{error}");
    }

    #[test]
    fn a_clock_before_the_database_is_an_error() {
        let error = of(Some("2026-08-21"), "2026-08-20", 30).unwrap_err();
        assert!(error.to_string().contains("this machine's clock says 2026-08-20; set the clock"), "{error}");
        assert!(matches!(of(Some("2026-08-21"), "1970-01-01", 30), Err(AgeError::Future { .. })));
    }

    #[test]
    fn what_says_no_day_has_no_age() {
        for newest in [None, Some("yesterday"), Some("2026-13-01"), Some("2026-02-30")] {
            assert!(matches!(of(newest, "2026-08-20", 30), Err(AgeError::Undated { .. })), "{newest:?}");
        }
    }

    #[test]
    fn a_fresh_one_does_not_excuse_an_old_one() {
        let source =
            |path: &str, newest: &str| Source { path: path.into(), documents: 1, newest: Some(newest.to_owned()) };
        let both = [source("new.zip", "2026-08-21"), source("old.zip", "2026-01-01")];
        let error = check_age(&both, Today::parse("2026-08-22").unwrap(), 30).unwrap_err();
        assert!(matches!(&error, AgeError::Old { path, days: 233, .. } if path == "old.zip"), "{error:?}");
    }
}
