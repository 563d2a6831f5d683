//! `orlop report` in a browser: it renders, filters, complains of nothing, fetches nothing, and nothing in it runs that others
//! wrote.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use orlop::advisories::Database;
use orlop::image::inspect::{Inspection, PartitionRow};
use orlop::image::signers::{Signer, Signers};
use orlop::inventory::{Component, Ecosystem, File, Gap, ImageFacts, Inventory, Kind, Origin, Part, Place, Source};
use orlop::report::boot::{self, Boot};
use orlop::report::diff::compare;
use orlop::report::html::{Report, render};
use orlop::scan;
use orlop::surface::{Number, Surface, What};
use orlop_config::manifest::{BootManifest, Refusal, Trust, Verity};
use serde_json::{Value, json};

use crate::support::browser::{Browser, address};
use crate::support::{Desk, image, image_certificate, image_key, orlop, run, workspace};

/// A name that would run, were it not text: as an element, out of an attribute, out of a picture.
const HOSTILE: &str = "\"><img src=x onerror=\"document.documentElement.dataset.ran=1\">\
                       <script>document.documentElement.dataset.ran=1</script></title></svg><svg onload=\"\
                       document.documentElement.dataset.ran=1\">";
/// With what turns the direction of writing and ends a line, which names of packages in databases cannot have.
const DECEIVING: &str = "\u{202e}gnp.exe\n</td>";
/// How that is shown.
const SHOWN: &str = "\\u{202e}gnp.exe\\n</td>";

fn hostile_inventory() -> Inventory {
    let path = format!("/etc/{HOSTILE}{DECEIVING}");
    let file = |place, path: &str, size| File {
        place,
        path: path.into(),
        kind: Kind::Data,
        size,
        sha1: "01".repeat(20),
        sha256: "02".repeat(32),
        component: "runc".into(),
    };
    let part = Part {
        ecosystem: Ecosystem::Go,
        name: format!("example.org/{HOSTILE}"),
        version: "v1.0.0".into(),
        source: Source::Registry,
        sum: String::new(),
        files: [format!("root{path}")].into(),
    };
    let component = Component {
        name: HOSTILE.into(),
        version: DECEIVING.into(),
        origin: Origin::Other(HOSTILE.into()),
        sha256: String::new(),
        parts: [part.purl()].into(),
    };
    Inventory {
        image: ImageFacts {
            name: "hostile".into(),
            version: "1.2.3".into(),
            architecture: "x86_64".into(),
            class: DECEIVING.into(),
            root_hash: "12".repeat(32),
            uki_sha256: "34".repeat(32),
            kernel: HOSTILE.into(),
            command_line: HOSTILE.into(),
            sysctls: BTreeMap::new(),
            epoch: 1_795_399_773,
        },
        files: vec![
            file(Place::Esp, "/EFI/BOOT/BOOTX64.EFI", 13_000_000),
            file(Place::Root, &path, 50_000_000),
            file(Place::Root, "/usr/bin/runc", 10_000_000),
        ],
        components: [("runc".to_owned(), component)].into(),
        inputs: BTreeMap::new(),
        parts: [(part.purl(), part)].into(),
        functions: BTreeMap::new(),
        patched: BTreeMap::new(),
        gaps: vec![Gap { file: format!("root{path}"), what: HOSTILE.into() }],
    }
}

