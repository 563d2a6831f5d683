//! Whose state this is: `/var/lib/orlop/state.json`.

use super::STAGE;
use crate::handover::Handover;
use crate::node::identity::MachineId;
use crate::node::safe_path;
use crate::report::{Refusal, or_refuse};
use serde::{Deserialize, Serialize};
use std::path::Path;

const FILE: &str = "state.json";
/// Where it lies below `/var`.
const FOLDER: &str = "lib/orlop";
/// More of it than this is not read.
const LIMIT: u64 = 16 * 1024;
/// What a filesystem has before its record is written: a cut of the first boot may leave it so.
const EMPTY: [&str; 4] = ["lost+found", "log", "lib", "run"];

/// The record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    version: u32,
    image: String,
    class: String,
    machine_id: String,
}

/// The machine's id by the record; `None` on a filesystem that is still empty. Another's is refused. Changes nothing.
pub fn find(root: &Path, handover: &Handover) -> Result<Option<MachineId>, Refusal> {
    let found = match or_refuse(safe_path::find_dir(root, FOLDER), STAGE, FOLDER)? {
        Some(folder) => or_refuse(safe_path::read(&folder, FILE, LIMIT), STAGE, FILE)?,
        None => None,
    };
    if let Some(bytes) = found {
        return check(&bytes, handover).map(Some);
    }
    let names = or_refuse(safe_path::names(root), STAGE, root.display())?;
    match names.iter().find(|name| !EMPTY.contains(&name.as_str())) {
        None => Ok(None),
        Some(foreign) => {
            let reason = format!("the state filesystem holds `{foreign}` and no {FOLDER}/{FILE}: it is not Orlop's");
            Err(Refusal::new(STAGE, reason))
        }
    }
}

/// Gives a filesystem without a record this machine's.
pub fn make(root: &Path, handover: &Handover) -> Result<MachineId, Refusal> {
    let folder = or_refuse(safe_path::make_dirs(root, FOLDER), STAGE, FOLDER)?;
    let id = or_refuse(MachineId::random(), STAGE, "machine id")?;
    let record = Record {
        version: 1,
        image: handover.image.clone(),
        class: handover.class.clone(),
        machine_id: id.as_str().to_owned(),
    };
    let bytes = or_refuse(serde_json::to_vec(&record), STAGE, FILE)?;
    or_refuse(safe_path::write(&folder, FILE, &bytes), STAGE, FILE)?;
    Ok(id)
}

/// Whether a record is this image's and class's.
fn check(bytes: &[u8], handover: &Handover) -> Result<MachineId, Refusal> {
    let record: Record = or_refuse(serde_json::from_slice(bytes), STAGE, format!("{FOLDER}/{FILE}"))?;
    let refusal = |what: &str, found: &str, want: &str| {
        Err(Refusal::new(STAGE, format!("the state is of {what} `{found}`, this is `{want}`")))
    };
    if record.version != 1 {
        return refusal("version", &record.version.to_string(), "1");
    }
    if record.image != handover.image {
        return refusal("image", &record.image, &handover.image);
    }
    if record.class != handover.class {
        return refusal("class", &record.class, &handover.class);
    }
    MachineId::parse(&record.machine_id)
        .ok_or_else(|| Refusal::new(STAGE, format!("`{}` is not a machine id", record.machine_id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use orlop_chain::trust::Rung;
    use orlop_config::manifest::Refusal as Policy;
    use proptest::prelude::*;

    fn handover() -> Handover {
        Handover {
            image: "standalone".into(),
            image_version: "1".into(),
            class: "internal".into(),
            development: true,
            refusal: Policy::Reboot,
            root_hash: String::new(),
            rung: Rung::RootHash,
            disk: "vda".into(),
            appended: None,
            phases: Vec::new(),
            notes: Vec::new(),
        }
    }

    const ID: &str = "0123456789abcdef0123456789abcdef";

    fn record(image: &str, class: &str, id: &str) -> Vec<u8> {
        format!(r#"{{"version":1,"image":"{image}","class":"{class}","machine_id":"{id}"}}"#).into_bytes()
    }

    #[test]
    fn another_images_or_classes_state_is_refused_by_name() {
        assert_eq!(check(&record("standalone", "internal", ID), &handover()).expect("ours").as_str(), ID);
        let image = check(&record("node", "internal", ID), &handover()).expect_err("refused");
        assert!(image.reason.contains("image `node`"), "{}", image.reason);
        let class = check(&record("standalone", "public", ID), &handover()).expect_err("refused");
        assert!(class.reason.contains("class `public`"), "{}", class.reason);
        assert!(check(&record("standalone", "internal", "../x"), &handover()).is_err());
    }

    #[test]
    fn every_cut_is_refused() {
        let whole = record("standalone", "internal", ID);
        for end in 0..whole.len() {
            assert!(check(&whole[..end], &handover()).is_err());
        }
    }

    /// A state filesystem's root, and all that is in it after a look.
    fn looked_at(files: &[(&str, &[u8])]) -> (Result<Option<MachineId>, Refusal>, Vec<String>) {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path().canonicalize().expect("a path");
        for (path, bytes) in files {
            let path = root.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, bytes).expect("written");
        }
        let found = find(&root, &handover());
        let mut names = safe_path::names(&root).expect("names");
        names.sort();
        (found, names)
    }

    #[test]
    fn a_look_tells_ours_from_anothers_and_changes_nothing() {
        let (found, names) = looked_at(&[]);
        assert_eq!((found, names.len()), (Ok(None), 0));
        let (found, names) = looked_at(&[("lib/kubelet/x", b""), ("log/x", b"")]);
        assert_eq!((found, names), (Ok(None), vec!["lib".to_owned(), "log".to_owned()]));
        let (found, _) =
            looked_at(&[("lib/orlop/state.json", &record("standalone", "internal", ID)), ("cache/x", b"")]);
        assert_eq!(found, Ok(MachineId::parse(ID)));
        let (found, names) = looked_at(&[("lib/orlop/state.json", &record("node", "internal", ID))]);
        assert!(found.expect_err("refused").reason.contains("image `node`"));
        assert_eq!(names, ["lib"]);
        let (found, names) = looked_at(&[("home/somebody", b"")]);
        assert!(found.expect_err("refused").reason.contains("holds `home`"));
        assert_eq!(names, ["home"]);
    }

    #[test]
    fn the_record_that_is_made_is_found() {
        let root = tempfile::tempdir().expect("a folder");
        let root = root.path().canonicalize().expect("a path");
        let id = make(&root, &handover()).expect("made");
        assert_eq!(find(&root, &handover()), Ok(Some(id)));
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_verdict(bytes: Vec<u8>) {
            let _ = check(&bytes, &handover());
        }
    }
}
