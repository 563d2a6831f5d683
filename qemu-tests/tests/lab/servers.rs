//! The other servers of the lab, asked over its network from its host.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use orlop_machine::lab::{Cloud, Metadata, Mood};

use crate::clouds;
use crate::segment::{Segment, segment};

const LIMIT: Duration = Duration::from_secs(20);

#[test]
fn the_metadata_server_has_its_moods() -> Result<()> {
    let segment = segment()?;
    let _alone = clouds::alone();
    let metadata = Metadata::start(&segment.lab, Cloud::Ec2, "version = 1\n")?;
    let path = "/latest/user-data";
    ensure!(get(segment, path, "")?.starts_with(b"HTTP/1.1 401 "), "without a token");
    let with = "X-aws-ec2-metadata-token: AQAEAlabtoken==\r\n";
    ensure!(get(segment, path, with)?.ends_with(b"\r\n\r\nversion = 1\n"), "with one");
    metadata.mood(Mood::NotFound);
    ensure!(get(segment, path, with)?.starts_with(b"HTTP/1.1 404 "), "404");
    metadata.mood(Mood::Garbage);
    ensure!(!get(segment, path, with)?.starts_with(b"HTTP"), "garbage");
    metadata.mood(Mood::Slow(Duration::from_millis(300)));
    let began = std::time::Instant::now();
    get(segment, path, with)?;
    ensure!(began.elapsed() >= Duration::from_millis(300), "slow");
    metadata.mood(Mood::Huge);
    ensure!(get(segment, path, with)?.len() > 1 << 20, "huge");
    let mark = metadata.mark();
    metadata.mood(Mood::Normal);
    metadata.document(b"another");
    ensure!(get(segment, path, with)?.ends_with(b"another"), "changed");
    metadata.wait_for(mark, "GET /latest/user-data", LIMIT)?;
    Ok(())
}

/// At most 2 MiB of the answer.
fn get(segment: &Segment, path: &str, headers: &str) -> Result<Vec<u8>> {
    let mut stream = segment.lab.namespace.connect("169.254.169.254:80".parse()?, LIMIT)??;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: metadata\r\n{headers}\r\n")?;
    let mut answer = Vec::new();
    stream.take(2 << 20).read_to_end(&mut answer)?;
    Ok(answer)
}

#[test]
fn the_time_server_is_as_wrong_as_it_is_told() -> Result<()> {
    let segment = segment()?;
    let asked = || -> Result<i64> {
        let socket = segment.lab.namespace.udp("192.0.2.1:0".parse()?)?;
        socket.set_read_timeout(Some(LIMIT))?;
        let mut packet = [0; 48];
        packet[0] = 0b0010_0011;
        socket.send_to(&packet, SocketAddr::from(([192, 0, 2, 1], 123)))?;
        ensure!(socket.recv(&mut packet)? == 48, "a whole answer");
        let seconds = u32::from_be_bytes(packet[40..44].try_into()?);
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs() + 2_208_988_800;
        // Both wrap in 2036.
        Ok(i64::from(seconds.wrapping_sub(now as u32) as i32))
    };
    ensure!(asked()?.abs() <= 2, "right: {}", asked()?);
    segment.time.wrong_by(-86_400);
    let wrong = asked();
    segment.time.wrong_by(0);
    ensure!((wrong? + 86_400).abs() <= 2, "a day behind");
    Ok(())
}

#[test]
fn names_of_the_lab_are_known_and_no_others() -> Result<()> {
    let segment = segment()?;
    // A question for an A record, as RFC 1035 has it.
    let ask = |name: &str| -> Result<(u8, Vec<u8>)> {
        let socket = segment.lab.namespace.udp("192.0.2.1:0".parse()?)?;
        socket.set_read_timeout(Some(LIMIT))?;
        let mut packet = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            packet.push(u8::try_from(label.len())?);
            packet.extend(label.bytes());
        }
        packet.extend([0, 0, 1, 0, 1]);
        socket.send_to(&packet, SocketAddr::from(([192, 0, 2, 1], 53)))?;
        let mut answer = [0; 512];
        let length = socket.recv(&mut answer)?;
        ensure!(length >= 12 && answer[..2] == [0, 7], "an answer to this question");
        Ok((answer[3] & 15, answer[..length].to_vec()))
    };
    let (status, answer) = ask("api.lab.test")?;
    ensure!(status == 0 && answer.ends_with(&[192, 0, 2, 1]), "status {status}: {answer:?}");
    let (status, _) = ask("example.com")?;
    ensure!(status == 3, "a name that nobody has: status {status}");
    Ok(())
}

#[test]
fn an_image_is_pushed_and_had_by_https_from_who_trusts_the_authority() -> Result<()> {
    let segment = segment()?;
    let digest = segment.busybox.digest.rsplit('@').next().unwrap_or_default();
    let crane = segment.lab.tools.program("crane")?;
    let digest_with = |authority: &Path| {
        let mut command = segment.lab.namespace.command(&crane);
        // The certificate is for this address too; the name is for nodes, which ask the lab's DNS.
        command.args(["digest", "192.0.2.1:443/busybox:1"]).env("SSL_CERT_FILE", authority);
        command.output()
    };
    let good = digest_with(&segment.registry.authority.pair.certificate)?;
    ensure!(String::from_utf8_lossy(&good.stdout).trim() == digest, "{good:?}");
    let bad = digest_with(&segment.plane().authority.pair.certificate)?;
    let said = String::from_utf8_lossy(&bad.stderr).into_owned();
    ensure!(!bad.status.success() && said.contains("unknown authority"), "{said}");
    segment.registry.service.wait_line("/v2/busybox/manifests/", LIMIT)?;
    Ok(())
}
