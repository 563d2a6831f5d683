//! Packets. A question carries a random number where a client's time would be: whoever cannot see it cannot answer.

use crate::bytes::Reader;

/// Where servers listen.
pub const PORT: u16 = 123;
/// Without extensions.
pub const LENGTH: usize = 48;
/// Between 1900, where NTP's seconds begin, and 1970.
const BEFORE_1970: i64 = 2_208_988_800;
const ERA: i64 = 1 << 32;
/// Nanoseconds of a second.
pub const SECOND: i64 = 1_000_000_000;
/// Further from true time than this, by its own words, a server is of no use (RFC 5905's MAXDIST is 1.5 s).
const DISTANCE: u32 = 3 << 15;

/// What a server says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The time in nanoseconds since 1970: when the question came in, and when the answer went out.
    Time {
        /// When the question came in.
        received: i64,
        /// When the answer went out.
        sent: i64,
    },
    /// No time, but a word instead: ask less (`RATE`), or not any more (`DENY`, `RSTR`). All others mean nothing (RFC 5905
    /// §7.4), such as those of a server that has no time yet (`INIT`, `STEP`).
    Kiss([u8; 4]),
}

/// A question.
pub fn question(nonce: u64) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    // Version 4, mode 3: client.
    packet[0] = 4 << 3 | 3;
    packet[40..].copy_from_slice(&nonce.to_be_bytes());
    packet
}

/// Reads an answer to the question of a random number; `pivot`: seconds since 1970 near which the time must be, to know
/// NTP's era. An error says what is wrong with it.
pub fn parse(packet: &[u8], nonce: u64, pivot: i64) -> Result<Reply, &'static str> {
    let mut reader = Reader(packet);
    let short = "it is cut";
    let [head, stratum, _poll, _precision] = reader.array().ok_or(short)?;
    let delay = reader.u32().ok_or(short)?;
    let dispersion = reader.u32().ok_or(short)?;
    let reference: [u8; 4] = reader.array().ok_or(short)?;
    let _updated = reader.u64().ok_or(short)?;
    let originate = reader.u64().ok_or(short)?;
    let received = reader.u64().ok_or(short)?;
    let sent = reader.u64().ok_or(short)?;
    // First of all: anybody can send anything, kisses too.
    if originate != nonce {
        return Err("it does not answer the question");
    }
    if head & 7 != 4 {
        return Err("its mode is not that of a server");
    }
    if !(3..=4).contains(&(head >> 3 & 7)) {
        return Err("its version is neither 3 nor 4");
    }
    if stratum == 0 {
        return Ok(Reply::Kiss(reference));
    }
    if stratum > 15 {
        return Err("its stratum says that it has no time");
    }
    if head >> 6 == 3 {
        return Err("it says that its clock is not set");
    }
    if sent == 0 || received == 0 {
        return Err("it says no time");
    }
    if (delay / 2).saturating_add(dispersion) > DISTANCE {
        return Err("it is too far from true time, as it says itself");
    }
    let (received, sent) = (time(received, pivot), time(sent, pivot));
    if !(0..SECOND).contains(&(sent - received)) {
        return Err("its times are not in order");
    }
    Ok(Reply::Time { received, sent })
}

/// Nanoseconds since 1970 of a timestamp: of the era that brings it nearest to the pivot.
fn time(stamp: u64, pivot: i64) -> i64 {
    let seconds = (stamp >> 32) as i64 - BEFORE_1970;
    let era = (pivot - seconds + ERA / 2).div_euclid(ERA);
    let fraction = ((stamp & 0xffff_ffff) * SECOND as u64) >> 32;
    (seconds + era * ERA).saturating_mul(SECOND).saturating_add(fraction as i64)
}

/// A timestamp of nanoseconds since 1970.
#[cfg(test)]
pub fn stamp(time: i64) -> u64 {
    let seconds = (time.div_euclid(SECOND) + BEFORE_1970).rem_euclid(ERA) as u64;
    let fraction = ((time.rem_euclid(SECOND) as u64) << 32).div_ceil(SECOND as u64);
    seconds << 32 | fraction
}

