//! The page as text: what stands in it, and what cannot. In a browser, `tests/image/report.rs` looks at it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use orlop_chain::{Refusal, Stage};
use sha2::{Digest, Sha256};

use super::sample::{inspection, scanned};
use super::{Report, SCRIPT, SECTIONS, STYLE, Verification, render};
use crate::image::licences::Licences;
use crate::inventory::sample::inventory;
use crate::inventory::{Ecosystem, Inventory, Kind, Part};
use crate::report::boot;
use crate::report::diff::compare;
use crate::scan;
use crate::sources::{Licensed, Owner};
use crate::surface::{Number, What, sample};

const HOSTILE: &str = "\"><img src=x onerror=alert(1)><script>alert(2)</script>\u{202e}\n'&amp;</td></svg>";
const SHOWN: &str = "&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&lt;script&gt;alert(2)&lt;/script&gt;\\u{202e}\\n&#39;&amp;amp;\
                     &lt;/td&gt;&lt;/svg&gt;";

/// A text beside each module and crate, called as that is.
fn licences(image: &Inventory) -> Licences {
    let licensed = |part: &Part| Licensed {
        owner: if part.ecosystem == Ecosystem::Go { Owner::Go } else { Owner::Cargo },
        name: part.name.clone(),
        version: part.version.clone(),
        components: Default::default(),
        declared: None,
        texts: [(part.name.clone(), "text".to_owned())].into(),
    };
    let facts = &image.image;
    Licences::new(&facts.name, &facts.version, &facts.root_hash, image.parts.values().map(licensed).collect())
}

/// A page of an image, with all that can be said of it.
fn page(image: &Inventory, scan: &scan::Report) -> String {
    let mut before = image.clone();
    before.files.remove(0);
    before.image.command_line = "quiet --".into();
    let boot = boot::Boot {
        phases: vec![boot::Moment { name: image.files[0].path.clone(), ms: 1204 }],
        reached: vec![boot::Moment { name: "kubelet healthy".into(), ms: 9404 }],
        ..boot::Boot::default()
    };
    let (inspection, difference, licences) = (inspection(), compare(&before, image), licences(image));
    let (mut surface, surface_before) = (sample::surface(), sample::surface());
    let part = [(image.files[0].path.clone(), 1)].into();
    surface.numbers.insert(What::Interpreters, Number { is: 1, of: part });
    let report = Report {
        inventory: image,
        inspection: &inspection,
        verification: None,
        boot: Some(&boot),
        difference: Some(&difference),
        scan: Some(scan),
        surface: Some(&surface),
        surface_before: Some(&surface_before),
        licences: Some(&licences),
    };
    let page = render(&report);
    assert_eq!(page, render(&report));
    page
}

fn plain(image: &Inventory) -> Report<'_> {
    let inspection = Box::leak(Box::new(inspection()));
    Report {
        inventory: image,
        inspection,
        verification: None,
        boot: None,
        difference: None,
        scan: None,
        surface: None,
        surface_before: None,
        licences: None,
    }
}

/// What stands between these for the first time.
fn between<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = page.split_once(from).unwrap_or_else(|| panic!("no {from}"));
    rest.split_once(to).unwrap_or_else(|| panic!("no {to} after {from}")).0
}

