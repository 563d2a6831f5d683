use sha2::{Digest, Sha256};

use super::*;
use crate::Guid;
use crate::signature_list::X509;
use crate::signature_list::tests::list;

const OURS: &[u8] = b"DER of our certificate";
const NEXT: &[u8] = b"DER of the next one";
const FOREIGN: &[u8] = b"DER of a vendor's";

fn certificate(der: &[u8], key_id: &str) -> Certificate {
    Certificate { sha256: hex::encode(Sha256::digest(der)), key_id: key_id.into(), subject: "db".into() }
}

fn trust(secure_boot: SecureBoot) -> Trust {
    Trust { secure_boot, certificates: vec![certificate(OURS, "00aa11bb"), certificate(NEXT, "22cc33dd")] }
}

fn variable(value: &[u8]) -> Result<Vec<u8>, String> {
    Ok([&[6, 0, 0, 0], value].concat())
}

/// A machine as it should be, before the next certificate is in its firmware.
fn good() -> Facts {
    Facts {
        secure_boot: variable(&[1]),
        db: variable(&list(X509, &[OURS])),
        mok_list: None,
        platform: Ok(vec!["orlop: db: 00aa11bb".into()]),
        lockdown: Ok("none [integrity] confidentiality\n".into()),
        require_signatures: Ok("Y\n".into()),
        appended: None,
    }
}

/// What `required` refuses of these facts, and what `when-present` makes of them.
fn judged(facts: &Facts) -> (Result<Verdict, Refusal>, Verdict) {
    let present = judge(facts, &trust(SecureBoot::WhenPresent)).expect("when-present refuses nothing");
    (judge(facts, &trust(SecureBoot::Required)), present)
}

/// One fact is altered: `required` refuses it at this stage by this name, `when-present` reports it from this rung.
fn altered(alter: impl FnOnce(&mut Facts), rung: Rung, name: &str) {
    let mut facts = good();
    alter(&mut facts);
    let (required, present) = judged(&facts);
    let refusal = required.expect_err(name);
    assert_eq!(refusal.stage, Stage::SecureBoot, "{refusal}");
    assert!(refusal.reason.contains(name), "{refusal}");
    assert_eq!(present.rung, rung, "{name}");
    assert!(present.notes.iter().any(|note| note.contains(name)), "{name} in {:?}", present.notes);
}

#[test]
fn a_machine_as_it_should_be_reaches_secure_boot() {
    let verdict = Verdict { rung: Rung::SecureBoot, notes: Vec::new() };
    assert_eq!(judged(&good()), (Ok(verdict.clone()), verdict.clone()));
    let mut both = good();
    both.db = variable(&[list(X509, &[NEXT]), list(X509, &[OURS])].concat());
    both.platform = Ok(vec!["orlop: db: 22cc33dd".into(), "orlop: db: 00aa11bb".into()]);
    both.lockdown = Ok("none integrity [confidentiality]".into());
    assert_eq!(judged(&both), (Ok(verdict.clone()), verdict));
}

#[test]
fn what_is_missing_keeps_the_lowest_rung() {
    let rung = Rung::RootHash;
    let none = || Err("no such file".to_owned());
    altered(|facts| facts.secure_boot = none(), rung, "no variable SecureBoot: no such file");
    altered(|facts| facts.secure_boot = variable(&[0]), rung, "Secure Boot is off");
    altered(|facts| facts.secure_boot = variable(&[1, 0]), rung, "SecureBoot is `060000000100`");
    altered(|facts| facts.secure_boot = variable(&[2]), rung, "SecureBoot is `0600000002`");
    altered(|facts| facts.secure_boot = Ok(Vec::new()), rung, "SecureBoot is ``");
    altered(|facts| facts.secure_boot = Ok(vec![7, 0, 0, 0, 1]), rung, "SecureBoot is `0700000001`");
    altered(|facts| facts.lockdown = Ok("[none] integrity confidentiality".into()), rung, "lockdown is `[none]");
    altered(|facts| facts.lockdown = Err("no such file".into()), rung, "lockdown cannot be read");
    altered(|facts| facts.require_signatures = Ok("N\n".into()), rung, "require_signatures is `N`");
    altered(|facts| facts.require_signatures = Err("gone".into()), rung, "require_signatures cannot be read: gone");
    altered(|facts| facts.platform = Ok(Vec::new()), rung, ".platform lacks `db` 00aa11bb");
    altered(|facts| facts.platform = Ok(vec!["db: 22cc33dd".into()]), rung, ".platform lacks `db` 00aa11bb");
    altered(|facts| facts.platform = Err("no keyring".into()), rung, ".platform cannot be read: no keyring");
}

