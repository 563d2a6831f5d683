//! What differs between the scans of two images.

use super::*;

#[test]
fn what_came_what_went_and_what_is_worse_are_told_apart() {
    let database = database();
    let [linked, not_linked] = <[Package; 2]>::try_from(yaml()).unwrap();
    let before = report(vec![linked, package("crates.io", "tar", "0.4.44", "/usr/bin/d")], &database);
    let stdlib = with(package("Go", "stdlib", "1.22.1", "/usr/bin/e"), &["net/http.(*Client).Do", "main.main"]);
    let mut after = report(vec![not_linked, stdlib], &database);
    after.unjudged.push(Unjudged { what: "/usr/bin/f".into(), component: "f".into(), reason: "no ELF file".into() });
    let changes = changes(&before, &after);
    let all = |list: &[Found], name: &str| !list.is_empty() && list.iter().all(|found| found.package.name == name);
    assert!(all(&changes.new, "stdlib") && all(&changes.gone, "tar"), "{changes:?}");
    let [change] = &changes.changed[..] else { panic!("{:?}", changes.changed) };
    assert_eq!((&*change.id, &*change.name), ("GO-2022-0956", "gopkg.in/yaml.v2"));
    assert_eq!((change.before.outcome, change.after.outcome), (Outcome::Linked, Outcome::NotLinked));
    assert_eq!((changes.unchanged, changes.unjudged_new.len(), changes.unjudged_gone.len()), (0, 1, 0));
    let text = changes_text(&changes);
    for part in [
        "\nfindings\n",
        "  + GO-",
        "  - RUSTSEC-",
        "  ~ GO-2022-0956 in gopkg.in/yaml.v2: v2.2.3 (linked, ",
        " → v2.2.3 (not-linked, ",
        "  + cannot be judged: /usr/bin/f: no ELF file\n",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn one_image_has_no_changes() {
    let report = report(yaml(), &database());
    let changes = changes(&report, &report);
    assert_eq!((changes.new.len(), changes.gone.len(), changes.changed.len()), (0, 0, 0));
    assert_eq!(changes.unchanged, report.findings.len());
    assert!(changes_text(&changes).ends_with("  0 new, 0 gone, 0 changed, 1 as before\n"));
}

/// Another version has a document more about the same flaw, and another name of it.
#[test]
fn a_flaw_is_the_same_under_any_of_its_names() {
    let document = |id: &str, aliases: &[&str], from: &str| {
        json!({"id": id, "aliases": aliases, "published": "2025-01-01T00:00:00Z", "affected": [{
            "package": {"ecosystem": "Go", "name": "example.org/a"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": from}, {"fixed": "2.0.0"}]}]}]})
    };
    let database = made_up(&[document("T-1", &[], "0"), document("T-2", &["T-1"], "1.5.0")]);
    let of = |version: &str| report(vec![package("Go", "example.org/a", version, "/usr/bin/a")], &database);
    let changes = changes(&of("v1.0.0"), &of("v1.6.0"));
    assert_eq!((changes.new.len(), changes.gone.len()), (0, 0), "{changes:?}");
    let [change] = &changes.changed[..] else { panic!("{:?}", changes.changed) };
    assert_eq!(
        (change.before.versions.first().unwrap(), change.after.versions.first().unwrap()),
        (&"v1.0.0".into(), &"v1.6.0".into())
    );
}
