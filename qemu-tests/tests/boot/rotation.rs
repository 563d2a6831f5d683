//! The middle of a rotation of keys: an image signed by the next ones, which still trusts those before them, on a machine
//! whose db has both certificates. It says `trust.secure_boot = "required"`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use orlop::image::open::Image;
use orlop_chain::key::parse_trusted;
use orlop_machine::firmware::{Enrolled, certificate};
use orlop_machine::{Firmware, within};

use crate::bench::{Bench, Built, HEALTHY, boot};

#[test]
fn an_image_signed_by_the_second_key_boots_where_both_are_trusted() -> Result<()> {
    let bench = Bench::new(Built::Rotated)?;
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the workspace")?.join("out");
    let mut keys = Enrolled::of_folder(out.join("keys"))?;
    keys.db.push(certificate(&out.join("next-keys/db.crt"))?);
    // Signed by the second one alone, and the image says that it trusts both.
    let own = certificate(&bench.image.with_extension("db.crt"))?;
    ensure!(own == keys.db[1], "out/rotated is signed by other keys than out/next-keys: `make test-images`");
    let trusted = parse_trusted(&Image::open(&bench.image)?.uki()?.public_key()?)?.len();
    ensure!(trusted == 2, "the image trusts {trusted} release keys");
    let mut machine = bench.firmware(bench.throw_away());
    machine.firmware = Firmware::SecureBoot(keys);
    let booted = boot(&machine)?;
    booted.wait_line("orlop: trust rung=secure-boot+ipe", within(HEALTHY))?;
    booted.healthy_with_pod("hello")?;
    booted.ready()
}