#[test]
fn whom_else_the_machine_trusts_is_named() {
    let rung = Rung::SecureBoot;
    let sha256 = hex::encode(Sha256::digest(FOREIGN));
    let db = variable(&[list(X509, &[OURS]), list(X509, &[FOREIGN])].concat());
    altered(|facts| facts.db = db, rung, &format!("db holds the certificate {sha256}"));
    let key = list(Guid::from_u128(0x3c5766e8_269c_4e34_aa14_ed776e85b3b6), &[&[1; 256]]);
    altered(|facts| facts.db = variable(&key), rung, "type 3c5766e8-269c-4e34-aa14-ed776e85b3b6");
    altered(|facts| facts.db = variable(&[1, 2, 3]), rung, "db cannot be read: the list at byte 0 is cut off");
    altered(|facts| facts.db = Ok(vec![6, 0]), rung, "db cannot be read: cut off");
    altered(|facts| facts.db = Err("no such file".into()), rung, "db cannot be read: no such file");
    altered(|facts| facts.mok_list = Some("MokListRT".into()), rung, "machine owner keys at MokListRT");
    let vendor = ["db: 00aa11bb".to_owned(), "Vendor CA: 4455".to_owned()];
    altered(|facts| facts.platform = Ok(vendor.to_vec()), rung, "holds `Vendor CA: 4455`");
    // A subject that ends like ours, and a key id that is forged.
    let twins = ["db: 00aa11bb".to_owned(), "forged: 00aa11bb".to_owned()];
    altered(|facts| facts.platform = Ok(twins.to_vec()), rung, "holds `forged: 00aa11bb`");
    let subject = ["db: 00aa11bb".to_owned(), "00aa11bb: 4455".to_owned()];
    altered(|facts| facts.platform = Ok(subject.to_vec()), rung, "holds `00aa11bb: 4455`");
}

#[test]
fn digests_in_db_are_noted_and_refused_by_nobody() {
    let sha256 = Guid::from_u128(0xc1c41626_504c_4092_aca9_41f936934328);
    let mut facts = good();
    facts.db = variable(&[list(X509, &[OURS]), list(sha256, &[&[1; 32]])].concat());
    let verdict = Verdict { rung: Rung::SecureBoot, notes: vec!["db lets programs start by sha256 alone".to_owned()] };
    assert_eq!(judged(&facts), (Ok(verdict.clone()), verdict));
}

#[test]
fn all_that_is_wrong_is_named_at_once() {
    let facts = Facts { lockdown: Err("gone".into()), mok_list: Some("MokListRT".into()), ..good() };
    let (required, present) = judged(&facts);
    let reason = required.expect_err("refused").reason;
    assert_eq!(reason, "secure_boot = required: lockdown cannot be read: gone; machine owner keys at MokListRT");
    assert_eq!(present.notes.len(), 2);
}

#[test]
fn appended_text_is_refused_where_secure_boot_is_required() {
    let facts = Facts { appended: Some("harmless".into()), ..good() };
    let (required, present) = judged(&facts);
    let refusal = required.expect_err("refused");
    assert_eq!(refusal.stage, Stage::Cmdline);
    assert!(refusal.reason.contains("`harmless`"), "{refusal}");
    assert_eq!(present.rung, Rung::SecureBoot, "the report says it elsewhere");
}

#[test]
fn an_image_without_certificates_stays_on_the_root_hash() {
    let unsigned = Trust::default();
    assert!(!requires_signatures(&good(), &unsigned));
    let verdict = judge(&good(), &unsigned).expect("refuses nothing");
    assert_eq!(verdict.rung, Rung::RootHash);
    assert_eq!(verdict.notes[0], "the manifest lists no certificate");
}

#[test]
fn dm_verity_demands_signatures_where_they_can_be_checked() {
    let present = trust(SecureBoot::WhenPresent);
    assert!(requires_signatures(&good(), &present));
    let off = Facts { secure_boot: variable(&[0]), ..good() };
    assert!(!requires_signatures(&off, &present));
    assert!(!requires_signatures(&Facts { platform: Ok(vec!["db: 22cc33dd".into()]), ..good() }, &present));
    assert!(!requires_signatures(&Facts { platform: Err("gone".into()), ..good() }, &present));
    assert!(requires_signatures(&off, &trust(SecureBoot::Required)));
}

#[test]
fn a_rungs_name_is_its_text_in_documents() {
    for rung in [Rung::RootHash, Rung::SecureBoot, Rung::SecureBootIpe] {
        assert_eq!(serde_json::to_string(&rung).unwrap(), format!("\"{rung}\""));
    }
}
