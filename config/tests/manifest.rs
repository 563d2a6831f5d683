//! Manifests: fixed text, every field checked, and no panic on any bytes.

use orlop_config::manifest::*;
use proptest::prelude::*;

const HASH: &str = "4fe59b9dcd6a0c0c4e5b0c5a2b8b3f0f7c1d6e5a4b3c2d1e0f9a8b7c6d5e4f3a";

fn boot() -> BootManifest {
    BootManifest {
        version: 1,
        image: "standalone".into(),
        image_version: "0.1.0".into(),
        architecture: "x86_64".into(),
        class: "public".into(),
        command_line: "console=ttyS0 panic=10 --".into(),
        verity: Verity {
            root_hash: HASH.into(),
            salt: HASH.into(),
            uuid: "0d9f7a6c-1b2c-8d3e-9f40-a1b2c3d4e5f6".into(),
            algorithm: "sha256".into(),
            data_block_size: 4096,
            hash_block_size: 4096,
            data_blocks: 12000,
            hash_start_block: 1,
        },
        refusal: Refusal::Reboot,
        trust: Trust {
            secure_boot: SecureBoot::Required,
            certificates: vec![Certificate { sha256: HASH.into(), key_id: "485ee24d".into(), subject: "db".into() }],
        },
        development: true,
    }
}

fn release() -> ReleaseManifest {
    ReleaseManifest {
        version: 1,
        image: "standalone".into(),
        image_version: "0.1.0".into(),
        architecture: "x86_64".into(),
        class: "public".into(),
        development: true,
        boot_manifest_sha256: HASH.into(),
        uki_authenticode_sha256: HASH.into(),
        root_sha256: HASH.into(),
        root_bytes: 12000 * 4096,
        verity_sha256: HASH.into(),
        verity_bytes: 99 * 4096,
        state_template_sha256: HASH.into(),
        components: std::collections::BTreeMap::from([("kernel".into(), "6.12".into())]),
        companions: std::collections::BTreeMap::from([("standalone.surface.json".into(), HASH.into())]),
        build: BuildIdentity {
            orlop: "0.1.0".into(),
            definition_sha256: HASH.into(),
            lockfile_sha256: HASH.into(),
            epoch: 1_700_000_000,
        },
    }
}

fn signature_partition() -> SignaturePartition {
    let orlop_boot_signature = format!("{}==", "A".repeat(86));
    SignaturePartition { root_hash: HASH.into(), signature: None, certificate_fingerprint: None, orlop_boot_signature }
}

#[test]
fn the_text_of_a_boot_manifest_is_fixed() {
    let expected = format!(
        r#"{{
  "version": 1,
  "image": "standalone",
  "image_version": "0.1.0",
  "architecture": "x86_64",
  "class": "public",
  "command_line": "console=ttyS0 panic=10 --",
  "verity": {{
    "root_hash": "{HASH}",
    "salt": "{HASH}",
    "uuid": "0d9f7a6c-1b2c-8d3e-9f40-a1b2c3d4e5f6",
    "algorithm": "sha256",
    "data_block_size": 4096,
    "hash_block_size": 4096,
    "data_blocks": 12000,
    "hash_start_block": 1
  }},
  "refusal": "reboot",
  "trust": {{
    "secure_boot": "required",
    "certificates": [
      {{
        "sha256": "{HASH}",
        "key_id": "485ee24d",
        "subject": "db"
      }}
    ]
  }},
  "development": true
}}
"#
    );
    assert_eq!(String::from_utf8(render_boot(&boot())).as_deref(), Ok(expected.as_str()));
}

#[test]
fn documents_read_back() {
    assert_eq!(parse_boot(&render_boot(&boot())), Ok(boot()));
    assert_eq!(parse_release(&render_release(&release())), Ok(release()));
    let sums = Sums { version: 1, image_sha256: HASH.into(), esp_sha256: HASH.into(), signature_sha256: HASH.into() };
    assert_eq!(parse_sums(&render_sums(&sums)), Ok(sums));
    let plain = signature_partition();
    assert_eq!(parse_signature_partition(&render_signature_partition(&plain)), Ok(plain.clone()));
    let signed =
        SignaturePartition { signature: Some("MIIB".into()), certificate_fingerprint: Some(HASH.into()), ..plain };
    assert_eq!(parse_signature_partition(&render_signature_partition(&signed)), Ok(signed));
}

