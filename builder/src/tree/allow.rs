//! Allow-list patterns: `*` within a name, `**` across folders.

/// One pattern of a component's allow-list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern<'a>(pub &'a str);

impl Pattern<'_> {
    /// Whether the pattern names `path`.
    pub fn matches(&self, path: &str) -> bool {
        matches(self.0.as_bytes(), path.as_bytes())
    }
}

/// Iterative, with one point to go back to per kind of star: linear for patterns with one star, and never
/// worse than quadratic for two.
fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let (mut p, mut s) = (0, 0);
    let mut within: Option<(usize, usize)> = None;
    let mut across: Option<(usize, usize)> = None;
    loop {
        if pattern[p..].starts_with(b"**") {
            across = Some((p + 2, s));
            within = None;
            p += 2;
        } else if pattern[p..].starts_with(b"*") {
            within = Some((p + 1, s));
            p += 1;
        } else if s == path.len() && p == pattern.len() {
            return true;
        } else if s < path.len() && p < pattern.len() && pattern[p] == path[s] {
            p += 1;
            s += 1;
        } else if let Some((back, from)) = within.filter(|&(_, from)| from < path.len() && path[from] != b'/') {
            within = Some((back, from + 1));
            (p, s) = (back, from + 1);
        } else if let Some((back, from)) = across.filter(|&(_, from)| from < path.len()) {
            across = Some((back, from + 1));
            within = None;
            (p, s) = (back, from + 1);
        } else {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    #[test]
    fn stars_stay_within_a_name_and_double_stars_do_not() {
        for (pattern, path, expected) in [
            ("/usr/bin/kubelet", "/usr/bin/kubelet", true),
            ("/usr/bin/kubelet", "/usr/bin/kubelet2", false),
            ("/usr/bin/*", "/usr/bin/kubelet", true),
            ("/usr/bin/*", "/usr/bin/a/b", false),
            ("/usr/lib/modules/**", "/usr/lib/modules/6.12/kernel/x.ko.xz", true),
            ("/usr/lib/modules/**/*.ko.xz", "/usr/lib/modules/6.12/kernel/x.ko.xz", true),
            ("/usr/lib/modules/**/*.ko.xz", "/usr/lib/modules/6.12/kernel/x.ko", false),
            ("/a*b*c", "/aXbYbZc", true),
            ("/**/c/*", "/a/c/b/c/d", true),
            ("/**/c/*", "/a/c/b/c/d/e", false),
            ("", "", true),
            ("*", "", true),
        ] {
            assert_eq!(Pattern(pattern).matches(path), expected, "{pattern} on {path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_pattern_panics(pattern in "[a/*]{0,12}", path in "[a/b]{0,24}") {
            let _ = Pattern(&pattern).matches(&path);
        }

        #[test]
        fn a_path_without_stars_matches_itself(path in "[a-z/]{0,24}") {
            proptest::prop_assert!(Pattern(&path).matches(&path));
        }
    }
}
