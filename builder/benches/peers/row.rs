//! A row of the table: what was measured, beside its peer, and what was to be met.

use std::fmt::Write;

use serde_json::{Value, json};

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Seconds.
    Seconds,
    /// Bytes.
    Bytes,
}

/// Several runs of one thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Of these runs; none is an error, said as a missing measurement.
    pub fn of(mut runs: Vec<f64>) -> Measured {
        if runs.is_empty() {
            return Err("no run".into());
        }
        runs.sort_by(f64::total_cmp);
        Ok(Samples(runs))
    }

    /// A single exact number.
    pub fn exact(value: f64) -> Measured {
        Samples::of(vec![value])
    }

    fn min(&self) -> f64 {
        self.0[0]
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        let half = self.0.len() / 2;
        if self.0.len() % 2 == 1 { self.0[half] } else { f64::midpoint(self.0[half - 1], self.0[half]) }
    }

    fn text(&self, unit: Unit) -> String {
        let median = unit.text(self.median());
        if self.0.len() == 1 { median } else { format!("{median} (least {})", unit.text(self.min())) }
    }

    fn json(&self) -> Value {
        json!({"median": self.median(), "min": self.min(), "runs": self.0})
    }
}

/// A measurement, or why there is none.
pub type Measured = Result<Samples, String>;

/// What is to be met.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// So much at most.
    AtMost(f64),
    /// This part of the peer at most.
    OfPeer(f64),
    /// Nothing was promised.
    None,
}

impl Limit {
    fn met(self, ours: f64, peer: Option<f64>) -> Option<bool> {
        match self {
            Limit::AtMost(most) => Some(ours <= most),
            Limit::OfPeer(part) => peer.map(|peer| ours <= part * peer),
            Limit::None => None,
        }
    }

    fn text(self, unit: Unit) -> String {
        match self {
            Limit::AtMost(most) => format!("≤ {}", unit.text(most)),
            Limit::OfPeer(part) => format!("≤ {part:.2} × peer"),
            Limit::None => "–".into(),
        }
    }
}

impl Unit {
    /// For people.
    pub fn text(self, value: f64) -> String {
        match self {
            Unit::Seconds if value >= 120.0 => format!("{:.1} min", value / 60.0),
            Unit::Seconds if value >= 1.0 => format!("{value:.2} s"),
            Unit::Seconds => format!("{:.0} ms", value * 1000.0),
            Unit::Bytes => format!("{:.3} MB", value / 1e6),
        }
    }
}

/// One row.
#[derive(Debug)]
pub struct Row {
    /// What is measured.
    pub what: &'static str,
    /// What the numbers count.
    pub unit: Unit,
    /// Ours.
    pub ours: Measured,
    /// What it is held against, with its name; a peer that is not to be had says why.
    pub peer: Option<(&'static str, Measured)>,
    /// What must be met.
    pub must: Limit,
    /// What should be met.
    pub aim: Limit,
}

impl Row {
    fn peer_median(&self) -> Option<f64> {
        Some(self.peer.as_ref()?.1.as_ref().ok()?.median())
    }

    /// Whether the limits are met.
    pub fn verdict(&self) -> &'static str {
        let Ok(ours) = &self.ours else { return "not measured" };
        let met = |limit: Limit| limit.met(ours.median(), self.peer_median());
        match (met(self.must), met(self.aim)) {
            (_, Some(true)) if met(self.must) != Some(false) => "met aim",
            (Some(true), _) => "met must",
            (Some(false), _) => "missed",
            (None, Some(false)) => "missed aim",
            _ if matches!(self.must, Limit::OfPeer(_)) => "no peer",
            _ => "–",
        }
    }

    fn cells(&self) -> [String; 7] {
        let said = |measured: &Measured| match measured {
            Ok(samples) => samples.text(self.unit),
            Err(_) => "missing".into(),
        };
        let peer = self.peer.as_ref().map_or("–".into(), |(name, measured)| format!("{} {name}", said(measured)));
        let ratio = self.ours.as_ref().ok().zip(self.peer_median());
        [
            self.what.into(),
            said(&self.ours),
            peer,
            ratio.map_or("–".into(), |(ours, peer)| format!("{:.2}", ours.median() / peer)),
            self.must.text(self.unit),
            self.aim.text(self.unit),
            self.verdict().into(),
        ]
    }

    /// Why a number is missing.
    fn gaps(&self) -> Vec<String> {
        let gap = |whose: &str, measured: &Measured| {
            measured.as_ref().err().map(|why| format!("{}, {whose}: {}", self.what, why.replace('\n', "; ")))
        };
        let peer = self.peer.as_ref().and_then(|(name, measured)| gap(name, measured));
        gap("ours", &self.ours).into_iter().chain(peer).collect()
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let measured = |measured: &Measured| match measured {
            Ok(samples) => samples.json(),
            Err(why) => json!({"missing": why}),
        };
        json!({
            "what": self.what,
            "unit": if self.unit == Unit::Bytes { "bytes" } else { "seconds" },
            "ours": measured(&self.ours),
            "peer": self.peer.as_ref().map(|(name, samples)| json!({"name": name, "measured": measured(samples)})),
            "must": self.must.text(self.unit),
            "aim": self.aim.text(self.unit),
            "verdict": self.verdict(),
        })
    }
}

/// All rows as a table (which Markdown takes as it is), and under it what is missing and why.
pub fn table(rows: &[Row]) -> String {
    let head = ["what", "ours", "peer", "ratio", "must", "aim", "verdict"].map(String::from);
    let cells: Vec<[String; 7]> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let mut text = String::new();
    for (index, row) in cells.iter().enumerate() {
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(text, "| {cell}{} ", " ".repeat(width - cell.chars().count()));
        }
        text.push_str("|\n");
        if index == 0 {
            let rule: String = widths.iter().map(|width| format!("|{}", "-".repeat(width + 2))).collect();
            let _ = writeln!(text, "{rule}|");
        }
    }
    for gap in rows.iter().flat_map(Row::gaps) {
        let _ = writeln!(text, "missing: {gap}");
    }
    text
}