fn hostile_inspection(image: &ImageFacts) -> Inspection {
    let signed = || Signer::Is(HOSTILE.into());
    Inspection {
        damage: None,
        unreadable: Vec::new(),
        partitions: vec![PartitionRow {
            number: 1,
            name: HOSTILE.into(),
            kind: "esp".into(),
            guid: String::new(),
            offset: 1 << 20,
            bytes: 256 << 20,
        }],
        uki: Vec::new(),
        boot_manifest: BootManifest {
            version: 1,
            image: image.name.clone(),
            image_version: image.version.clone(),
            architecture: image.architecture.clone(),
            class: image.class.clone(),
            command_line: image.command_line.clone(),
            verity: Verity {
                root_hash: image.root_hash.clone(),
                salt: String::new(),
                uuid: String::new(),
                algorithm: "sha256".into(),
                data_block_size: 4096,
                hash_block_size: 4096,
                data_blocks: 11_597,
                hash_start_block: 1,
            },
            refusal: Refusal::Reboot,
            trust: Trust::default(),
            development: false,
        },
        signers: Signers {
            certificate: None,
            uki: signed(),
            root_hash: signed(),
            policy: signed(),
            boot_manifest: Signer::Nobody(DECEIVING.into()),
            release_keys: Vec::new(),
        },
        signature: None,
        release_manifest: None,
        components: BTreeMap::new(),
        files: Vec::new(),
    }
}

/// Three findings: two of them fail the gates (one is high, one is rated by nobody), two are about a calm name.
fn findings(folder: &Path) -> scan::Report {
    let database = folder.join("database");
    fs::create_dir(&database).unwrap();
    let (hostile, calm) = (format!("example.org/{HOSTILE}"), "example.org/calm");
    let document = |id: &str, severity: &str, name: &str| {
        let text = json!({"id": id, "published": "2026-08-21T00:00:00Z", "summary": HOSTILE,
            "references": [{"type": "WEB", "url": format!("javascript:document.documentElement.dataset.ran=1//{id}")}],
            "database_specific": {"severity": severity},
            "affected": [{"package": {"ecosystem": "Go", "name": name},
                "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.0.0"}]}]}]});
        fs::write(database.join(format!("{id}.json")), text.to_string()).unwrap();
    };
    document("T-1", "HIGH", &hostile);
    document("T-2", "MEDIUM", calm);
    document("T-3", "", calm);
    let package = |name: &str| scan::Package {
        identity: scan::Identity { ecosystem: "Go".into(), name: name.into(), version: Some("v1.0.0".into()) },
        otherwise: None,
        by: scan::By { component: HOSTILE.into(), version: DECEIVING.into() },
        path: format!("/etc/{DECEIVING}"),
        functions: None,
    };
    let inventory = scan::Inventory {
        image: "hostile".into(),
        version: "1.2.3".into(),
        packages: vec![package(&hostile), package(calm)],
        ..scan::Inventory::default()
    };
    let mut report = scan::scan(&inventory, &Database::load(std::slice::from_ref(&database)).unwrap()).unwrap();
    scan::gate(&mut report, &Default::default());
    report
}

/// Writes the page; its address.
fn hostile_page(folder: &Path) -> String {
    let inventory = hostile_inventory();
    let (inspection, scan) = (hostile_inspection(&inventory.image), findings(folder));
    let mut before = inventory.clone();
    before.files.truncate(1);
    before.image.kernel = DECEIVING.into();
    let difference = compare(&before, &inventory);
    let moment = |name: &str, ms| boot::Moment { name: name.into(), ms };
    let boot = Boot {
        trust: Some(HOSTILE.into()),
        phases: vec![moment(HOSTILE, 1204), moment(DECEIVING, 5000)],
        reached: vec![moment("kubelet healthy", 9404)],
        ..Boot::default()
    };
    let mut surface = Surface::new(HOSTILE, HOSTILE, HOSTILE);
    surface.numbers.insert(What::Setuid, Number { is: 1, of: [(HOSTILE.to_owned(), 1)].into() });
    let page = render(&Report {
        inventory: &inventory,
        inspection: &inspection,
        verification: None,
        boot: Some(&boot),
        difference: Some(&difference),
        scan: Some(&scan),
        surface: Some(&surface),
        surface_before: None,
        licences: None,
    });
    let file = folder.join("hostile.html");
    fs::write(&file, page).unwrap();
    address(&file)
}

