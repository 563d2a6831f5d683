//! `orlop-lab`: the first process of the lab's namespace, and the lab for people (`make cluster`).

use std::path::PathBuf;
use std::process::ExitCode;

use orlop_machine::lab::{Cluster, hold};

const USAGE: &str = "usage: orlop-lab cluster [--image FILE] [--nodes NUMBER] [--folder FOLDER]";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.split_first() {
        Some((verb, [])) if verb == "hold" => hold().map_err(|error| error.to_string()),
        Some((verb, options)) if verb == "cluster" => cluster(options),
        _ => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("orlop-lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn cluster(options: &[String]) -> Result<(), String> {
    let mut cluster = Cluster {
        image: "out/cluster/cluster.raw".into(),
        nodes: 2,
        folder: "out/lab".into(),
        helper: std::env::current_exe().map_err(|error| error.to_string())?,
    };
    for pair in options.chunks(2) {
        let [option, value] = pair else { return Err(USAGE.into()) };
        match option.as_str() {
            "--image" => cluster.image = PathBuf::from(value),
            "--folder" => cluster.folder = PathBuf::from(value),
            "--nodes" => {
                let wrong = |_| format!("--nodes {value}: a number up to 20");
                cluster.nodes = value.parse().map_err(wrong)?;
            }
            _ => return Err(format!("unknown option `{option}`; {USAGE}")),
        }
    }
    cluster.run().map_err(|error| error.to_string())
}
