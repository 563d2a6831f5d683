//! What critest says of its specs, read out of ginkgo's report for people.

use anyhow::{Context, Result};

/// How the specs went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// All that there are, run or not.
    pub all: usize,
    pub passed: usize,
    /// Those that failed, with the place of the failure.
    pub failed: Vec<String>,
    /// Those that said themselves that they do not apply here.
    pub skipped: Vec<String>,
}

impl Outcome {
    /// Reads the output of `-ginkgo.v`.
    pub fn read(log: &str) -> Result<Outcome> {
        let lines: Vec<&str> = log.lines().map(str::trim).collect();
        let after = |start: &str| -> Vec<String> {
            let all = lines.windows(2).filter(|pair| pair[0].starts_with(start));
            all.map(|pair| pair[1].trim_start_matches("[k8s.io] ").to_owned()).collect()
        };
        let ran = lines.iter().find(|line| line.starts_with("Ran ")).context("no line `Ran N of M Specs`")?;
        let all = ran.split(' ').nth(3).and_then(|count| count.parse().ok()).context("no number of specs")?;
        let verdict = lines.iter().find(|line| line.contains(" Passed | ")).context("no verdict")?;
        let passed = verdict.split(" Passed").next().and_then(|start| start.split(' ').next_back());
        let passed = passed.and_then(|count| count.parse().ok()).context("no number of those that passed")?;
        Ok(Outcome { all, passed, failed: after("• [FAILED]"), skipped: after("S [SKIPPED]") })
    }
}

#[test]
fn ginkgos_words_are_read() {
    let log = "• [1.2 seconds]\n[k8s.io] A b\n\n------\nS [SKIPPED] [0.01 seconds]\n[k8s.io] AppArmor [BeforeEach] c\n\
               \n• [FAILED] [3.0 seconds]\n[k8s.io] D [It] e\n\nRan 2 of 142 Specs in 5.1 seconds\n\
               FAIL! -- 1 Passed | 1 Failed | 0 Pending | 140 Skipped\ncritest status=1\n";
    let found = Outcome::read(log).expect("an outcome");
    let want = Outcome {
        all: 142,
        passed: 1,
        failed: vec!["D [It] e".into()],
        skipped: vec!["AppArmor [BeforeEach] c".into()],
    };
    assert_eq!(found, want);
    assert!(Outcome::read("critest status=127").is_err());
}