/// Every element ends where it has to.
fn is_well_formed(page: &str) {
    let mut open = Vec::new();
    for piece in page.split('<').skip(1) {
        let tag = piece.split_once('>').unwrap_or_else(|| panic!("no end of <{piece}")).0;
        let name = tag.split([' ', '/']).next().unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "<{tag}>");
        } else if !tag.ends_with('/') && !["!DOCTYPE", "link"].contains(&name) {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn what_was_given_has_a_section_and_nothing_else_has() {
    let image = inventory();
    let page = page(&image, &scanned("example.org/x", "/usr/bin/runc"));
    is_well_formed(&page);
    for section in &SECTIONS {
        assert!(page.contains(&format!("<section id=\"{}\" ", section.id)), "{}", section.id);
        assert!(page.contains(&format!("<a href=\"#{0}\">{1}</a>", section.id, section.title)), "{}", section.id);
    }
    for part in [
        "<title>sample 1.2.3 – Orlop report</title>",
        "The gates fail on 2: 2 findings, 1 that cannot be judged.",
        "It boots: kubelet is healthy after 9.40 s.",
        "signed by Team db",
        "<option value=\"critical\">critical (1)</option>",
        "<tr data-severity=\"high\" data-state=\"affected\" data-fails=\"yes\">",
        "href=\"https://example.org/T-1?a&amp;b\">T-1</a>",
        "a &lt;b&gt;summary&lt;/b&gt;",
        "Since sample 1.2.3: 7 → 8 files",
        "LGPL-2.1-only",
    ] {
        assert!(page.contains(part), "{part} is not in: {page}");
    }
    // Who has no mouse scrolls a picture by keys.
    let pictures = page.matches("<div class=\"picture\" tabindex=\"0\" role=\"group\" aria-label=\"").count();
    assert_eq!((pictures, page.matches("<div class=\"picture\"").count()), (3, 3));
    // What is no address of the web is no link.
    assert!(!page.contains("javascript:"));
    assert!(
        page.contains("<th scope=\"col\">Texts beside its code</th>") && page.contains("<td>golang.org/x/net</td>")
    );
    let page = render(&plain(&image));
    is_well_formed(&page);
    assert!(!page.contains("Texts beside its code"));
    for (id, there) in [("summary", true), ("root", true), ("boot", false), ("changes", false), ("findings", false)] {
        assert_eq!(page.contains(&format!("id=\"{id}\"")), there, "{id}");
        assert_eq!(page.contains(&format!("href=\"#{id}\"")), there, "{id}");
    }
    assert!(page.contains("Not looked through for known flaws"));
}

#[test]
fn numbers_stand_beside_those_of_the_image_before() {
    let image = inventory();
    let (mut now, before) = (sample::surface(), sample::surface());
    let files = now.numbers.get_mut(&What::Files).unwrap();
    (files.is, files.of) = (5, [("large".to_owned(), 1), ("small".to_owned(), 4)].into());
    now.numbers.get_mut(&What::RootBytes).unwrap().is = 100;
    now.numbers.remove(&What::Modules);
    now.numbers.insert(What::Listeners, Number { is: 2, ..Number::default() });
    let columns = |columns: &[&str]| -> String {
        columns.iter().map(|column| format!("<th scope=\"col\">{column}</th>")).collect()
    };
    let row = |name: &str, cells: &[&str]| {
        let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
        format!("<tr><th scope=\"row\">{name}</th>{cells}</tr>")
    };
    let alone = render(&Report { surface: Some(&now), ..plain(&image) });
    let page = render(&Report { surface: Some(&now), surface_before: Some(&before), ..plain(&image) });
    is_well_formed(&page);
    assert!(page.contains(&columns(&["Number", "Is", "Was", "By"])), "{page}");
    for (name, cells) in [
        ("root_bytes", ["100", "109", "-9"]),
        ("files", ["5", "3", "+2"]),
        ("executables", ["1", "1", ""]),
        ("setuid", ["0", "0", ""]),
        // What nobody counted grew by nothing that anybody knows.
        ("modules", ["–", "160", ""]),
        ("listeners", ["2", "–", ""]),
        // What the number is made of.
        ("small", ["4", "2", "+2"]),
    ] {
        assert!(page.contains(&row(name, &cells)), "{name} is not {cells:?}: {page}");
        assert!(!alone.contains(&row(name, &cells)), "{name}");
    }
    assert!(page.contains("<summary>What changed of files (files of each component)</summary>"), "{page}");
    assert!(!page.contains("<th scope=\"row\">large</th>"), "what is equal did not change");
    assert!(alone.contains(&columns(&["Number", "Is"])) && alone.contains(&row("files", &["5"])), "{alone}");
    assert!(!alone.contains("Was") && !alone.contains("What changed of"), "{alone}");
}

/// A build of yesterday has the same name and version.
#[test]
fn a_boot_report_without_a_root_hash_does_not_say_which_build_it_is_of() {
    let image = inventory();
    for (root_hash, says) in [(None, "not said which build"), (Some("12".to_owned()), "this one, by its root hash")] {
        let boot = boot::Boot { root_hash, ..boot::Boot::default() };
        let page = render(&Report { boot: Some(&boot), ..plain(&image) });
        assert!(page.contains(&format!("<dd>{says}</dd>")), "{page}");
    }
}

#[test]
fn names_of_others_are_text_wherever_they_stand() {
    let mut image = inventory();
    let (gap, facts) = (&mut image.gaps[0], &mut image.image);
    (gap.what, facts.class, facts.kernel) = (HOSTILE.into(), HOSTILE.into(), HOSTILE.into());
    facts.name = HOSTILE.into();
    for file in &mut image.files {
        file.path = format!("/{HOSTILE}{}", file.path);
        if let Kind::Link(target) = &mut file.kind {
            *target = HOSTILE.into();
        }
    }
    for component in image.components.values_mut() {
        (component.name, component.version) = (HOSTILE.into(), HOSTILE.into());
    }
    image.parts.values_mut().for_each(|part| part.name = HOSTILE.into());
    // Databases have no such characters in names, so what has them is judged by none.
    let visible = HOSTILE.replace(['\u{202e}', '\n'], "");
    let page = page(&image, &scanned(&visible, &format!("/usr/bin/{HOSTILE}")));
    is_well_formed(&page);
    assert!(page.matches(SHOWN).count() > 20, "{}", page.matches(SHOWN).count());
    assert!(!page.contains('\u{202e}') && !page.contains("<img"));
    assert_eq!((page.matches("<script").count(), page.matches("</script>").count()), (1, 1));
    // Between quotes of an attribute, or in text, nothing begins an attribute.
    assert!(!page.contains("\" onerror") && !page.contains("\"><img"));
}

#[test]
fn nothing_runs_but_what_stands_in_the_policy() {
    let image = inventory();
    let page = render(&plain(&image));
    let policy = between(&page, "http-equiv=\"Content-Security-Policy\" content=\"", "\"").replace("&#39;", "'");
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)));
    let style = hash(between(&page, "<style>", "</style>"));
    let script = hash(between(&page, "<script>", "</script>"));
    let expected = format!(
        "default-src 'none'; style-src {style}; script-src {script}; img-src data:; base-uri 'none'; form-action 'none'"
    );
    assert_eq!(policy, expected);
    assert!(page.find("Content-Security-Policy").unwrap() < page.find("<style>").unwrap());
}

