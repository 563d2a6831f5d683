//! Registries that want to know who asks: the programs that keep names and passwords are found by the user's own settings.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use orlop::sources::hash;

use crate::download::definition;
use crate::support::server::{Answer, Server};
use crate::support::{Desk, Outcome, orlop, run};

/// A helper that writes down what it is asked for.
const HELPER: &str = "#!/bin/sh
cat >> \"$(dirname \"$0\")/asked\"
echo '{\"Username\": \"u\", \"Secret\": \"hunter2\"}'
";

/// `orlop lock` of a definition with an image of a registry, by docker's settings in `docker` and the programs in `bin`.
fn lock(desk: &Desk, server: &Server, host: &str) -> Outcome {
    let path = definition(desk, server, "url");
    let text = format!(
        "{}[components.app]\nsource.oci.reference = \"{host}/team/app:1@sha256:{}\"\n\
         [preload.\"registry.example/team/app:1\"]\ncomponent = \"app\"\n",
        fs::read_to_string(&path).unwrap(),
        hash(b"manifest")
    );
    fs::write(&path, text).unwrap();
    let path_variable = format!("{}:{}", desk.path("bin").display(), std::env::var("PATH").unwrap());
    let mut command = orlop();
    command.arg("lock").arg(&path).env("ORLOP_CACHE", desk.path("cache")).env("PATH", path_variable);
    command.env("HOME", desk.path("home")).env("DOCKER_CONFIG", desk.path("docker"));
    command.env_remove("REGISTRY_AUTH_FILE").env_remove("XDG_RUNTIME_DIR");
    command.env_remove("http_proxy").env("NO_PROXY", "127.0.0.1").env("no_proxy", "127.0.0.1");
    run(&mut command)
}

#[test]
fn the_helper_that_dockers_settings_name_is_asked_for_the_registry() {
    let (desk, server) = (Desk::new(), Server::start(Answer::Guarded("Basic dTpodW50ZXIy")));
    let url = server.url("");
    let host = url.trim_start_matches("http://").trim_end_matches('/');
    // Nobody is logged in.
    lock(&desk, &server, host).fails(1, &["component `app`", "HTTP status 401", "log in to", "docker/config.json"]);
    // There is no such program.
    desk.file("docker/config.json", "{\"credsStore\": \"keychain\"}");
    let says = ["docker-credential-keychain", "docker/config.json", host, "PATH", "install it"];
    lock(&desk, &server, host).fails(1, &says);
    // With the name and the password that it keeps, the registry says more.
    let helper = desk.file("bin/docker-credential-keychain", HELPER);
    fs::set_permissions(helper, Permissions::from_mode(0o755)).unwrap();
    let outcome = lock(&desk, &server, host);
    outcome.fails(1, &["component `app`", "/v2/team/app/manifests/sha256:", "HTTP status 404", "push the image"]);
    assert!(!outcome.stderr.contains("hunter2"), "{}", outcome.stderr);
    assert_eq!(fs::read_to_string(desk.path("bin/asked")).unwrap(), host);
}
