//! Pictures, as SVG in the page: shapes and words, in units of the picture. Colours are the style sheet's, so that they
//! follow light and dark.

use super::markup::Html;
use super::treemap::Area;

/// A picture's frame. Who cannot see it hears title and description; a table beside it has what it shows.
pub struct Frame<'a> {
    /// What the page knows it by.
    pub id: &'static str,
    /// Its name.
    pub title: &'static str,
    /// What it shows, in a sentence.
    pub description: &'a str,
    /// Its width and height.
    pub size: (f64, f64),
}

/// A picture; `inside` draws it.
pub fn picture(html: &mut Html, frame: &Frame<'_>, inside: impl FnOnce(&mut Html)) {
    let (title, description) = (format!("{}-title", frame.id), format!("{}-description", frame.id));
    let labels = format!("{title} {description}");
    let view = format!("0 0 {:.0} {:.0}", frame.size.0, frame.size.1);
    let attributes = [("id", frame.id), ("role", "img"), ("aria-labelledby", &*labels), ("viewBox", &*view)];
    // It scrolls where it is wider than the window: what scrolls must be reached by keys, and say what it is.
    let scrolls = [("class", "picture"), ("tabindex", "0"), ("role", "group"), ("aria-label", frame.title)];
    html.element("div", &scrolls, |html| {
        html.element("svg", &attributes, |svg| {
            svg.leaf("title", &[("id", &title)], frame.title);
            svg.leaf("desc", &[("id", &description)], frame.description);
            inside(svg);
        });
    });
}

/// A box. What `inside` writes belongs to it: a title, which a mouse shows.
pub fn rect(svg: &mut Html, class: &str, area: Area, inside: impl FnOnce(&mut Html)) {
    let [x, y, width, height] = [area.x, area.y, area.width, area.height].map(number);
    let attributes = [("class", class), ("x", &*x), ("y", &*y), ("width", &*width), ("height", &*height)];
    svg.element("rect", &attributes, inside);
}

/// A line from one point to another.
pub fn line(svg: &mut Html, class: &str, from: (f64, f64), to: (f64, f64)) {
    let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(number);
    svg.empty("line", &[("class", class), ("x1", &x1), ("y1", &y1), ("x2", &x2), ("y2", &y2)]);
}

/// An arrow that points down to this point.
pub fn arrow(svg: &mut Html, from: (f64, f64), to: (f64, f64)) {
    line(svg, "arrow", from, to);
    line(svg, "arrow", (to.0 - 6.0, to.1 - 8.0), to);
    line(svg, "arrow", (to.0 + 6.0, to.1 - 8.0), to);
}

/// A word at a point: where its baseline begins.
pub fn label(svg: &mut Html, class: &str, at: (f64, f64), text: &str) {
    let [x, y] = [at.0, at.1].map(number);
    svg.leaf("text", &[("class", class), ("x", &x), ("y", &y)], text);
}

fn number(number: f64) -> String {
    format!("{number:.1}")
}
