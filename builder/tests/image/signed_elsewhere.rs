//! Signing in one round, elsewhere: the request, its answer, and the image that they complete.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::{Desk, Outcome, copy_folder, names, orlop, run, workspace};

/// A desk whose keys are in `keys`, and beside it `public`: the same set without a secret, with the signed policy.
struct Elsewhere {
    desk: Desk,
}

impl Elsewhere {
    fn new() -> Self {
        let desk = Desk::new();
        let policy = desk.path("public/orlop_node.p7b");
        fs::create_dir(desk.path("public")).unwrap();
        for name in ["release.pub", "db.crt"] {
            fs::copy(desk.keys().join(name), desk.path("public").join(name)).unwrap();
        }
        let text = "[release]\npublic = \"release.pub\"\n[db]\ncertificate = \"db.crt\"\n[policy]\nsignature = \"orlop_node.p7b\"\n";
        desk.file("public/keys.toml", text);
        run(orlop().arg("sign-policy").arg("--keys").arg(desk.keys()).arg("--out").arg(policy)).done();
        Elsewhere { desk }
    }

    fn build_unsigned(&self) -> Outcome {
        let mut command = orlop();
        command.arg("build").arg(workspace().join("images/standalone.toml")).arg("--unsigned");
        run(command.arg("--keys").arg(self.desk.path("public")).arg("--out").arg(self.desk.path("unsigned")))
    }

    fn request(&self) -> PathBuf {
        self.desk.path("unsigned/standalone.request.json")
    }

    fn sign(&self, keys: &Path) -> Outcome {
        let answer = self.desk.path("answer.json");
        run(orlop().arg("sign").arg(self.request()).arg("--keys").arg(keys).arg("--out").arg(answer))
    }

    fn attach(&self, out: &str) -> Outcome {
        let mut command = orlop();
        command.arg("attach").arg(self.request()).arg(self.desk.path("answer.json"));
        run(command.arg("--out").arg(self.desk.path(out)))
    }
}

#[test]
fn an_image_that_is_signed_elsewhere_is_the_same_to_the_byte() {
    let elsewhere = Elsewhere::new();
    let desk = &elsewhere.desk;
    elsewhere.build_unsigned().done();
    let unsigned = names(&desk.path("unsigned"));
    let signed = [".sig", ".sums.json", ".provenance.json"];
    assert!(!unsigned.iter().any(|name| signed.iter().any(|end| name.ends_with(end))), "{unsigned:?}");
    run(&mut desk.verify(&desk.path("unsigned/standalone.raw"))).fails(3, &["stage=uki-signature", "it is not signed"]);
    assert!(elsewhere.sign(&desk.keys()).done().contains("standalone 0.1.0, root hash"));
    elsewhere.attach("signed").done();
    run(&mut desk.warm_build(&workspace().join("images/standalone.toml"))).done();
    let (direct, signed) = (desk.path("out"), desk.path("signed"));
    let made = names(&signed);
    assert_eq!(made.len(), 10, "{made:?}");
    for name in made {
        assert!(fs::read(direct.join(&name)).unwrap() == fs::read(signed.join(&name)).unwrap(), "{name} differs");
    }
    run(desk.verify(&signed.join("standalone.raw")).arg("--provenance")).done();
    // In its own folder, the signed image takes the unsigned one's place.
    let mut attach = orlop();
    run(attach.arg("attach").arg(elsewhere.request()).arg(desk.path("answer.json"))).done();
    assert_eq!(names(&desk.path("unsigned")), names(&signed));
    run(&mut desk.verify(&desk.path("unsigned/standalone.raw"))).done();
}

