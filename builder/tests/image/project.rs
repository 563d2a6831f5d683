//! What `orlop init-project` writes, built and verified by its own Makefile, over the user's cache.

use std::process::Command;

use crate::support::{Desk, orlop, run};

#[test]
fn a_new_project_builds_and_verifies_by_its_makefile() {
    let desk = Desk::new();
    run(orlop().arg("init-project").arg(desk.path("edge"))).done();
    for target in ["build", "verify"] {
        let mut make = Command::new("make");
        // Those of the make that runs the tests are not for this one.
        for name in ["MAKEFLAGS", "MAKELEVEL", "MFLAGS", "OUT"] {
            make.env_remove(name);
        }
        make.current_dir(desk.path("edge")).env("ORLOP", env!("CARGO_BIN_EXE_orlop")).env("KEYS", desk.keys());
        run(make.arg(target)).done();
    }
    let inspection = run(orlop().args(["inspect", "--json"]).arg(desk.path("edge/out/edge.raw"))).json();
    assert_eq!(inspection["boot_manifest"]["image"], "edge");
    assert!(!desk.path("edge/keys").exists(), "there are keys already");
}