/// How many findings are to be seen, and how many the page says that there are.
fn visible(browser: &mut Browser) -> (u64, String) {
    let rows = "document.querySelectorAll('tr[data-severity]:not([hidden])').length";
    let shown = browser.evaluate(rows).as_u64().unwrap();
    let said = browser.evaluate("document.getElementById('filter-count').textContent");
    (shown, said.as_str().unwrap().to_owned())
}

/// Sets a field of the filter, as a hand does.
fn set(browser: &mut Browser, field: &str, change: &str) {
    browser.evaluate(&format!(
        "{{ const field = document.getElementById('filter-{field}'); field.{change};
            field.dispatchEvent(new Event('input', {{bubbles: true}})); }}"
    ));
}

/// What every page keeps to: all sections are there and seen, pictures have a size, and one script stands in it.
pub fn renders(browser: &mut Browser, sections: &[&str]) {
    let found = browser.evaluate(
        "[...document.querySelectorAll('main > section')].filter((section) => section.offsetHeight > 40).map((section) => section.id)",
    );
    assert_eq!(found, json!(sections));
    let sizes = browser.evaluate(
        "[...document.querySelectorAll('svg')].map((svg) => svg.getBoundingClientRect())
            .map((box) => box.width > 400 && box.height > 60)",
    );
    assert_eq!(sizes, json!([true, true, true]));
    let elements = "['script', 'style', 'img', 'iframe', 'object', 'form', 'svg', 'title'].map((name) =>
        document.getElementsByTagName(name).length)";
    let [script, style, img, iframe, object, form, svg, _] = counts(&browser.evaluate(elements));
    assert_eq!([script, style, img, iframe, object, form, svg], [1, 1, 0, 0, 0, 1, 3]);
    let handlers = "[...document.querySelectorAll('*')].flatMap((element) => element.getAttributeNames())
        .filter((name) => name.startsWith('on') || name === 'style').length";
    assert_eq!(browser.evaluate(handlers), 0);
}

fn counts<const N: usize>(value: &Value) -> [u64; N] {
    let counts: Vec<u64> = value.as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect();
    counts.try_into().unwrap()
}

/// Nothing but the page itself was asked for.
pub fn fetched_nothing(browser: &Browser, page: &str) {
    let others: Vec<String> = browser
        .requests()
        .into_iter()
        .filter(|address| address != "about:blank" && !address.starts_with("data:") && !address.starts_with(page))
        .collect();
    assert_eq!(others, Vec::<String>::new());
}

pub const SECTIONS: [&str; 8] = ["summary", "chain", "boot", "root", "surface", "changes", "findings", "licences"];

/// A text stands in one of these places.
#[track_caller]
pub fn stands(browser: &mut Browser, places: &str, text: &str) {
    let found = format!(
        "[...document.querySelectorAll({})].filter((place) => place.textContent.includes({})).length > 0",
        json!(places),
        json!(text)
    );
    assert_eq!(browser.evaluate(&found), true, "{places}: {text}");
}

/// Nothing of others ran.
#[track_caller]
pub fn nothing_ran(browser: &mut Browser) {
    assert_eq!(browser.evaluate("document.documentElement.dataset.ran ?? 'nothing'"), "nothing");
}

