//! All that is known of an image on one page: a single HTML file that fetches nothing, for a browser, a printer, a screen
//! reader.
//!
//! ```text
//! inventory, inspection ─┐
//! verification, boot     ├─▶ render ─▶ page      one file for each section, [`markup`] for all that is written
//! difference, scan       ┘
//! ```
//!
//! Pure: no clock, no path of the machine that makes it. Names of files and packages come from whoever made the image, and
//! get into the page through [`markup::Html`] alone, which escapes them. The page's own policy (CSP) lets no script and no
//! style run but the two that stand in it, by their hashes, and lets nothing be fetched.

mod boot;
mod chain;
mod changes;
mod findings;
mod licences;
pub mod markup;
mod picture;
mod root;
#[cfg(test)]
pub(super) mod sample;
mod summary;
mod surface;
mod table;
#[cfg(test)]
mod tests;
mod treemap;
mod words;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop_chain::Refusal;
use sha2::{Digest, Sha256};

use self::markup::Html;
use super::boot::Boot;
use super::diff::Difference;
use crate::image::inspect::Inspection;
use crate::image::licences::Licences;
use crate::image::verify::Passed;
use crate::inventory::Inventory;
use crate::scan;
use crate::surface::Surface;

const STYLE: &str = include_str!("assets/report.css");
const SCRIPT: &str = include_str!("assets/report.js");

/// What a page is made of. What is not there has no section.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// What the image holds.
    pub inventory: &'a Inventory,
    /// Partitions, boot manifest, signatures.
    pub inspection: &'a Inspection,
    /// What the checks of the boot said, by keys that were named.
    pub verification: Option<&'a Verification>,
    /// A boot of it.
    pub boot: Option<&'a Boot>,
    /// What differs from the image before.
    pub difference: Option<&'a Difference>,
    /// What is known to be wrong with it.
    pub scan: Option<&'a scan::Report>,
    /// What it exposes, in numbers.
    pub surface: Option<&'a Surface>,
    /// What the image before exposed.
    pub surface_before: Option<&'a Surface>,
    /// What its packages declare to be licensed under, and which texts they have.
    pub licences: Option<&'a Licences>,
}

/// What `orlop verify` would say of an image, without its release manifest.
#[derive(Debug)]
pub struct Verification {
    /// The checks that passed, in order.
    pub passed: Vec<Passed>,
    /// The first that did not.
    pub refused: Option<Refusal>,
}

/// A section of the page.
struct Section {
    id: &'static str,
    title: &'static str,
    is_there: fn(&Report<'_>) -> bool,
    write: fn(&mut Html, &Report<'_>),
}

static SECTIONS: [Section; 8] = [
    Section { id: "summary", title: "Summary", is_there: |_| true, write: summary::write },
    Section { id: "chain", title: "Chain of trust", is_there: |_| true, write: chain::write },
    Section { id: "boot", title: "Boot", is_there: |report| report.boot.is_some(), write: boot::write },
    Section { id: "root", title: "What the root holds", is_there: |_| true, write: root::write },
    Section { id: "surface", title: "Surface", is_there: |report| report.surface.is_some(), write: surface::write },
    Section { id: "changes", title: "Changes", is_there: |report| report.difference.is_some(), write: changes::write },
    Section { id: "findings", title: "Findings", is_there: |report| report.scan.is_some(), write: findings::write },
    Section { id: "licences", title: "Licences", is_there: |_| true, write: licences::write },
];

/// The page.
pub fn render(report: &Report<'_>) -> String {
    let image = &report.inventory.image;
    let title = format!("{} {}", image.name, image.version);
    let sections: Vec<&Section> = SECTIONS.iter().filter(|section| (section.is_there)(report)).collect();
    let mut html = Html::default();
    html.literal("<!DOCTYPE html>\n");
    html.element("html", &[("lang", "en")], |html| {
        html.element("head", &[], |html| head(html, &title));
        html.element("body", &[], |html| {
            html.literal("<a class=\"skip\" href=\"#main\">Skip to the report</a>");
            html.element("header", &[], |html| {
                html.leaf("h1", &[], &title);
                html.leaf(
                    "p",
                    &[],
                    "An image of Orlop: what it is made of, who vouches for it, what is wrong with it.",
                );
            });
            navigation(html, &sections);
            html.element("main", &[("id", "main"), ("tabindex", "-1")], |html| {
                for section in sections {
                    let heading = format!("{}-title", section.id);
                    html.element("section", &[("id", section.id), ("aria-labelledby", &heading)], |html| {
                        html.leaf("h2", &[("id", &heading)], section.title);
                        (section.write)(html, report);
                    });
                }
            });
            let made =
                format!("Made by orlop {} from the image alone, and from what was named.", env!("CARGO_PKG_VERSION"));
            html.element("footer", &[], |html| html.leaf("p", &[], &made));
            html.element("script", &[], |html| html.literal(SCRIPT));
        });
    });
    html.literal("\n");
    html.into_string()
}

/// The policy comes first: it holds for what stands behind it.
fn head(html: &mut Html, title: &str) {
    html.empty("meta", &[("charset", "utf-8")]);
    html.empty("meta", &[("http-equiv", "Content-Security-Policy"), ("content", &policy())]);
    html.empty("meta", &[("name", "viewport"), ("content", "width=device-width, initial-scale=1")]);
    html.empty("meta", &[("name", "color-scheme"), ("content", "light dark")]);
    html.empty("meta", &[("name", "referrer"), ("content", "no-referrer")]);
    // Without one, browsers would ask the page's server for /favicon.ico.
    html.literal("<link rel=\"icon\" href=\"data:,\">");
    html.leaf("title", &[], &format!("{title} – Orlop report"));
    html.element("style", &[], |html| html.literal(STYLE));
}

fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    format!(
        "default-src 'none'; style-src {}; script-src {}; img-src data:; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}

fn navigation(html: &mut Html, sections: &[&Section]) {
    html.element("nav", &[("aria-label", "Sections")], |html| {
        html.element("ul", &[], |html| {
            for section in sections {
                html.element("li", &[], |html| html.anchor(section.id, section.title));
            }
        });
    });
}
