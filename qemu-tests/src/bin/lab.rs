//! `orlop-lab`: the first process of the lab's namespace, and the lab for people (`make cluster`).

use std::path::PathBuf;
use std::process::ExitCode;

use orlop_machine::lab::{Cluster, hold};

const USAGE: &str = "usage: orlop-lab cluster [--image FILE] [--nodes NUMBER] [--folder FOLDER]";
/// The exit status of a command line that is none, as `orlop` has it.
const WRONG: u8 = 2;
/// More nodes than this are more than one machine emulates.
const MOST_NODES: u8 = 20;

/// What is asked for.
#[derive(Debug)]
enum Asked {
    Hold,
    Cluster(Cluster),
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let (error, status) = match asked(&words) {
        Err(error) => (error, ExitCode::from(WRONG)),
        Ok(asked) => match work(asked) {
            Ok(()) => return ExitCode::SUCCESS,
            Err(error) => (error, ExitCode::FAILURE),
        },
    };
    eprintln!("orlop-lab: {error}");
    status
}

fn work(asked: Asked) -> Result<(), String> {
    match asked {
        Asked::Hold => hold().map_err(|error| error.to_string()),
        Asked::Cluster(cluster) => {
            let helper = std::env::current_exe().map_err(|error| error.to_string())?;
            Cluster { helper, ..cluster }.run().map_err(|error| error.to_string())
        }
    }
}

/// Reads the command line, without the program's name.
fn asked(words: &[String]) -> Result<Asked, String> {
    match words.split_first() {
        Some((verb, [])) if verb == "hold" => Ok(Asked::Hold),
        Some((verb, options)) if verb == "cluster" => cluster(options).map(Asked::Cluster),
        _ => Err(USAGE.into()),
    }
}

/// All but the helper, which is this program.
fn cluster(options: &[String]) -> Result<Cluster, String> {
    let mut cluster =
        Cluster { image: "out/cluster/cluster.raw".into(), nodes: 2, folder: "out/lab".into(), helper: PathBuf::new() };
    for pair in options.chunks(2) {
        let [option, value] = pair else { return Err(USAGE.into()) };
        match option.as_str() {
            "--image" => cluster.image = PathBuf::from(value),
            "--folder" => cluster.folder = PathBuf::from(value),
            "--nodes" => {
                let number = value.parse::<u8>().ok().filter(|number| *number <= MOST_NODES);
                let wrong = || format!("--nodes {value}: a number from 0 (the control plane alone) to {MOST_NODES}");
                cluster.nodes = number.ok_or_else(wrong)?;
            }
            _ => return Err(format!("unknown option `{option}`; {USAGE}")),
        }
    }
    Ok(cluster)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Asked, String> {
        asked(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn nodes_are_as_many_as_the_lab_bears() {
        for (number, nodes) in [("0", 0), ("1", 1), ("20", 20)] {
            let asked = parsed(&["cluster", "--folder", "a", "--nodes", number]);
            assert!(matches!(asked, Ok(Asked::Cluster(Cluster { nodes: found, .. })) if found == nodes), "{number}");
        }
        for number in ["21", "255", "256", "-1", "two", ""] {
            let error = parsed(&["cluster", "--nodes", number]).unwrap_err();
            assert_eq!(error, format!("--nodes {number}: a number from 0 (the control plane alone) to 20"));
        }
    }

    #[test]
    fn what_is_not_known_is_a_word_about_the_usage() {
        assert!(matches!(parsed(&["hold"]), Ok(Asked::Hold)));
        for words in [&["x"][..], &[], &["hold", "x"], &["cluster", "--nodes"], &["cluster", "--x", "1"]] {
            let error = parsed(words).unwrap_err();
            assert!(error.contains(USAGE), "{words:?}: {error}");
        }
    }
}