#[test]
fn hostile_names_are_text_and_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let page = hostile_page(folder.path());
    let mut browser = Browser::start();
    browser.open(&page);
    renders(&mut browser, &SECTIONS);
    // In tables, as they are; what would deceive is spelt out.
    for (cell, text) in [
        ("#root th", HOSTILE.to_owned()),
        ("#root td", SHOWN.to_owned()),
        ("#summary dd", HOSTILE.to_owned()),
        ("#chain td", SHOWN.to_owned()),
        ("#changes th", format!("{HOSTILE}{SHOWN}")),
        ("#findings td", format!("example.org/{HOSTILE}")),
        ("#findings code", format!("/etc/{SHOWN}")),
        ("#licences th", format!("example.org/{HOSTILE}")),
        ("#boot th", HOSTILE.to_owned()),
    ] {
        stands(&mut browser, cell, &text);
    }
    assert_eq!(browser.evaluate("document.body.textContent.includes('\\u202e')"), false);
    // An address that is a program is no link.
    assert_eq!(browser.evaluate("document.querySelectorAll('a:not([href^=\"#\"])').length"), 0);
    nothing_ran(&mut browser);
    assert_eq!(browser.complaints(), Vec::<String>::new());
    fetched_nothing(&browser, &page);

    // The test would see it: the console is heard, and the page's policy holds even for who gets an element into it.
    browser.evaluate("console.error('heard')");
    browser.complains("heard");
    browser.evaluate(
        "{ const script = document.createElement('script'); script.textContent = 'document.documentElement.dataset.ran = 1';
           document.body.append(script); }",
    );
    browser.complains("Content Security Policy");
    nothing_ran(&mut browser);
}

#[test]
fn findings_are_filtered_by_hand_by_keyboard_and_by_address() {
    let folder = tempfile::tempdir().unwrap();
    let page = hostile_page(folder.path());
    let mut browser = Browser::start();
    browser.open(&page);
    let hash = |browser: &mut Browser| browser.evaluate("location.hash").as_str().unwrap().to_owned();
    let of = |count: u64| (count, format!("{count} of 3 findings"));
    assert_eq!(visible(&mut browser), of(3));
    set(&mut browser, "severity", "value = 'high'");
    assert_eq!((visible(&mut browser), hash(&mut browser)), (of(1), "#severity=high".into()));
    set(&mut browser, "severity", "value = ''");
    set(&mut browser, "fails", "checked = true");
    assert_eq!((visible(&mut browser), hash(&mut browser)), (of(2), "#fails=yes".into()));
    browser.evaluate("document.getElementById('filter-q').focus()");
    browser.write("CALM t-3");
    assert_eq!((visible(&mut browser), hash(&mut browser)), (of(1), "#q=CALM+t-3&fails=yes".into()));
    browser.evaluate("document.getElementById('filter-clear').click()");
    assert_eq!((visible(&mut browser), hash(&mut browser)), (of(3), "#findings".into()));

    // What was linked is what is seen; a word that no field knows hides nothing, a plain anchor changes nothing.
    browser.open(&format!("{page}#severity=medium&state=affected&q=calm"));
    assert_eq!(visible(&mut browser), of(1));
    assert_eq!(browser.evaluate("document.getElementById('filter-severity').value"), "medium");
    for (address, count) in [("severity=high&q=calm", 0), ("licences", 0), ("severity=%3Cb%3E", 3), ("q=t-1", 1)] {
        browser.evaluate(&format!(
            "new Promise((done) => {{ addEventListener('hashchange', done, {{once: true}}); location.hash = '{address}'; }}).then(() => 1)"
        ));
        assert_eq!(visible(&mut browser), of(count), "{address}");
    }
    assert_eq!(browser.complaints(), Vec::<String>::new());
    fetched_nothing(&browser, &page);
}

