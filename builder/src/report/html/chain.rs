//! The chain of trust: a picture with who vouches for what, and the same as a table.

use super::Report;
use super::markup::Html;
use super::picture::{Frame, arrow, label, picture, rect};
use super::table::{row, table};
use super::treemap::Area;
use super::words::short;
use crate::report::chain::{Link, Vouched, links};

const WIDTH: f64 = 900.0;
/// The height of a link's box, and of the gap to the next.
const BOX: f64 = 62.0;
const GAP: f64 = 30.0;
/// Where a link's box begins and ends; beside it stands who vouches for it.
const LEFT: f64 = 10.0;
const MIDDLE: f64 = 520.0;
const SEAL: f64 = 550.0;

/// Writes the section.
pub fn write(html: &mut Html, report: &Report<'_>) {
    html.leaf(
        "p",
        &[],
        "Each part is verified by one before it. A name here is that of a certificate or key which the image itself carries: \
         whether it is yours, orlop verify says, and the firmware by its db.",
    );
    let links = links(report.inspection);
    draw(html, &links);
    table(
        html,
        "The chain of trust, link by link",
        &["Part", "In this image", "Vouched for by", "Checked by"],
        |html| {
            for link in &links {
                row(html, &[link.part, &link.what, &in_words(&link.vouched), link.checked]);
            }
        },
    );
}

fn in_words(vouched: &Vouched) -> String {
    match vouched {
        Vouched::Owner(what) => format!("the machine's owner: {what}"),
        Vouched::Signed { by, kind } => format!("{by} ({kind})"),
        Vouched::Nobody(why) => format!("nobody: {why}"),
        Vouched::Covered(what) => (*what).to_owned(),
    }
}

fn draw(html: &mut Html, links: &[Link]) {
    let broken: Vec<&str> = links.iter().filter(|link| !link.holds()).map(|link| link.part).collect();
    let description = match broken.is_empty() {
        true => format!("{} parts from the firmware down to the programs; each is vouched for.", links.len()),
        false => format!("{} parts; nobody vouches for {}.", links.len(), broken.join(", ")),
    };
    let height = links.len() as f64 * (BOX + GAP);
    let frame =
        Frame { id: "chain-picture", title: "Chain of trust", description: &description, size: (WIDTH, height) };
    picture(html, &frame, |svg| {
        for (number, link) in links.iter().enumerate() {
            let top = number as f64 * (BOX + GAP) + 4.0;
            if number > 0 {
                arrow(svg, (LEFT + 40.0, top - GAP), (LEFT + 40.0, top - 2.0));
                label(svg, "small", (LEFT + 58.0, top - 10.0), &format!("checked by {}", short(link.checked, 80)));
            }
            draw_link(svg, link, top);
        }
    });
}

fn draw_link(svg: &mut Html, link: &Link, top: f64) {
    rect(svg, "part", Area { x: LEFT, y: top, width: MIDDLE - LEFT, height: BOX }, |_| {});
    label(svg, "strong", (LEFT + 14.0, top + 25.0), link.part);
    label(svg, "small", (LEFT + 14.0, top + 47.0), &short(&link.what, 72));
    let (class, first, second) = match &link.vouched {
        Vouched::Owner(what) => ("owner", "the machine's owner".to_owned(), what.clone()),
        Vouched::Signed { by, kind } => ("signed", format!("signed by {}", short(by, 36)), (*kind).to_owned()),
        Vouched::Nobody(why) => ("nobody", "nobody vouches for it".to_owned(), why.clone()),
        Vouched::Covered(what) => ("covered", "covered by".to_owned(), (*what).to_owned()),
    };
    rect(svg, class, Area { x: SEAL, y: top, width: WIDTH - SEAL - 10.0, height: BOX }, |_| {});
    label(svg, "strong", (SEAL + 14.0, top + 25.0), &first);
    label(svg, "small", (SEAL + 14.0, top + 47.0), &short(&second, 46));
}
