//! Results in the cache that are not as they were made: the build says which, and nothing of them gets into an image.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use orlop_chain::device::ReadAt;

use crate::shared_cache::share;
use crate::support::{Desk, copy_folder, names, run, workspace};

/// All steps whose results are shared: only the root image is made anew.
const SHARED: &[&str] =
    &["deb", "file", "go", "go-toolchain", "libseccomp", "state-template", "tool", "url", "vendor", "workspace", "zig"];

/// A cache of one's own, in which some results may be altered.
struct Altered {
    desk: Desk,
}

impl Altered {
    fn new() -> Altered {
        let desk = Desk::new();
        share(&desk.path("cache"), SHARED);
        Altered { desk }
    }

    fn build(&self) -> Command {
        let mut build = self.desk.warm_build(&workspace().join("images/standalone.toml"));
        build.arg("--offline").env("ORLOP_CACHE", self.desk.path("cache"));
        build
    }

    /// The file in every result of the step that has it, as copies that are nobody else's: which of them a build takes
    /// is not for the test to know.
    fn copies(&self, step: &str, file: &str) -> Vec<PathBuf> {
        let results = self.desk.path("cache/results");
        let of_step = names(&results).into_iter().filter(|name| name.starts_with(step)).map(|name| results.join(name));
        let found: Vec<PathBuf> = of_step.filter(|folder| folder.join(file).is_file()).collect();
        assert!(!found.is_empty(), "no result of {step} with {file}");
        for folder in found.iter().filter(|folder| folder.is_symlink()) {
            let shared = fs::canonicalize(folder).unwrap();
            fs::remove_file(folder).unwrap();
            copy_folder(&shared, folder);
        }
        found.into_iter().map(|folder| folder.join(file)).collect()
    }

    /// Refused with the files changed; then they are as they were.
    #[track_caller]
    fn refused_with(&self, copies: &[PathBuf], change: fn(&Path)) {
        let good: Vec<Vec<u8>> = copies.iter().map(|path| fs::read(path).unwrap()).collect();
        copies.iter().for_each(|path| change(path));
        self.refused(copies[0].file_name().unwrap().to_str().unwrap());
        copies.iter().zip(good).for_each(|(path, bytes)| fs::write(path, bytes).unwrap());
    }

    #[track_caller]
    fn refused(&self, file: &str) {
        let results = self.desk.path("cache/results").canonicalize().unwrap();
        let delete = format!("delete {}/", results.display());
        let says = [file, "not as the cache made it", &delete, "the next build makes it again"];
        run(&mut self.build()).fails(1, &says);
        self.desk.nothing_built();
    }
}

fn flip(path: &Path) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let middle = file.size().unwrap() / 2;
    let byte = file.bytes_at(middle, 1).unwrap();
    file.write_all_at(&[byte[0] ^ 1], middle).unwrap();
}

fn lengthen(path: &Path, by: i64) {
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(file.metadata().unwrap().len().checked_add_signed(by).unwrap()).unwrap();
}

#[test]
fn a_damaged_result_never_reaches_an_image() {
    let cache = Altered::new();
    // What goes into the root, into the root inside of an archive, and into the initramfs.
    let files =
        [("go-", "files/kubelet"), ("workspace-", "files/orlop-pause/pause"), ("workspace-", "files/orlop-init/init")];
    for (step, file) in files {
        let copies = cache.copies(step, file);
        for change in [flip as fn(&Path), |path| lengthen(path, -1), |path| lengthen(path, 1)] {
            cache.refused_with(&copies, change);
        }
    }
    run(&mut cache.build()).done();
    fs::remove_dir_all(cache.desk.path("out")).unwrap();
    // What was made of them is looked at too.
    for file in ["root.erofs", "root.verity"] {
        cache.refused_with(&cache.copies("root-", file), flip);
    }
    run(&mut cache.build()).done();
}