#[test]
fn what_a_boot_manifest_may_not_say() {
    let text = String::from_utf8(render_boot(&boot())).expect("JSON is UTF-8");
    let short = &HASH[1..];
    for (from, to, expected) in [
        ("\"version\": 1", "\"version\": 2", "its format is version 2, and version 1 is the one known here"),
        ("\"version\": 1", "\"version\": -1", "line 2, column 15: invalid value: integer `-1`"),
        ("\"version\": 1,", "", "missing field `version`"),
        ("\"class\"", "\"klass\"", "line 6, column 9: unknown field `klass`"),
        ("\"image\": \"standalone\"", "\"image\": \"../x\"", "`image` is `../x`, not a name"),
        ("\"image_version\": \"0.1.0\"", "\"image_version\": \"\"", "`image_version` is ``, not a version"),
        ("x86_64", "riscv64", "`architecture` is `riscv64`, not `x86_64`"),
        (" --\"", "\"", "`command_line` is `console=ttyS0 panic=10`, not printable"),
        ("ttyS0 ", "ttyS0\\n ", "`command_line` is `console=ttyS0\\n panic=10 --`"),
        (HASH, short, "`root_hash` is"),
        (HASH, &HASH.to_uppercase(), "`root_hash` is"),
        ("0d9f7a6c-1b2c", "0d9f7a6c1b2c-", "`uuid` is"),
        ("\"sha256\"", "\"md5\"", "`algorithm` is `md5`, not `sha256`"),
        ("\"data_block_size\": 4096", "\"data_block_size\": 512", "`data_block_size` is `512`, not 4096"),
        ("12000", "0", "`data_blocks` is `0`, not 1 to"),
        ("12000", "18446744073709551615", "`data_blocks` is `18446744073709551615`"),
        ("\"hash_start_block\": 1", "\"hash_start_block\": 0", "`hash_start_block` is `0`, not 1"),
        ("\"required\"", "\"off\"", "unknown variant `off`"),
        ("485ee24d", "485EE24D", "`key_id` is `485EE24D`, not 4 to 64 bytes"),
        ("\"subject\": \"db\"", "\"subject\": \"\"", "`subject` is ``, not a name"),
        ("\"reboot\"", "\"shell\"", "unknown variant `shell`"),
        (
            "\"development\": true",
            "\"development\": 1",
            "line 29, column 18: invalid type: integer `1`, expected a boolean",
        ),
        ("\"development\": true", "\"development\": true, \"development\": false", "duplicate field `development`"),
        ("\n}\n", "\n}\n{}", "trailing characters"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = parse_boot(text.replacen(from, to, 1).as_bytes()).expect_err(to).to_string();
        assert!(error.starts_with("boot manifest") && error.contains(expected), "{error}\nhas no\n{expected}");
    }
    let long = [render_boot(&boot()), vec![b' '; LIMIT]].concat();
    assert!(matches!(parse_boot(&long), Err(DocumentError::TooLong { .. })));
}

#[test]
fn what_the_others_may_not_say() {
    let text = String::from_utf8(render_release(&release())).expect("JSON is UTF-8");
    let error = parse_release(text.replacen(HASH, "00", 1).as_bytes()).expect_err("short").to_string();
    assert_eq!(error, "release manifest: `boot_manifest_sha256` is `00`, not 64 lowercase hexadecimal digits");
    // What is named is looked for beside the manifest, and nowhere else.
    for name in ["../surface.json", "a/b.json", ".surface.json", "..", "surface.raw", "Surface.json", ""] {
        let text = text.replace("standalone.surface.json", name);
        let error = parse_release(text.as_bytes()).expect_err(name).to_string();
        assert!(error.starts_with(&format!("release manifest: `companions` is `{name}`, not the name of")), "{error}");
    }
    let without = ReleaseManifest { companions: Default::default(), ..release() };
    let bytes = render_release(&without);
    assert!(!String::from_utf8_lossy(&bytes).contains("companions"), "as earlier builders wrote it");
    assert_eq!(parse_release(&bytes), Ok(without));
    for signature in ["AAAA", "", &"=".repeat(88), &"ä".repeat(44)] {
        let content = SignaturePartition { orlop_boot_signature: signature.into(), ..signature_partition() };
        assert!(parse_signature_partition(&render_signature_partition(&content)).is_err(), "{signature}");
    }
}

#[cfg(feature = "toml")]
#[test]
fn a_misspelt_field_is_told_the_nearest() {
    let text = String::from_utf8(render_boot(&boot())).expect("JSON is UTF-8").replace("class", "klass");
    let error = parse_boot(text.as_bytes()).expect_err("misspelt").to_string();
    assert!(error.ends_with("did you mean `class`?"), "{error}");
}

#[test]
fn no_cut_of_a_document_panics_or_passes() {
    for (bytes, read) in [
        (render_boot(&boot()), (|bytes| parse_boot(bytes).is_ok()) as fn(&[u8]) -> bool),
        (render_release(&release()), |bytes| parse_release(bytes).is_ok()),
        (render_signature_partition(&signature_partition()), |bytes| parse_signature_partition(bytes).is_ok()),
    ] {
        for end in 0..bytes.len() - 1 {
            assert!(!read(&bytes[..end]), "cut at {end}");
        }
        assert!(read(&bytes));
    }
}

fn read_all(bytes: &[u8]) {
    let _ = parse_boot(bytes);
    let _ = parse_release(bytes);
    let _ = parse_sums(bytes);
    let _ = parse_signature_partition(bytes);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_all(&bytes);
    }

    #[test]
    fn arbitrary_changes_never_panic(at in 0usize..700, byte in any::<u8>()) {
        let mut bytes = render_boot(&boot());
        let at = at % bytes.len();
        bytes[at] = byte;
        read_all(&bytes);
    }
}
