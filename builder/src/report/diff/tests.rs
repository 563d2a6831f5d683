use super::*;
use crate::inventory::sample::inventory;

fn rows(changes: &[Change]) -> Vec<(&str, Option<&str>, Option<&str>)> {
    changes.iter().map(|change| (&*change.what, change.before.as_deref(), change.after.as_deref())).collect()
}

#[test]
fn an_image_does_not_differ_from_itself() {
    let difference = compare(&inventory(), &inventory());
    assert!(difference.is_empty(), "{difference:?}");
    assert_eq!(text(&difference), "sample 1.2.3 → sample 1.2.3\nnothing differs\n");
    let mut hostile = inventory();
    hostile.image.name = "a\u{1b}]0;x\u{7}".into();
    let text = text(&compare(&hostile, &inventory()));
    assert!(text.starts_with("a\u{fffd}]0;x\u{fffd} 1.2.3 → sample 1.2.3\n"), "{text}");
}

#[test]
fn everything_that_differs_is_named_once() {
    let (before, mut after) = (inventory(), inventory());
    after.image.version = "1.3.0".into();
    after.image.command_line = "console=ttyS0 gpt quiet --".into();
    after.image.sysctls.insert("kernel.panic".into(), "20".into());
    let runc = after.components.get_mut("runc").unwrap();
    (runc.version, runc.sha256) = ("v1.5.3".into(), String::new());
    after.components.remove("my_motd");
    let mut net = after.parts.remove("pkg:golang/golang.org/x/net@v0.35.0").unwrap();
    net.version = "v0.36.0".into();
    after.parts.insert(net.purl(), net);
    after.files.retain(|file| file.component != "my_motd");
    let file = after.files.iter_mut().find(|file| file.path == "/usr/bin/runc").unwrap();
    (file.size, file.sha256) = (20, "03".repeat(32));
    let difference = compare(&before, &after);
    assert_eq!(rows(&difference.image), [("version", Some("1.2.3"), Some("1.3.0"))]);
    assert_eq!(rows(&difference.sysctls), [("kernel.panic", Some("10"), Some("20"))]);
    let components =
        [("my_motd", Some("1 (abababababab)"), None), ("runc", Some("v1.5.2 (abababababab)"), Some("v1.5.3"))];
    assert_eq!(rows(&difference.components), components);
    assert_eq!(rows(&difference.parts), [("pkg:golang/golang.org/x/net", Some("v0.35.0"), Some("v0.36.0"))]);
    assert_eq!(rows(&difference.command_line), [("panic=10", Some("1"), None), ("quiet", None, Some("1"))]);
    let files: Vec<_> = difference.files.iter().map(|change| (&*change.file, change.after.is_some())).collect();
    assert_eq!(files, [("root/etc/motd \"<script>\" \u{202e}", false), ("root/usr/bin/runc", true)]);
    let text = text(&difference);
    for line in [
        "sample 1.2.3 → sample 1.3.0\n",
        "\nsysctls\n  ~ kernel.panic 10 → 20\n",
        "\ncommand line\n  - panic=10\n  + quiet\n",
        "  ~ runc v1.5.2 (abababababab) → v1.5.3\n",
        "  ~ root/usr/bin/runc 13 → 20 bytes (+7)\n",
        "  - root/etc/motd \"<script>\" \u{fffd} ",
    ] {
        assert!(text.contains(line), "{line} is not in: {text}");
    }
}

#[test]
fn numbers_that_were_counted_are_compared() {
    use crate::surface::{What, changes, sample};
    let (before, mut after) = (sample::surface(), sample::surface());
    after.numbers.get_mut(&What::Modules).unwrap().is = 163;
    after.numbers.remove(&What::Setuid);
    let files = after.numbers.get_mut(&What::Files).unwrap();
    files.of = [("large".to_owned(), 3)].into();
    let mut difference = compare(&inventory(), &inventory());
    difference.surface = changes(&before, &after);
    assert!(!difference.is_empty());
    let text = text(&difference);
    assert!(text.contains("\nsurface\n  - setuid 0\n  ~ modules 160 → 163 (+3)\n"), "{text}");
    assert!(!text.contains("files 3"), "{text}");
}