#[test]
fn it_works_by_keyboard_for_screen_readers_in_the_dark_and_on_paper() {
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Browser::start();
    browser.open(&hostile_page(folder.path()));
    browser.press("Tab", 9);
    let focus = "(({activeElement: now}) => [now.className, getComputedStyle(now).outlineStyle, now.getBoundingClientRect().top >= 0])(document)";
    assert_eq!(browser.evaluate(focus), json!(["skip", "solid", true]));
    browser.press("Tab", 9);
    assert_eq!(browser.evaluate("document.activeElement.getAttribute('href')"), "#summary");

    let tree = browser.ask("Accessibility.getFullAXTree", json!({}));
    let nodes: Vec<(&str, &str)> = tree["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (node["role"]["value"].as_str().unwrap_or(""), node["name"]["value"].as_str().unwrap_or("")))
        .collect();
    let named = ["searchbox", "combobox", "checkbox", "button", "image", "img", "table", "link", "navigation"];
    for (role, name) in &nodes {
        assert!(!named.contains(role) || !name.trim().is_empty(), "{role} without a name");
    }
    for role in ["searchbox", "checkbox", "button", "table", "navigation", "main", "search"] {
        assert!(nodes.iter().any(|(found, _)| *found == role), "no {role}: {nodes:?}");
    }
    for picture in ["Chain of trust", "Time line of the boot", "Sizes in the root"] {
        let is_it = |(role, name): &(&str, &str)| role.starts_with("im") && name.starts_with(picture);
        assert!(nodes.iter().any(is_it), "{picture}: {nodes:?}");
    }

    let ground = "getComputedStyle(document.documentElement).backgroundColor";
    let mut in_scheme = |scheme: &str| {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        browser.ask("Emulation.setEmulatedMedia", features);
        browser.evaluate(ground)
    };
    assert_eq!([in_scheme("light"), in_scheme("dark")], ["rgb(255, 255, 255)", "rgb(18, 23, 31)"]);
    browser.ask("Emulation.setEmulatedMedia", json!({"media": "print"}));
    let printed = "['nav', 'form', '.skip', 'table', 'svg'].map((name) => getComputedStyle(document.querySelector(name)).display)";
    assert_eq!(browser.evaluate(printed), json!(["none", "none", "none", "table", "block"]));
    let folded = "document.querySelector('details td').getBoundingClientRect().height > 0";
    assert_eq!(browser.evaluate(folded), true, "what is folded is not printed");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

/// A boot of an image, as its machine would tell it.
pub fn told(image: &Path) -> Value {
    let inspection = run(orlop().args(["inspect", "--json"]).arg(image)).json();
    let boot = &inspection["boot_manifest"];
    json!({"name": boot["image"], "version": boot["image_version"], "accelerator": "TCG", "trust": "root-hash",
        "phases": [{"name": "root", "ms": 1204}, {"name": "kubelet", "ms": 9000}], "healthy_ms": 9404, "pods": {},
        "root_hash": boot["verity"]["root_hash"], "processes": [],
        "listeners": [{"protocol": "tcp", "address": "127.0.0.1", "port": 10248, "comm": "kubelet"}]})
}

/// As somebody would ask for it, of the image as it was built.
#[test]
fn the_image_as_it_was_built_has_a_page() {
    let desk = Desk::new();
    let about = |id: &str, symbol: &str| {
        let document = json!({"id": id, "published": "2025-01-01T00:00:00Z", "affected": [{
            "package": {"ecosystem": "Go", "name": "stdlib"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "999.0.0"}]}],
            "ecosystem_specific": {"imports": [{"path": "net/http", "symbols": [symbol]}]}}]});
        desk.file(&format!("database/{id}.json"), document.to_string());
    };
    about("T-1", "Client.Do");
    about("T-2", "NobodyEverWroteThis");
    let probe = std::env::var_os("ORLOP_TEST_PROBE_IMAGE").map(PathBuf::from);
    let probe = probe.unwrap_or_else(|| workspace().join("out/probe/standalone.raw"));
    let file = desk.path("report.html");
    let mut report = orlop();
    report.arg("report").arg(image()).arg("--out").arg(&file);
    report.arg("--boot").arg(desk.file("boot.json", told(&image()).to_string())).arg("--previous").arg(&probe);
    report.arg("--licences").arg(image().with_extension("licences.json"));
    report.arg("--db").arg(desk.path("database")).args(["--max-age", "36500"]);
    report.arg("--key").arg(image_key()).arg("--cert").arg(image_certificate());
    // It is written though the gates fail: that is what somebody wants to look at.
    let outcome = run(&mut report);
    assert_eq!(
        (outcome.status, outcome.stdout.trim_end()),
        (Some(4), &*file.display().to_string()),
        "{}",
        outcome.stderr
    );
    nothing_of_this_machine(&file, &desk);

    let mut browser = Browser::start();
    let page = address(&file);
    browser.open(&page);
    renders(&mut browser, &SECTIONS);
    let contains = |browser: &mut Browser, place: &str, text: &str| {
        let expression = format!("document.querySelector({}).textContent.includes({})", json!(place), json!(text));
        assert_eq!(browser.evaluate(&expression), true, "{place}: {text}");
    };
    for (place, text) in [
        ("#summary", "Verified by the keys that were named"),
        ("#summary", "kubelet is healthy after 9.40 s"),
        ("#chain svg", "signed by Orlop development db"),
        ("#chain table", "ed25519, release key"),
        ("#root table", "kubelet"),
        ("#surface table", "init_lines"),
        ("#surface", "kubelet tcp 127.0.0.1:10248"),
        ("#changes", "root/etc/kubernetes/manifests/probe.yaml"),
        ("#licences table", "GPL-2.0-only WITH Linux-syscall-note"),
        ("#licences table", "BSD-3-Clause"),
        ("#licences details", "Texts beside its code"),
    ] {
        contains(&mut browser, place, text);
    }
    beside_the_image_before(&mut browser, &probe);
    let [boxes, nobody] = counts(
        &browser.evaluate("['#root rect', '#chain rect.nobody'].map((name) => document.querySelectorAll(name).length)"),
    );
    assert!(boxes > 50 && nobody == 0, "{boxes} boxes, {nobody} parts that nobody vouches for");
    assert_eq!(visible(&mut browser), (2, "2 of 2 findings".into()));
    set(&mut browser, "state", "value = 'linked'");
    assert_eq!(visible(&mut browser), (1, "1 of 2 findings".into()));
    assert_eq!(browser.complaints(), Vec::<String>::new());
    fetched_nothing(&browser, &page);
}

