//! Debian's own advisories against the versions that packages have had in Debian 13.

use super::*;

fn debian() -> Database {
    Database::load(&[Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/debian_advisories")]).unwrap()
}

/// The advisories that concern a source package in a version.
fn found(name: &str, version: &str) -> Vec<String> {
    let report = report(vec![package("Debian:13", name, version, "/x")], &debian());
    report.findings.into_iter().map(|found| found.id).collect()
}

#[test]
fn a_kernel_is_judged_by_its_version_below_at_and_above_the_fixed_one() {
    let (flaw, update) = ("DEBIAN-CVE-2026-43494", "DSA-6355-1");
    for (version, wanted) in [
        ("6.12.48-1", vec![flaw, update]),
        ("6.12.90-1", vec![flaw, update]),
        // Mended by a patch, before upstream did.
        ("6.12.90-2", vec![update]),
        ("6.12.94-1~bpo12+1", vec![update]),
        ("6.12.94-1", vec![]),
        ("6.12.94-1+b1", vec![]),
        // As the image has it, and newer: numbers count by their value.
        ("6.12.117-1", vec![]),
    ] {
        assert_eq!(found("linux", version), wanted, "{version}");
    }
}

#[test]
fn a_tilde_is_before_everything_and_an_epoch_is_before_the_number() {
    for (name, version, affected) in [
        ("systemd", "257.9-1~deb13u1", true),
        ("systemd", "257.13-1~", true),
        ("systemd", "257.13-1~deb13u1", false),
        ("systemd", "257.13-1", false),
        ("zlib", "1:1.3.dfsg+really1.3.1-1", true),
        ("zlib", "1:1.3.dfsg+really1.3.1-1+deb13u1", false),
        // Without one, the epoch is 0.
        ("zlib", "9.9-1", true),
        ("zlib", "2:0.1-1", false),
    ] {
        assert_eq!(!found(name, version).is_empty(), affected, "{name} {version}");
    }
}

/// zlib is a library of a tool that built the image, nginx is nowhere.
#[test]
fn what_is_not_in_the_image_is_no_finding_and_what_is_says_which_version_ends_it() {
    let packages = vec![
        package("Debian:13", "linux", "6.12.90-2", "/usr/lib/modules/kernel"),
        package("Debian:13", "systemd", "257.13-1~deb13u1", "/boot/stub"),
        package("Debian:13", "ca-certificates", "20250419+deb13u1", "/etc/ssl/certs/ca-certificates"),
    ];
    let report = report(packages, &debian());
    let [found] = &report.findings[..] else { panic!("{:?}", report.findings) };
    assert_eq!((&*found.id, &found.fixed[..]), ("DSA-6355-1", &["6.12.94-1".to_owned()][..]));
    let next = &found.places[0].next;
    assert!(next.contains("`orlop lock DEFINITION --update kernel`") && next.contains("linux 6.12.94-1"), "{next}");
    assert!(report.unjudged.is_empty(), "{:?}", report.unjudged);
}

#[test]
fn another_release_of_debian_is_not_judged_by_these() {
    let bookworm = package("Debian:12", "linux", "6.1.170-1", "/x");
    let error = scan(&inventory(vec![bookworm]), &debian()).unwrap_err();
    assert!(error.to_string().contains("it has packages of Debian:12"), "{error}");
}