#[test]
fn signatures_for_another_image_or_by_another_key_are_not_attached() {
    let elsewhere = Elsewhere::new();
    let desk = &elsewhere.desk;
    elsewhere.build_unsigned().done();
    let foreign = Desk::new();
    elsewhere.sign(&foreign.keys()).fails(1, &["request.json: it is for another release key than that of"]);
    // The right release key with another db key.
    let mixed = desk.path("mixed");
    copy_folder(&desk.keys(), &mixed);
    for name in ["db.key", "db.crt"] {
        fs::copy(foreign.keys().join(name), mixed.join(name)).unwrap();
        fs::set_permissions(mixed.join(name), Permissions::from_mode(0o600)).unwrap();
    }
    elsewhere.sign(&mixed).fails(1, &["prepared for the certificate `Orlop development db`"]);
    assert!(!desk.path("answer.json").exists());
    elsewhere.sign(&desk.keys()).done();
    // The request of another image: its version differs.
    let own = fs::read(elsewhere.request()).unwrap();
    copy_folder(&workspace().join("images"), &desk.path("images"));
    let definition = desk.path("images/standalone.toml");
    let text = fs::read_to_string(&definition).unwrap();
    fs::write(&definition, text.replacen("name = \"standalone\"", "name = \"standalone\"\nversion = \"0.1.1\"", 1))
        .unwrap();
    let mut other = orlop();
    other.arg("build").arg(definition).arg("--unsigned").arg("--keys").arg(desk.path("public"));
    run(other.arg("--out").arg(desk.path("unsigned"))).done();
    elsewhere
        .attach("signed")
        .fails(1, &["answer.json", "not one by this set's key over this image", "standalone 0.1.1"]);
    // The right request, with the other image beside it.
    fs::write(elsewhere.request(), own).unwrap();
    elsewhere.attach("signed").fails(1, &["standalone.efi: not the UKI that this request is for"]);
    for (file, content, says) in [
        ("answer.json", "{}", "not a file of signatures"),
        ("answer.json", "", "not a file of signatures"),
        ("unsigned/standalone.request.json", "{\"version\": 2}", "not a file of signing request"),
        ("unsigned/standalone.request.json", "{\"version\": 1}", "its format is version 1, and version 2 is the one"),
    ] {
        let before = fs::read(desk.path(file)).unwrap();
        desk.file(file, content);
        elsewhere.attach("signed").fails(1, &[file.rsplit('/').next().unwrap(), says]);
        fs::write(desk.path(file), before).unwrap();
    }
    assert_eq!(names(&desk.path("signed")), Vec::<String>::new());
}

#[test]
fn without_a_signed_policy_nothing_is_built_for_signing_elsewhere() {
    let elsewhere = Elsewhere::new();
    let desk = &elsewhere.desk;
    let keys = desk.path("public/keys.toml");
    let text = fs::read_to_string(&keys).unwrap();
    fs::write(&keys, text.split("[policy]").next().unwrap()).unwrap();
    elsewhere.build_unsigned().fails(1, &["orlop sign-policy", "policy.signature"]);
    // By another key, or cut short.
    fs::write(&keys, &text).unwrap();
    let (policy, foreign) = (desk.path("public/orlop_node.p7b"), Desk::new());
    let own = fs::read(&policy).unwrap();
    run(orlop().arg("sign-policy").arg("--keys").arg(foreign.keys()).arg("--out").arg(&policy)).done();
    elsewhere.build_unsigned().fails(1, &["the signed IPE policy", "a certificate that is not trusted here"]);
    fs::write(&policy, &own[..own.len() / 2]).unwrap();
    elsewhere.build_unsigned().fails(1, &["the signed IPE policy", "not PKCS#7"]);
    // Without --unsigned, somebody has to sign.
    fs::write(&policy, own).unwrap();
    let mut command = orlop();
    command.arg("build").arg(workspace().join("images/standalone.toml")).arg("--keys").arg(desk.path("public"));
    run(command.arg("--out").arg(desk.path("signed"))).fails(1, &["names no signer for this key", "--unsigned"]);
    assert_eq!(names(&desk.path("unsigned")), Vec::<String>::new());
    assert_eq!(names(&desk.path("signed")), Vec::<String>::new());
}
