//! What text behind the command line's ` --` may still have done. Most of the kernel stops there; the early scan of x86
//! (`cmdline_find_option`) does not, and takes the last one of a word. What it may have taken is named here, and what the
//! kernel says of the result is read back.

use crate::report::Refusal;
use orlop_chain::Stage;
use std::fs;
use std::path::Path;

const FOLDER: &str = "/sys/devices/system/cpu/vulnerabilities";
const TAINTED: &str = "/proc/sys/kernel/tainted";
/// Processor features were forced off (`clearcpuid=smap`) or on, or the processor is broken.
const TAINT_CPU_OUT_OF_SPEC: u64 = 1 << 2;
/// Words of the early scan, up to a `=`, that take a defence away (Linux 6.12: `arch/x86/boot/compressed`,
/// `arch/x86/kernel/cpu`, `arch/x86/mm/pti.c`, `arch/x86/mm/mem_encrypt_identity.c`) or, as `pti` and `mitigations`,
/// did so in other versions.
const EARLY: [&str; 28] = [
    "clearcpuid",
    "dis_ucode_ldr",
    "gather_data_sampling",
    "mds",
    "mem_encrypt",
    "microcode",
    "mitigations",
    "no5lvl",
    "nofxsr",
    "nokaslr",
    "nopti",
    "nopcid",
    "nosmap",
    "nosmep",
    "nospec_store_bypass_disable",
    "nospectre_v1",
    "nospectre_v2",
    "noxsave",
    "noxsaveopt",
    "noxsaves",
    "nousershstk",
    "pti",
    "retbleed",
    "setcpuid",
    "spec_store_bypass_disable",
    "spectre_v2",
    "spectre_v2_user",
    "tsx",
];

/// Refuses what was weakened against the signed line; what else this processor is vulnerable to.
pub fn check(line: &str, appended: Option<&str>) -> Result<Vec<String>, Refusal> {
    let tainted = fs::read_to_string(TAINTED).ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default();
    judge(line, appended, tainted, &vulnerable(Path::new(FOLDER)))
}

fn judge(line: &str, appended: Option<&str>, tainted: u64, found: &[String]) -> Result<Vec<String>, Refusal> {
    let refuse = |reason: String| Err(Refusal::new(Stage::Cmdline.name(), reason));
    if let Some(word) = appended.and_then(early_word) {
        return refuse(format!("`{word}` was appended to the signed command line, where the kernel still reads it"));
    }
    if appended.is_some() && tainted & TAINT_CPU_OUT_OF_SPEC != 0 {
        return refuse("processor features were altered, and text was appended to the signed command line".to_owned());
    }
    let asked = |word: &str| line.split_whitespace().any(|found| found == word);
    match found.iter().find(|text| text.starts_with("meltdown ")) {
        Some(text) if asked("pti=on") => refuse(format!("pti=on was signed, and the kernel says {text}")),
        _ => Ok(found.to_vec()),
    }
}

/// As the scan splits them: at everything up to a space.
fn early_word(appended: &str) -> Option<&str> {
    let mut words = appended.split(|c: char| c <= ' ');
    words.find(|word| word.split('=').next().is_some_and(|name| EARLY.contains(&name)))
}

/// Each that the kernel calls vulnerable: its name and what the kernel says, in order.
fn vulnerable(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut found: Vec<String> = entries
        .filter_map(|entry| {
            let text = fs::read_to_string(entry.path()).ok().filter(|text| text.starts_with("Vulnerable"))?;
            Some(format!("{} ({})", entry.file_name().display(), text.trim()))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "console=ttyS0 pti=on mitigations=auto --";

    fn judged(appended: Option<&str>, tainted: u64, found: &[&str]) -> Result<Vec<String>, Refusal> {
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        judge(LINE, appended, tainted, &found)
    }

    fn refused(appended: Option<&str>, tainted: u64, found: &[&str], name: &str) {
        let refusal = judged(appended, tainted, found).expect_err(name);
        assert_eq!(refusal.stage, "cmdline");
        assert!(refusal.reason.contains(name), "{refusal:?}");
    }

    #[test]
    fn words_that_the_early_scan_takes_are_refused() {
        for word in ["nopti", "mitigations=off", "spectre_v2=off", "clearcpuid=smep,smap", "nokaslr", "pti=off"] {
            refused(Some(&format!("a=b {word}\tc")), 0, &[], word);
        }
        assert_eq!(judged(Some("rdinit=/nope x=nopti ptitle nopti2"), 0, &[]), Ok(Vec::new()));
        assert_eq!(judged(None, 0, &[]), Ok(Vec::new()), "our own line has them");
    }

    #[test]
    fn what_the_kernel_says_is_believed() {
        refused(None, 0, &["meltdown (Vulnerable)"], "pti=on was signed");
        refused(Some("harmless"), 4, &[], "processor features were altered");
        assert_eq!(judged(None, 4, &[]), Ok(Vec::new()), "a broken processor is nobody's text");
        let other = "mds (Vulnerable: Clear CPU buffers attempted, no microcode)";
        assert_eq!(judged(Some("harmless"), 0, &[other]), Ok(vec![other.to_owned()]));
        assert_eq!(judge("mitigations=off --", None, 0, &["meltdown (Vulnerable)".into()]).map(|all| all.len()), Ok(1));
    }

    #[test]
    fn the_kernels_files_are_read() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("mds", "Vulnerable: x\n"), ("l1tf", "Not affected\n"), ("meltdown", "Vulnerable\n")] {
            std::fs::write(folder.path().join(name), text).expect("written");
        }
        assert_eq!(vulnerable(folder.path()), ["mds (Vulnerable: x)", "meltdown (Vulnerable)"]);
        assert_eq!(vulnerable(&folder.path().join("none")), Vec::<String>::new());
    }
}
