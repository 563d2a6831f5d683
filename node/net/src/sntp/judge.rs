//! Whom to believe: more than half of those who answered must agree, and one that is alone is believed.

use super::message::SECOND;

/// Two servers agree where their times are within what the ways to them may have cost, and this.
const TOLERANCE: i64 = SECOND / 20;
/// An answer that took longer says too little.
const SLOWEST: i64 = 2 * SECOND;

/// One server's answer, held against this machine's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The true time minus this machine's, in nanoseconds.
    pub offset: i64,
    /// What the way there and back took, in nanoseconds; never less than nothing.
    pub delay: i64,
}

impl Sample {
    /// From the four times: question sent and answer received by this machine's clock, question received and answer sent
    /// by the server's. `None` where they cannot be.
    ///
    /// On a near wire the way may seem to have taken less than nothing: the server's clock is as coarse as it likes, and may
    /// be turned while it answers. That is no time at all (RFC 5905 §8), up to what two servers may differ by.
    pub fn of(asked: i64, received: i64, sent: i64, answered: i64) -> Option<Self> {
        let delay = answered.checked_sub(asked)?.checked_sub(sent.checked_sub(received)?)?;
        let there = i128::from(received) - i128::from(asked);
        let back = i128::from(sent) - i128::from(answered);
        let offset = i64::try_from((there + back) / 2).ok()?;
        (-TOLERANCE..=SLOWEST).contains(&delay).then_some(Sample { offset, delay: delay.max(0) })
    }

    fn agrees(&self, other: &Sample) -> bool {
        let apart = self.offset.abs_diff(other.offset);
        apart <= (TOLERANCE + (self.delay + other.delay) / 2).unsigned_abs()
    }
}

/// The sample to go by: of the largest group that agrees with one of its own, that of the shortest way. `None`: no group
/// is more than half.
pub fn best(samples: &[Sample]) -> Option<Sample> {
    let group = |one: &Sample| samples.iter().filter(|other| one.agrees(other)).count();
    let centre = samples.iter().max_by_key(|one| group(one))?;
    if group(centre) * 2 <= samples.len() {
        return None;
    }
    samples.iter().filter(|one| centre.agrees(one)).min_by_key(|one| one.delay).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: i64 = 1_000_000;

    fn sample(offset: i64, delay: i64) -> Sample {
        Sample { offset: offset * MS, delay: delay * MS }
    }

    #[test]
    fn a_liar_is_outvoted_and_two_that_differ_are_nobody() {
        let day = 86_400_000;
        assert_eq!(best(&[]), None);
        assert_eq!(best(&[sample(day, 5)]), Some(sample(day, 5)));
        assert_eq!(best(&[sample(3, 5), sample(day, 1)]), None);
        assert_eq!(best(&[sample(3, 5), sample(day, 1), sample(1, 2)]), Some(sample(1, 2)));
        assert_eq!(best(&[sample(3, 5), sample(day, 1), sample(1, 2), sample(-day, 1)]), None);
    }

    #[test]
    fn the_four_times_give_offset_and_delay() {
        let sample = Sample::of(1000, 5010, 5020, 1050).expect("a sample");
        assert_eq!(sample, Sample { offset: (4010 + 3970) / 2, delay: 40 });
        assert_eq!(Sample::of(1000, 5000, 5100 + TOLERANCE, 1050), None, "back before it was there");
        assert_eq!(Sample::of(0, 0, 0, 3 * SECOND), None, "too slow");
        assert_eq!(Sample::of(i64::MIN, i64::MAX, i64::MAX, i64::MAX), None);
    }

    /// 50 µs, where this machine's clock saw 10 µs pass.
    #[test]
    fn a_way_that_seems_to_have_taken_less_than_nothing_took_nothing() {
        let sample = Sample::of(1_000_000, 5_000_000, 5_050_000, 1_010_000).expect("a sample");
        assert_eq!(sample, Sample { offset: (4_000_000 + 4_040_000) / 2, delay: 0 });
    }

    proptest! {
        #[test]
        fn no_times_are_a_panic(times: [i64; 4], more: [i64; 4]) {
            let samples: Vec<Sample> = [times, more].iter().filter_map(|t| Sample::of(t[0], t[1], t[2], t[3])).collect();
            let _ = best(&samples);
        }
    }
}
