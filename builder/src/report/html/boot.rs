//! A boot's time line: a bar for each phase, from the end of the one before to its own; a mark for what was reached.

use super::Report;
use super::markup::Html;
use super::picture::{Frame, label, line, picture, rect};
use super::table::{row, table, terms};
use super::treemap::Area;
use super::words::{seconds, short};
use crate::report::boot::{Boot, Moment};

const WIDTH: f64 = 900.0;
/// Where names end and time begins.
const LEFT: f64 = 230.0;
/// A row's height.
const ROW: f64 = 24.0;
/// So many rows are drawn; the table has all.
const DRAWN: usize = 80;

/// Something on the time line.
struct Bar<'a> {
    name: &'a str,
    /// When it began; `None` of what was reached in a moment.
    from: Option<u64>,
    to: u64,
}

/// Writes the section.
pub fn write(html: &mut Html, report: &Report<'_>) {
    let Some(boot) = report.boot else { return };
    let trust = boot.trust.as_deref().unwrap_or("not said");
    let machine = boot.accelerator.as_deref().unwrap_or("not said");
    let build = if boot.root_hash.is_some() { "this one, by its root hash" } else { "not said which build" };
    terms(html, &[("Trust reached", trust), ("Machine", machine), ("Image", build)]);
    if let Some(trouble) = &boot.trouble {
        html.leaf("p", &[("class", "bad")], trouble);
    }
    let bars = bars(boot);
    if bars.is_empty() {
        html.leaf("p", &[], "The boot report names no phase.");
        return;
    }
    draw(html, &bars);
    table(
        html,
        "The boot, phase by phase; times since the kernel started",
        &["What", "Reached after", "Took"],
        |html| {
            for bar in &bars {
                let took = bar.from.map_or("–".into(), |from| seconds(bar.to.saturating_sub(from)));
                row(html, &[bar.name, &seconds(bar.to), &took]);
            }
        },
    );
}

fn bars(boot: &Boot) -> Vec<Bar<'_>> {
    let mut before = 0;
    let mut bars = Vec::new();
    for Moment { name, ms } in &boot.phases {
        bars.push(Bar { name, from: Some(before), to: *ms });
        before = *ms;
    }
    bars.extend(boot.reached.iter().map(|Moment { name, ms }| Bar { name, from: None, to: *ms }));
    // Stable: of one time, what ended a phase comes first.
    bars.sort_by_key(|bar| bar.to);
    bars
}

fn draw(html: &mut Html, bars: &[Bar<'_>]) {
    let drawn = bars.get(..DRAWN).unwrap_or(bars);
    let end = drawn.last().map_or(0, |bar| bar.to).max(1);
    let at = |ms: u64| LEFT + ms as f64 / end as f64 * (WIDTH - LEFT - 80.0);
    let bottom = drawn.len() as f64 * ROW + 10.0;
    let last = drawn.last().map_or("nothing", |bar| bar.name);
    let description = format!("{} steps; the last, {last}, after {}.", drawn.len(), seconds(end));
    let frame = Frame {
        id: "boot-picture",
        title: "Time line of the boot",
        description: &description,
        size: (WIDTH, bottom + 24.0),
    };
    picture(html, &frame, |svg| {
        for tick in ticks(end) {
            line(svg, "grid", (at(tick), 4.0), (at(tick), bottom));
            label(svg, "small", (at(tick) + 3.0, bottom + 16.0), &seconds(tick));
        }
        for (number, bar) in drawn.iter().enumerate() {
            let top = number as f64 * ROW + 6.0;
            label(svg, "small", (6.0, top + 15.0), &short(bar.name, 32));
            let (class, from) = match bar.from {
                Some(from) => ("phase", at(from)),
                None => ("reached", at(bar.to) - 3.0),
            };
            let width = (at(bar.to) - from).max(2.0);
            rect(svg, class, Area { x: from, y: top + 3.0, width, height: ROW - 8.0 }, |_| {});
            label(svg, "small", (from + width + 6.0, top + 15.0), &seconds(bar.to));
        }
    });
}

/// Times for the grid: round ones, at most ten of them.
fn ticks(end: u64) -> impl Iterator<Item = u64> {
    // 100 ms, 200, 500, 1 s, 2, 5 and so on.
    let decades = (0..).map_while(|power| 10_u64.checked_pow(power)?.checked_mul(100));
    let mut steps = decades.flat_map(|decade| [1, 2, 5].map(|factor| decade.saturating_mul(factor)));
    let step = steps.find(|step| end / step <= 8).unwrap_or(u64::MAX);
    (0..=end / step).map(move |number| number * step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_is_round_and_not_too_fine() {
        let of = |end| ticks(end).collect::<Vec<_>>();
        assert_eq!(of(250), [0, 100, 200]);
        assert_eq!(of(9900), [0, 2000, 4000, 6000, 8000]);
        assert_eq!(of(1), [0]);
        for end in [0, 801, 123_456, 7_000_000, u64::MAX] {
            let ticks = of(end);
            assert!(ticks.len() <= 10 && ticks.iter().all(|tick| *tick <= end), "{end}: {ticks:?}");
        }
    }

    #[test]
    fn a_phase_begins_where_the_one_before_ended() {
        let moment = |name: &str, ms| Moment { name: name.into(), ms };
        let boot = Boot {
            phases: vec![moment("root", 1000), moment("state", 2500)],
            reached: vec![moment("ready", 1000), moment("healthy", 9000)],
            ..Boot::default()
        };
        let bars: Vec<_> = bars(&boot).into_iter().map(|bar| (bar.name, bar.from, bar.to)).collect();
        let expected =
            [("root", Some(0), 1000), ("ready", None, 1000), ("state", Some(1000), 2500), ("healthy", None, 9000)];
        assert_eq!(bars, expected);
    }
}
