//! What a node with work on its hands lives through: its programs killed, its API server away, its power cut. One machine
//! for most of it.

mod kills;
mod power;
mod server;
mod steady;
mod two_minutes;

use anyhow::Result;
use orlop_machine::within;

use crate::segment::segment;
pub use kills::pid;
use steady::Steady;

#[test]
fn pods_outlive_killed_programs_and_an_absent_api_server_and_come_back_after_a_power_cut() -> Result<()> {
    let segment = segment()?;
    let node = segment.machine("three")?;
    let running = node.join()?;
    segment.approver.approved("three", within(60))?;
    let steady = Steady::start(segment, "three")?;
    kills::rounds(segment, &running, &steady)?;
    server::away_for_one_node(segment, &node, &steady)?;
    let running = power::cut(&node, running, &steady)?;
    steady.stop()?;
    drop(running);
    segment.kubectl.run(&["delete", "node/three"])?;
    Ok(())
}