/// In a script or style, `<` could end it or begin a comment that swallows the page; CR would be read as LF, and the policy's
/// hash would not fit.
#[test]
fn assets_fetch_nothing_and_end_where_they_should() {
    for asset in [STYLE, SCRIPT] {
        for never in ["<", "\r", "\0", "http:", "https:", "url(", "@import", "innerHTML", "eval(", "import("] {
            assert!(!asset.contains(never), "{never:?}");
        }
    }
    assert!(SCRIPT.starts_with("\"use strict\";\n"));
}

#[test]
fn a_signature_that_does_not_hold_is_said_first() {
    let image = inventory();
    let mut report = plain(&image);
    assert!(render(&report).contains("whose they are was not checked"));
    let mut broken = inspection();
    broken.signers.policy = crate::image::signers::Signer::Nobody("not signed".into());
    report.inspection = &broken;
    let page = render(&report);
    assert!(page.contains("No signature holds for: IPE policy."), "{page}");
    assert!(page.contains("8 parts; nobody vouches for IPE policy."), "{page}");
    let refused = Refusal::new(Stage::UkiSignature, "signed by <somebody>");
    report.verification = Some(Box::leak(Box::new(Verification { passed: Vec::new(), refused: Some(refused) })));
    let page = render(&report);
    assert!(page.contains("Refused at the stage uki-signature: signed by &lt;somebody&gt;"), "{page}");
}