/// An answer of a server whose clock shows this time.
#[cfg(test)]
pub fn answer(nonce: u64, time: i64) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    packet[..4].copy_from_slice(&[4 << 3 | 4, 2, 6, 0xe9]);
    packet[24..32].copy_from_slice(&nonce.to_be_bytes());
    packet[32..40].copy_from_slice(&stamp(time).to_be_bytes());
    packet[40..].copy_from_slice(&stamp(time).to_be_bytes());
    packet
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-24.
    const PIVOT: i64 = 1_795_500_000;
    const NOW: i64 = PIVOT * SECOND + 123_456_789;
    /// An answer of ntpd 4.2.8 (stratum 2), with the question's number in its place.
    const NTPD: &str =
        "240206e9 00000a3d 00000c1e c0000201 eda1c1e5 4a8e2f7b 0102030405060708 eda1c210 80000000 eda1c210 80010000";

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        let (pairs, _) = digits.as_chunks::<2>();
        let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).expect("hex"), 16).expect("hex");
        pairs.iter().map(byte).collect()
    }

    #[test]
    fn an_answer_is_read_to_the_nanosecond() {
        let reply = parse(&hex(NTPD), 0x0102_0304_0506_0708, PIVOT).expect("an answer");
        let Reply::Time { received, sent } = reply else { panic!("{reply:?}") };
        assert_eq!(received, (0xeda1_c210 - BEFORE_1970) * SECOND + SECOND / 2);
        assert_eq!(sent - received, SECOND >> 16);
    }

    #[test]
    fn a_question_tells_nothing_but_its_number() {
        let packet = question(7);
        assert_eq!(packet[0], 0x23);
        assert!(packet[1..40].iter().all(|byte| *byte == 0));
    }

    #[test]
    fn hostile_answers_are_refused_by_name() {
        let good = answer(9, NOW);
        assert_eq!(parse(&good, 9, PIVOT), Ok(Reply::Time { received: NOW, sent: NOW }));
        let with = |at: usize, bytes: &[u8]| {
            let mut packet = good;
            packet[at..at + bytes.len()].copy_from_slice(bytes);
            parse(&packet, 9, PIVOT).expect_err("refused")
        };
        assert_eq!(parse(&good, 8, PIVOT), Err("it does not answer the question"));
        assert_eq!(with(0, &[4 << 3 | 3]), "its mode is not that of a server");
        assert_eq!(with(0, &[4 << 3 | 5]), "its mode is not that of a server");
        assert_eq!(with(0, &[1 << 3 | 4]), "its version is neither 3 nor 4");
        assert_eq!(with(0, &[3 << 6 | 4 << 3 | 4]), "it says that its clock is not set");
        assert_eq!(with(1, &[16]), "its stratum says that it has no time");
        assert_eq!(with(40, &[0; 8]), "it says no time");
        assert_eq!(with(8, &[0, 9, 0, 0]), "it is too far from true time, as it says itself");
        assert_eq!(with(4, &[0xff; 8]), "it is too far from true time, as it says itself");
        assert_eq!(with(32, &stamp(NOW + SECOND).to_be_bytes()), "its times are not in order");
        assert_eq!(parse(&good[..47], 9, PIVOT), Err("it is cut"));
        let mut kiss = good;
        kiss[1] = 0;
        kiss[12..16].copy_from_slice(b"RATE");
        assert_eq!(parse(&kiss, 9, PIVOT), Ok(Reply::Kiss(*b"RATE")));
        assert_eq!(parse(&kiss, 8, PIVOT), Err("it does not answer the question"), "a kiss of somebody else");
    }

    #[test]
    fn the_era_of_2036_changes_nothing() {
        for time in [NOW, (ERA - BEFORE_1970 - 1) * SECOND, (ERA - BEFORE_1970 + 5) * SECOND] {
            let reply = parse(&answer(9, time), 9, PIVOT).expect("an answer");
            assert_eq!(reply, Reply::Time { received: time, sent: time });
        }
    }

    proptest! {
        #[test]
        fn no_packet_is_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..80), pivot in 0i64..1 << 36) {
            let nonce = bytes.get(24..32).map_or(0, |bytes| u64::from_be_bytes(bytes.try_into().expect("eight")));
            let _ = parse(&bytes, nonce, pivot);
        }
    }
}
