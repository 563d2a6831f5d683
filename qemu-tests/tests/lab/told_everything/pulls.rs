//! Images that this node pulls as it is told: by passwords, through the proxy and past it.

use anyhow::{Result, ensure};
use orlop_machine::lab::network::{API_PORT, DOMAIN, HOST};
use orlop_machine::lab::{REGISTRY_PORT, cni};

use super::{GUARDED, PLAIN, Told};
use crate::segment::ELSEWHERE;

pub(super) fn by_a_mirrors_password(told: &Told<'_>) -> Result<()> {
    push(told, "told-mirrored")?;
    told.pulls("told-mirrored", &format!("{ELSEWHERE}/told-mirrored:1"))
}

pub(super) fn by_a_registrys_password(told: &Told<'_>) -> Result<()> {
    let image = push(told, "told-guarded")?;
    told.pulls("told-guarded", &image)
}

/// Pushes an image that says its name; how pods call it where they are asked who pulls.
fn push(told: &Told<'_>, name: &str) -> Result<String> {
    let lab = &told.segment().lab;
    let image = cni::busybox(lab)?.with("/mark", 0o644, name);
    Ok(told.segment().registry.push(lab, &format!("{name}:1"), &image)?.guarded)
}

/// By the mirror's name, which is no exception.
pub(super) fn plain_http_through_the_proxy(told: &Told<'_>) -> Result<()> {
    push(told, "told-plain")?;
    told.pulls("told-plain", &format!("{PLAIN}/told-plain:1"))?;
    let (asked, place) = (told.proxy.asked(), format!("GET http://registry.{DOMAIN}:{REGISTRY_PORT}/v2/told-plain/"));
    let led = asked.iter().any(|line| line.starts_with(&place) && line.ends_with(": led on"));
    ensure!(led, "{place} was not asked for: {asked:?}");
    Ok(())
}

/// kubelet, and containerd with and without a password of the registry's.
pub(super) fn goes_through_the_proxy(told: &Told<'_>) -> Result<()> {
    let asked = told.proxy.asked();
    for place in
        [format!("api.{DOMAIN}:{API_PORT}"), format!("registry.{DOMAIN}:443"), format!("registry.{DOMAIN}:{GUARDED}")]
    {
        ensure!(asked.contains(&format!("CONNECT {place}: 200 OK")), "{place} was not asked for: {asked:?}");
    }
    Ok(())
}

/// The mirror was asked, and the proxy was not asked for it.
pub(super) fn goes_past_the_proxy(told: &Told<'_>) -> Result<()> {
    let asked = told.proxy.asked();
    ensure!(!asked.iter().any(|line| line.contains(HOST)), "{HOST} is an exception: {asked:?}");
    Ok(())
}
