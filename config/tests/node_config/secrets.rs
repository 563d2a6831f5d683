//! Secrets, where they belong and where they do not: no error repeats them.

use super::{FULL, KEY, LEAST, changed, error_of, parse};

/// Secrets of the full document, each in a place where it does not belong.
#[test]
fn no_message_repeats_a_secret() {
    let secret = "s3cr3t";
    let twice = format!("[registries.\"reader:{secret}@reg.example\"]\n");
    for text in [
        format!("{LEAST}[cluster]\ntoken = \"{secret}\"\n"),
        LEAST.replace("abcdef.0123456789abcdef", secret),
        LEAST.replace("token = \"abcdef.0123456789abcdef\"", &format!("token = \"{secret}\"\ntoken = \"{secret}\"")),
        LEAST.replace("token = \"abcdef.0123456789abcdef\"", &format!("token = [\"{secret}\"]")),
        LEAST.replace("token = \"abcdef.0123456789abcdef\"", &format!("token = {{ a = \"{secret}\" }}")),
        LEAST.replace("token = \"abcdef.0123456789abcdef\"", &format!("token = \"{secret}")),
        LEAST.replace("token = \"abcdef.0123456789abcdef\"", &format!("tokn = \"{secret}\"")),
        LEAST.replace("token = \"abcdef.0123456789abcdef\"", &format!("token = \"\\x{secret}\"")),
        LEAST.replace("token = \"abcdef.0123456789abcdef\"", &format!("token \"{secret}\"")),
        LEAST.replace("token = \"abcdef.0123456789abcdef\"", &format!("token = {secret}")),
        LEAST.replace("token = \"abcdef.0123456789abcdef\"", &format!("dns = \"{secret}\"")),
        LEAST.replace("https://192", &format!("https://user:{secret}@192")),
        format!("version = 1\ncluster = \"{secret}\""),
        format!("version = \"{secret}\""),
        changed("\"hunter2\"\nmirrors", &format!("[\"{secret}\"]\nmirrors")),
        changed("\"hunter2\"\nmirrors", &format!("\"{secret}\\n\"\nmirrors")),
        changed("https://mirror.example.org/hub", &format!("https://user:{secret}@mirror.example.org")),
        changed("builder:hunter2@", &format!("builder:{secret}@@")),
        changed("builder:hunter2@", &format!("builder:{secret}#@")),
        changed("builder:hunter2@", &format!("builder:{secret}%of@")),
        changed("http://builder:hunter2@", &format!("ftp://builder:{secret}@")),
        changed("builder:hunter2@proxy.example.org", &format!("builder:{secret}@")),
        FULL.replace(KEY.trim_end(), secret),
        changed("registries.\"docker.io\"", &format!("registries.\"reader:{secret}@reg.example\"")),
        format!("{LEAST}{twice}{twice}"),
        format!("{LEAST}[cluster.\"a:{secret}@b\"]\n"),
        format!("{LEAST}[labels.\"a:{secret}@b\"]\n"),
        LEAST.replace(" CERTIFICATE-", &format!(" a:{secret}@b-")),
        changed("class = \"public\"", &format!("class = \"a:{secret}@b\"")),
        changed("\"node-1.example\"", &format!("\"a:{secret}@b\"")),
        changed("hostname =", &format!("\"a:{secret}@b\" =")),
        changed("52:54:00:12:34:56", &format!("a:{secret}@52:54:00:12:34:56")),
        changed("192.0.2.10/24", &format!("a:{secret}@192.0.2.10/24")),
        changed("\"192.0.2.53\"", &format!("\"a:{secret}@dns\"")),
        changed("\"192.0.2.53\"", &format!("\"a:{secret}\\u0040dns\"")),
        changed("\"example.org\"]", &format!("\"a:{secret}@b\"]")),
        changed("\"ntp.example.org\"", &format!("\"a:{secret}@ntp\"")),
        changed("\".example.org\"]", &format!("\"http://a:{secret}@b\"]")),
        changed("\"cluster.example\"", &format!("\"a:{secret}@b\"")),
        changed("\"example.org/rack\"", &format!("\"a:{secret}@b\"")),
        changed("\"17\"", &format!("\"a:{secret}@b\"")),
        changed("effect = \"NoSchedule\"", &format!("effect = \"a:{secret}@b\"")),
        changed("https://mirror.example.org/hub", &format!("a:{secret}@mirror.example.org")),
        changed("agent = \"\"\"", &format!("\"a:{secret}@b\" = \"\"\"")),
        changed("  name: agent\n", &format!("  name: a:{secret}@b\n")),
        changed("\"net.core.somaxconn\"", &format!("\"a:{secret}@b\"")),
        changed("8192", &format!("\"a:{secret}@b\"")),
    ] {
        let error = error_of(&text);
        assert!(!error.contains(secret), "{error}");
    }
    let error = error_of(&changed("registries.\"docker.io\"", "registries.\"reader:s3cr3t@reg.example/x\""));
    assert!(
        error.contains(": registries.\"********@reg.example/x\": `********@reg.example/x` is not a reg"),
        "{error}"
    );
    for (number, text) in [(12_345_678, "12345678"), (-7_654_321, "7654321")] {
        let error = error_of(&changed("password = \"hunter2\"\nmirrors", &format!("password = {number}\nmirrors")));
        assert!(error.contains("expected a string, found an integer") && !error.contains(text), "{error}");
    }
    let shown = format!("{:?}", parse(FULL).expect("sound"));
    for secret in ["hunter2", "hunter3", KEY.lines().nth(1).expect("base64")] {
        assert!(FULL.contains(secret) && !shown.contains(secret), "{shown}");
    }
}

/// A token in each place where something else belongs.
#[test]
fn no_message_repeats_a_token_that_stands_elsewhere() {
    let secret = "0123456789abcdef";
    let token = format!("abcdef.{secret}");
    let server = "https://192.0.2.1:6443";
    for text in [
        format!("{LEAST}\"{token}\" = 1\n"),
        format!("{LEAST}\"{token}\" = 1\n\"{token}\" = 2\n"),
        format!("{LEAST}[cluster.\"{token}\"]\n[cluster.\"{token}\"]\n"),
        format!("{LEAST}[registries.\"{token}\"]\nca = \"x\"\n"),
        format!("{LEAST}[sysctls]\n\"{token}\" = 1\n"),
        format!("{LEAST}[labels]\n\"{token}\" = 1\n"),
        format!("{LEAST}[static_pods]\n\"{token}\" = \"x\"\n"),
        LEAST.replace(server, &token),
        LEAST.replace(server, &format!("https://{token}/")),
        changed("class = \"public\"", &format!("class = \"{token}\"")),
        changed("\"node-1.example\"", &format!("\"-{token}\"")),
        changed("192.0.2.10/24", &token),
        changed("\"192.0.2.53\"", &format!("\"{token}\"")),
        changed("\"example.org\"]", &format!("\"{token}_\"]")),
        changed("effect = \"NoSchedule\"", &format!("effect = \"{token}\"")),
        changed("  name: agent\n", &format!("  name: {token}\n")),
    ] {
        let error = error_of(&text);
        assert!(!error.contains(secret) && error.contains("********"), "{error}");
    }
}
