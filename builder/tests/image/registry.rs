//! A real registry on this machine: `crane registry serve` of the lab's programs, gone when it is dropped.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{run, workspace};

pub struct Registry {
    child: Child,
    crane: PathBuf,
    /// `127.0.0.1:PORT`.
    pub host: String,
}

impl Registry {
    pub fn start() -> Registry {
        let tools = std::env::var_os("ORLOP_LAB_TOOLS").map(PathBuf::from);
        let crane = tools.unwrap_or_else(|| workspace().join("out/lab-tools")).join("crane");
        assert!(crane.is_file(), "{} is missing: `make lab-tools` builds it", crane.display());
        let mut command = Command::new(&crane);
        command.args(["registry", "serve", "--address", "127.0.0.1:0"]);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let said = lines.find_map(|line| line.unwrap().split_once("serving on port ").map(|(_, port)| port.to_owned()));
        // Each request is a line; a full pipe would stop it.
        std::thread::spawn(move || lines.for_each(drop));
        Registry { child, crane, host: format!("127.0.0.1:{}", said.expect("its port")) }
    }

    /// Pushes an image of one layer as `NAME`, which may have a tag.
    pub fn push(&self, name: &str, layer: &Path, entrypoint: &str) {
        let image = format!("{}/{name}", self.host);
        let crane = || Command::new(&self.crane);
        run(crane().arg("append").arg("-f").arg(layer).args(["-t", &image])).done();
        let entrypoint = format!("--entrypoint={entrypoint}");
        run(crane().args([
            "mutate",
            &image,
            &entrypoint,
            "--user=65535:65535",
            "--set-platform=linux/amd64",
            "-t",
            &image,
        ]))
        .done();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
