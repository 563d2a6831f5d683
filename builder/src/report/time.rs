//! Times as documents write them.

use orlop_config::date;

/// Seconds since 1970 as `2026-11-22T12:34:56Z` (RFC 3339, which both standards take).
pub fn rfc3339(epoch: u64) -> String {
    let (hour, minute, second) = (epoch / 3600 % 24, epoch / 60 % 60, epoch % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}Z", date::text(date::civil(epoch / 86_400)))
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn seconds_are_times() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_709_211_599), "2024-02-29T12:59:59Z");
        assert_eq!(rfc3339(u64::from(u32::MAX)), "2106-02-07T06:28:15Z");
    }
}
