//! How bad a flaw is: CVSS vectors and words, as one of five words.

use std::str::FromStr;

use serde::Serialize;

/// How bad a flaw is, worst last. The words are those of CVSS 3.1 §5 and 4.0 §6; for CVSS 2, NIST's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nobody said, or it cannot be understood. No gate may take it for harmless.
    #[default]
    Unknown,
    /// A score of 0.
    None,
    /// Up to 3.9.
    Low,
    /// 4.0 to 6.9.
    Medium,
    /// 7.0 to 8.9 (of CVSS 2, to 10).
    High,
    /// From 9.0 on.
    Critical,
}

impl Severity {
    /// The severity that a database's own word means: GitHub's, Debian's urgencies, Ubuntu's priorities.
    pub fn of_word(word: &str) -> Severity {
        match word.to_ascii_lowercase().as_str() {
            "none" => Severity::None,
            "negligible" | "unimportant" | "low" => Severity::Low,
            "medium" | "moderate" => Severity::Medium,
            "high" | "important" => Severity::High,
            "critical" => Severity::Critical,
            _ => Severity::Unknown,
        }
    }

    /// As it is written in lists.
    pub fn word(self) -> &'static str {
        match self {
            Severity::Unknown => "unknown",
            Severity::None => "none",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

/// A severity, and what it was taken from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rating {
    /// The worst that was said.
    pub severity: Severity,
    /// The base score of the vector that said it, 0.0 to 10.0.
    pub score: Option<f64>,
    /// All CVSS vectors, as they were written.
    pub vectors: Vec<String>,
}

impl Rating {
    /// Takes a vector or word into account; one that cannot be read changes nothing but the list.
    pub fn add(&mut self, vector: &str) {
        match base_score(vector) {
            Some((severity, score)) => {
                if (severity, score) > (self.severity, self.score.unwrap_or(-1.0)) {
                    (self.severity, self.score) = (severity, Some(score));
                }
            }
            None => self.severity = self.severity.max(Severity::of_word(vector)),
        }
        self.vectors.push(vector.to_owned());
    }
}

/// The word and the number of a vector's base metrics, without those that change by time or by place: an advisory is for
/// everybody. `None` for what is no CVSS vector (2.0, 3.0, 3.1, 4.0).
pub(super) fn base_score(vector: &str) -> Option<(Severity, f64)> {
    let vector = vector.trim_start_matches('(').trim_end_matches(')');
    // All of it must be right, of which the base alone counts.
    let base: &[&str] = match cvss::Cvss::from_str(vector).ok()? {
        cvss::Cvss::CvssV20(_) => &["AV", "AC", "Au", "C", "I", "A"],
        cvss::Cvss::CvssV30(_) | cvss::Cvss::CvssV31(_) => &["CVSS", "AV", "AC", "PR", "UI", "S", "C", "I", "A"],
        cvss::Cvss::CvssV40(_) => &["CVSS", "AV", "AC", "AT", "PR", "UI", "VC", "VI", "VA", "SC", "SI", "SA"],
        _ => return None,
    };
    let metrics = vector.split('/').filter(|metric| base.iter().any(|name| metric.split(':').next() == Some(name)));
    let reduced = cvss::Cvss::from_str(&metrics.collect::<Vec<_>>().join("/")).ok()?;
    let score = reduced.score();
    let severity = match reduced.severity() {
        // CVSS 2 has no word for it.
        _ if score == 0.0 => Severity::None,
        cvss::Severity::None => Severity::None,
        cvss::Severity::Low => Severity::Low,
        cvss::Severity::Medium => Severity::Medium,
        cvss::Severity::High => Severity::High,
        cvss::Severity::Critical => Severity::Critical,
    };
    Some((severity, score))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Scores as NVD gives them, and FIRST's examples of CVSS 4.0.
    #[test]
    fn every_version_of_cvss_has_its_score() {
        for (vector, score, severity) in [
            ("AV:N/AC:L/Au:N/C:N/I:N/A:C", 7.8, Severity::High),
            ("(AV:N/AC:M/Au:N/C:P/I:P/A:P)", 6.8, Severity::Medium),
            ("AV:N/AC:L/Au:N/C:C/I:C/A:C", 10.0, Severity::High),
            ("AV:N/AC:L/Au:N/C:N/I:N/A:N", 0.0, Severity::None),
            ("CVSS:3.0/AV:N/AC:L/PR:N/UI:R/S:C/C:L/I:L/A:N", 6.1, Severity::Medium),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H", 9.8, Severity::Critical),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H", 7.5, Severity::High),
            ("CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:L/I:N/A:N", 2.5, Severity::Low),
            ("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:N", 0.0, Severity::None),
            ("CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N", 7.3, Severity::High),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:A/VC:N/VI:L/VA:N/SC:N/SI:N/SA:N", 5.1, Severity::Medium),
            ("CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:H/SI:H/SA:H", 10.0, Severity::Critical),
        ] {
            assert_eq!(base_score(vector), Some((severity, score)), "{vector}");
        }
    }

    #[test]
    fn only_the_base_counts() {
        let base = "CVSS:4.0/AV:L/AC:L/AT:P/PR:L/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N";
        assert_eq!(base_score(&format!("{base}/E:U")), base_score(base), "nobody attacks yet");
        assert_eq!(base_score("AV:N/AC:L/Au:N/C:N/I:N/A:C/E:U/RL:OF/RC:C"), Some((Severity::High, 7.8)));
        assert_eq!(base_score("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:N/I:N/A:H/E:U/RL:O"), Some((Severity::High, 7.5)));
    }

    #[test]
    fn the_worst_that_was_said_counts_and_nonsense_is_unknown() {
        let mut rating = Rating::default();
        rating.add("nonsense");
        assert_eq!((rating.severity, rating.score), (Severity::Unknown, None));
        rating.add("CVSS:5.0/AV:N");
        rating.add("CVSS:3.1/AV:L/AC:H/PR:L/UI:N/S:U/C:L/I:N/A:N");
        rating.add("AV:N/AC:L/Au:N/C:N/I:N/A:C");
        rating.add("low");
        assert_eq!((rating.severity, rating.score, rating.vectors.len()), (Severity::High, Some(7.8), 5));
        rating.add("CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H");
        rating.add("AV:N/AC:L/Au:N/C:C/I:C/A:C");
        assert_eq!(
            (rating.severity, rating.score),
            (Severity::Critical, Some(9.8)),
            "a word weighs more than a number"
        );
        assert_eq!(Severity::of_word("MODERATE"), Severity::Medium);
        assert_eq!(Severity::of_word("not yet assigned"), Severity::Unknown);
        assert!(Severity::Unknown < Severity::None && Severity::High < Severity::Critical);
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in "(CVSS:[234].[01]/)?([A-Za-z]{1,3}:[A-Z]{1,2}/?){0,14}|.{0,60}") {
            let _ = base_score(&text);
        }
    }
}