/// The numbers of the surface, as `orlop surface` says them of both images, and what a boot showed.
fn beside_the_image_before(browser: &mut Browser, previous: &Path) {
    let rows = "[...document.querySelector('#surface table').querySelectorAll('tr')]
        .map((row) => [...row.children].map((cell) => cell.textContent))";
    let rows: Vec<Vec<String>> = serde_json::from_value(browser.evaluate(rows)).unwrap();
    assert_eq!(rows[0], ["Number", "Is", "Was", "By"]);
    let both = run(orlop().args(["surface", "--json", "--previous"]).arg(previous).arg(image())).json();
    let row = |name: &str, is: i64, was: i64| {
        let by = if is == was { String::new() } else { format!("{:+}", is - was) };
        vec![name.to_owned(), is.to_string(), was.to_string(), by]
    };
    let number = |surface: &Value, name: &str| surface["numbers"][name]["is"].as_i64().unwrap();
    let numbers: Vec<&String> = both["numbers"].as_object().unwrap().keys().collect();
    assert!(numbers.len() >= 10, "{numbers:?}");
    for name in numbers {
        let expected = row(name, number(&both, name), number(&both["previous"], name));
        assert!(rows.contains(&expected), "{expected:?} is not in {rows:?}");
    }
    // The probe image has one pod more, which are two files; it was not booted here.
    assert!(rows.iter().any(|row| row[0] == "files" && row[3] == "-2"), "{rows:?}");
    assert!(rows.contains(&["listeners", "1", "–", ""].map(str::to_owned).to_vec()), "{rows:?}");
}

/// Neither where the image lies nor where the page does.
fn nothing_of_this_machine(page: &Path, desk: &Desk) {
    let text = fs::read_to_string(page).unwrap();
    for place in [desk.path(""), workspace()] {
        let place = place.display().to_string();
        assert!(!text.contains(place.trim_end_matches('/')), "{place}");
    }
}
