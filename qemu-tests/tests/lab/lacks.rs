//! What the lab says where it cannot be. Here it is really taken away from the program, which says so before it has touched or
//! started anything.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};
use orlop_machine::lab::Service;
use orlop_machine::{program, within};
use tempfile::TempDir;

/// Programs of the host that every lab with a node needs, and the packages that have them.
const PROGRAMS: [(&str, &str); 7] = [
    program::QEMU,
    program::QEMU_IMG,
    ("dnsmasq", "dnsmasq-base"),
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("setpriv", "util-linux"),
    ("unshare", "util-linux"),
];

/// The lab for people with one node, of which it must not come to start any.
struct Place {
    place: TempDir,
}

impl Place {
    /// The lab's folder has something of an earlier one in it.
    fn new() -> Result<Place> {
        let place = Place { place: tempfile::tempdir()? };
        fs::create_dir(place.folder())?;
        fs::write(place.kept(), "")?;
        Ok(place)
    }

    fn path(&self) -> &Path {
        self.place.path()
    }

    fn folder(&self) -> PathBuf {
        self.path().join("lab")
    }

    fn kept(&self) -> PathBuf {
        self.folder().join("kept")
    }

    fn lab(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_orlop-lab");
        let mut command = Command::new(program);
        // Any file is an image so far.
        command.args(["cluster", "--nodes", "1", "--image", program, "--folder"]).arg(self.folder());
        command
    }

    /// The same in a user and a mount namespace of its own, of which root there takes something away by a line of shell.
    fn lab_after(&self, line: &str) -> Command {
        let lab = self.lab();
        let mut command = Command::new("unshare");
        // One process all along, so that killing it is its end.
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        command.arg(format!("{line} || exit 99; exec \"$@\"")).arg("sh").arg(lab.get_program()).args(lab.get_args());
        command
    }

    /// It ends at once with one line that has all of this, and the folder is as it was.
    fn says(&self, command: Command, parts: &[&str]) -> Result<()> {
        let log = self.path().join("said.log");
        let mut lab = Service::start("orlop-lab", command, &log)?;
        let status = lab.ended(within(60))?;
        let said = fs::read_to_string(&log)?;
        ensure!(status.code() == Some(1), "{status}: {said}");
        ensure!(said.starts_with("orlop-lab: ") && said.lines().count() == 1, "{said}");
        for part in parts {
            ensure!(said.contains(part), "no `{part}` in {said}");
        }
        ensure!(self.kept().exists() && fs::read_dir(self.folder())?.count() == 1, "its folder was touched");
        Ok(())
    }
}

#[test]
fn without_the_tun_device_the_lab_says_what_to_load_and_whom_to_let() -> Result<()> {
    let place = Place::new()?;
    let command = place.lab_after("mount -t tmpfs none /dev/net");
    place.says(
        command,
        &["/dev/net/tun: No such file or directory", "load the module `tun`", "read and write the device (chmod 0666"],
    )
}

#[test]
fn without_user_namespaces_the_lab_names_what_may_forbid_them() -> Result<()> {
    let place = Place::new()?;
    // The limit is each namespace's own: this one may have none within it.
    let command = place.lab_after("echo 0 >/proc/sys/user/max_user_namespaces");
    place.says(
        command,
        &[
            "no network of its own",
            "unshare",
            "it needs user namespaces for this user",
            "user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns",
            "in a container: its seccomp profile",
        ],
    )
}

#[test]
fn without_a_program_the_lab_names_its_package() -> Result<()> {
    for (missing, package) in PROGRAMS {
        let place = Place::new()?;
        let there = place.path().join("bin");
        fs::create_dir(&there)?;
        for (name, package) in PROGRAMS.into_iter().filter(|(name, _)| *name != missing) {
            symlink(program::find((name, package))?, there.join(name))?;
        }
        let mut command = place.lab();
        command.env("PATH", &there);
        let parts = [format!("{missing} is not installed"), "make setup".into(), format!("apt install {package})")];
        place.says(command, &parts.each_ref().map(String::as_str))?;
    }
    Ok(())
}
