//! Patterns over paths: `*` within a name, `**` across folders, everything else as it stands.

/// Whether a pattern names a path.
pub fn matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path: Vec<&str> = path.split('/').collect();
    folders(&pattern, &path)
}

fn folders(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => {
            // At the end `**` is everything below, never the folder itself.
            let least = usize::from(rest.is_empty());
            (least..=path.len()).any(|skipped| folders(rest, &path[skipped..]))
        }
        (Some((name, pattern)), Some((part, path))) => within(name, part) && folders(pattern, path),
        _ => false,
    }
}

/// `*` within one name. Linear: after a `*`, the first place where the next literal fits is as good as any.
fn within(pattern: &str, name: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut rest) = name.strip_prefix(head) else {
        return false;
    };
    let mut literals: Vec<&str> = tail.split('*').collect();
    let last = literals.pop().unwrap_or("");
    for literal in literals {
        let Some(at) = rest.find(literal) else { return false };
        rest = &rest[at + literal.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_name_what_they_say_and_nothing_else() {
        for (pattern, path, expected) in [
            ("/usr/bin/runc", "/usr/bin/runc", true),
            ("/usr/bin/runc", "/usr/bin/runc2", false),
            ("/usr/bin/*", "/usr/bin/runc", true),
            ("/usr/bin/*", "/usr/bin/x/runc", false),
            ("/usr/bin/*", "/usr/bin", false),
            ("/usr/lib/modules/**", "/usr/lib/modules/6/kernel/a.ko.xz", true),
            ("/usr/lib/modules/**", "/usr/lib/modules", false),
            ("/usr/lib/modules/**/*.ko.xz", "/usr/lib/modules/a.ko.xz", true),
            ("/usr/lib/modules/**/*.ko.xz", "/usr/lib/modules/6/k/a.ko.xz", true),
            ("/usr/lib/modules/**/*.ko.xz", "/usr/lib/modules/6/k/a.ko", false),
            ("/a/*b*c", "/a/xbybc", true),
            ("/a/*b*c", "/a/xcyb", false),
            ("/a/ab*ba", "/a/aba", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
