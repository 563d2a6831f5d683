//! Tables, lists and folded parts, as all sections write them.

use super::markup::Html;

/// A table with a caption. A wide one scrolls for itself, by keyboard too. `rows` writes its rows.
pub fn table(html: &mut Html, caption: &str, columns: &[&'static str], rows: impl FnOnce(&mut Html)) {
    let scrolls = [("class", "scroll"), ("role", "group"), ("aria-label", caption), ("tabindex", "0")];
    html.element("div", &scrolls, |html| {
        html.element("table", &[], |html| {
            html.leaf("caption", &[], caption);
            html.element("thead", &[], |html| {
                html.element("tr", &[], |html| {
                    for column in columns {
                        html.leaf("th", &[("scope", "col")], column);
                    }
                });
            });
            html.element("tbody", &[], rows);
        });
    });
}

/// A row of texts; the first is what it is about.
pub fn row(html: &mut Html, cells: &[&str]) {
    html.element("tr", &[], |html| {
        for (number, cell) in cells.iter().enumerate() {
            if number == 0 {
                html.leaf("th", &[("scope", "row")], cell);
            } else {
                html.leaf("td", &[], cell);
            }
        }
    });
}

/// Terms and what they are.
pub fn terms(html: &mut Html, terms: &[(&'static str, &str)]) {
    html.element("dl", &[], |html| {
        for (term, value) in terms {
            html.element("div", &[], |html| {
                html.leaf("dt", &[], term);
                html.leaf("dd", &[], value);
            });
        }
    });
}

/// What is shown when somebody asks for it; a printer always does.
pub fn folded(html: &mut Html, title: &str, inside: impl FnOnce(&mut Html)) {
    html.element("details", &[], |html| {
        html.leaf("summary", &[], title);
        inside(html);
    });
}
