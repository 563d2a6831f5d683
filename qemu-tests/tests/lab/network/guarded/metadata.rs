//! The clouds' metadata: the host reaches them, and pods do not.

use anyhow::{Result, ensure};
use orlop_machine::lab::{Cloud, Metadata};
use orlop_machine::within;

use super::Guarded;
use crate::clouds;
use crate::network::hands::Hands;

pub fn is_for_the_host_alone(guarded: &Guarded, hands: &Hands<'_>) -> Result<()> {
    let _alone = clouds::alone();
    let metadata = Metadata::start(&guarded.segment.lab, Cloud::Azure, "version = 1\n")?;
    metadata.only(&guarded.card);
    let asked = |url: &str| format!("wget -qO- -T 10 {url} 2>&1; true");
    for url in ["http://169.254.169.254/metadata/instance", "http://168.63.129.16/machine/?comp=goalstate"] {
        let mark = metadata.mark();
        let said = hands.run(&asked(url))?;
        ensure!(said.contains("HTTP/1.1 400"), "the host reaches {url}: {said}");
        metadata.wait_for(mark, "GET /m", within(10))?;
        let mark = metadata.mark();
        let said = hands.run_inside(&asked(url))?;
        ensure!(said.contains("timed out"), "a pod reaches {url}: {said}");
        ensure!(mark == metadata.mark(), "a pod's question came to {url}");
    }
    // It reaches the same host otherwise.
    let said = hands.run_inside("wget -qO- -T 30 http://192.0.2.1:5000/v2/")?;
    ensure!(said.trim() == "{}" || said.trim().is_empty(), "{said}");
    Ok(())
}
