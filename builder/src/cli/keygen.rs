//! `orlop keygen`: makes the keys.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;

use super::Context;
use crate::keys::{self, Names};

/// Make a set of keys: the release key (ed25519) that signs manifests, and PK, KEK and db (RSA-2048) for the firmware.
///
/// Beside each secret key, written with mode 0600, lie its public part, its certificate, and the signature list (.esl)
/// and signed update (.auth) that firmware setup, efi-updatevar and clouds take. Nothing is ever overwritten.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  orlop keygen keys --development")]
pub struct KeygenArgs {
    /// The folder to write to; made where it does not exist.
    folder: PathBuf,
    /// Make development keys: marked as such, and every image signed with them says so when it boots.
    #[arg(long)]
    development: bool,
    /// Whose keys these are: the certificates are called `NAME PK`, `NAME KEK` and `NAME db`.
    #[arg(long, value_name = "NAME", default_value = "Orlop", value_parser = parse_name)]
    name: String,
    /// The certificates' last day. They begin with 2020-01-01, before any image.
    #[arg(long, value_name = "YYYY-MM-DD", default_value = "2049-12-31", value_parser = parse_day)]
    end: (u16, u8, u8),
}

/// Runs the verb.
pub fn run(args: &KeygenArgs, context: &Context) -> anyhow::Result<()> {
    // Firmware takes no signed update that is older than what it has: this is the one place where the clock counts.
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let names = Names { name: args.name.clone(), end: args.end, development: args.development, time };
    let made = keys::generate(&args.folder, &names)?;
    let lines = |paths: &[PathBuf], what: &str| -> String {
        paths.iter().map(|path| format!("{} ({what})\n", path.display())).collect()
    };
    let text = format!(
        "{}{}{} (names those that sign images: --keys {})",
        lines(&made.secret, "secret: keep it, and a copy, where nobody else reads it"),
        lines(&made.public, "public"),
        made.keys.display(),
        args.folder.display()
    );
    context.result(&made, &text)
}

fn parse_name(text: &str) -> Result<String, String> {
    let good = (1..=40).contains(&text.len()) && !text.contains(char::is_control) && text.trim() == text;
    if good { Ok(text.into()) } else { Err("a name has 1 to 40 bytes, and no blanks at its ends".into()) }
}

fn parse_day(text: &str) -> Result<(u16, u8, u8), String> {
    let mut parts = text.split('-');
    let mut number = |digits: usize| parts.next().filter(|part| part.len() == digits)?.parse::<u16>().ok();
    let day = (|| Some((number(4)?, u8::try_from(number(2)?).ok()?, u8::try_from(number(2)?).ok()?)))();
    let exists = |(year, month, day): &(u16, u8, u8)| {
        *year >= 2020 && x509_cert::der::DateTime::new(*year, *month, *day, 0, 0, 0).is_ok()
    };
    let day = day.filter(|_| parts.next().is_none()).filter(exists);
    day.ok_or_else(|| "not a day after 2020-01-01, written as 2049-12-31".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_days() {
        assert_eq!(parse_day("2049-12-31"), Ok((2049, 12, 31)));
        for bad in ["", "2049", "2049-13-01", "2049-02-30", "49-12-31", "2049-12-31-1", "2019-12-31", "x-y-z"] {
            assert!(parse_day(bad).is_err(), "{bad}");
        }
    }
}
