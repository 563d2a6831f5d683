//! Markup in which nothing of others is markup.
//!
//! Tags and the names of attributes are texts of this program; everything else is escaped on its way in. There is no
//! other way: [`Html`] keeps its text to itself. What leads elsewhere or runs (`href`, `style`, `on…`) is no attribute that
//! can be given: a link is written by [`Html::link`], which knows what an address is.

use crate::text::deceives;

/// The name of an attribute and its value, which is escaped.
pub type Attribute<'a> = (&'static str, &'a str);

/// A page that is being written.
#[derive(Debug, Default)]
pub struct Html {
    text: String,
}

impl Html {
    /// An element with whatever `inside` writes.
    pub fn element(&mut self, tag: &'static str, attributes: &[Attribute<'_>], inside: impl FnOnce(&mut Html)) {
        self.open(tag, attributes);
        self.text.push('>');
        inside(self);
        self.close(tag);
    }

    /// An element with nothing but text in it.
    pub fn leaf(&mut self, tag: &'static str, attributes: &[Attribute<'_>], text: &str) {
        self.element(tag, attributes, |html| html.text(text));
    }

    /// An element that holds nothing: `meta`, `input`, `rect`.
    pub fn empty(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.open(tag, attributes);
        self.text.push_str("/>");
    }

    /// Text. What would not show as itself (controls, what turns the direction of writing) is written as `\u{202e}`.
    pub fn text(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                '"' => self.text.push_str("&quot;"),
                '\'' => self.text.push_str("&#39;"),
                _ if deceives(character) => self.text.extend(character.escape_default()),
                _ => self.text.push(character),
            }
        }
    }

    /// A link to somewhere else. What is no address of the web stays text: it may be `javascript:`.
    pub fn link(&mut self, address: &str, text: &str) {
        if !["https://", "http://"].iter().any(|scheme| address.starts_with(scheme)) {
            return self.text(text);
        }
        self.literal("<a rel=\"noopener noreferrer\" href=\"");
        self.text(address);
        self.literal("\">");
        self.text(text);
        self.literal("</a>");
    }

    /// A link to a place of this page.
    pub fn anchor(&mut self, id: &'static str, text: &str) {
        self.literal("<a href=\"#");
        self.text(id);
        self.literal("\">");
        self.text(text);
        self.literal("</a>");
    }

    /// Markup of this program.
    pub fn literal(&mut self, markup: &'static str) {
        self.text.push_str(markup);
    }

    /// The page.
    pub fn into_string(self) -> String {
        self.text
    }

    fn open(&mut self, tag: &'static str, attributes: &[Attribute<'_>]) {
        self.text.push('<');
        self.text.push_str(tag);
        for (name, value) in attributes {
            debug_assert!(!matches!(*name, "href" | "src" | "style" | "action") && !name.starts_with("on"), "{name}");
            self.text.push(' ');
            self.text.push_str(name);
            self.text.push_str("=\"");
            self.text(value);
            self.text.push('"');
        }
    }

    fn close(&mut self, tag: &'static str) {
        self.text.push_str("</");
        self.text.push_str(tag);
        self.text.push('>');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(write: impl FnOnce(&mut Html)) -> String {
        let mut html = Html::default();
        write(&mut html);
        html.into_string()
    }

    #[test]
    fn text_stays_text() {
        let hostile = "<script>alert(1)</script>\" onerror='x' &lt; \u{202e}\n";
        let shown = "&lt;script&gt;alert(1)&lt;/script&gt;&quot; onerror=&#39;x&#39; &amp;lt; \\u{202e}\\n";
        assert_eq!(written(|html| html.leaf("p", &[], hostile)), format!("<p>{shown}</p>"));
        assert_eq!(
            written(|html| html.empty("rect", &[("class", hostile), ("x", "1")])),
            format!("<rect class=\"{shown}\" x=\"1\"/>")
        );
        assert_eq!(written(|html| html.text("Größe ‘é’ 漢字")), "Größe ‘é’ 漢字");
    }

    #[test]
    fn only_addresses_of_the_web_are_links() {
        for no in ["javascript:alert(1)", "data:text/html,x", " https://x", "//x", "", "HTTPS:/x", "vbscript:x"] {
            assert_eq!(written(|html| html.link(no, "a<b")), "a&lt;b", "{no}");
        }
        let link = written(|html| html.link("https://example.org/?a=\"&b", "x"));
        assert_eq!(link, "<a rel=\"noopener noreferrer\" href=\"https://example.org/?a=&quot;&amp;b\">x</a>");
        assert_eq!(written(|html| html.anchor("main", "x")), "<a href=\"#main\">x</a>");
    }

    proptest! {
        #[test]
        fn no_text_makes_markup(text in any::<String>()) {
            let page = written(|html| html.leaf("p", &[("class", &text)], &text));
            // Those of the element itself, and no more.
            prop_assert_eq!(page.matches('<').count(), 2);
            prop_assert_eq!(page.matches('>').count(), 2);
            prop_assert_eq!(page.matches('"').count(), 2);
            prop_assert!(!page.chars().any(deceives));
        }
    }
}
