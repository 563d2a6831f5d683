//! A credential provider as kubelet starts it (`credentialprovider.kubelet.k8s.io/v1`): name and password come from the
//! environment that the image's definition names.

use serde_json::{Value, json};
use std::io::{self, Read};

/// The word that this program is started with to be one.
pub const CREDENTIALS: &str = "credentials";
const VERSION: &str = "credentialprovider.kubelet.k8s.io/v1";

/// Reads kubelet's request, and answers it.
pub fn answer() -> io::Result<()> {
    let mut request = String::new();
    io::stdin().read_to_string(&mut request)?;
    let named = |name: &str| std::env::var(name).map_err(|_| io::Error::other(format!("{name} is not set")));
    println!("{}", response(&request, &named("LAB_USER")?, &named("LAB_PASSWORD")?)?);
    Ok(())
}

fn response(request: &str, username: &str, password: &str) -> io::Result<Value> {
    let request: Value = serde_json::from_str(request)?;
    if request["apiVersion"] != VERSION || request["kind"] != "CredentialProviderRequest" {
        return Err(io::Error::other(format!("not a request of {VERSION}")));
    }
    let image = request["image"].as_str().unwrap_or_default();
    let registry = image.split('/').next().unwrap_or_default();
    Ok(json!({
        "apiVersion": VERSION,
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Image",
        "auth": {registry: {"username": username, "password": password}},
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_of_the_image_gets_them_and_another_request_nothing() {
        let request = r#"{"apiVersion": "credentialprovider.kubelet.k8s.io/v1", "kind": "CredentialProviderRequest",
            "image": "registry.example:8443/team/app:1"}"#;
        let answer = response(request, "name", "word").expect("an answer");
        assert_eq!(answer["auth"]["registry.example:8443"], json!({"username": "name", "password": "word"}));
        assert!(response(&request.replace("/v1\"", "/v2\""), "", "").is_err() && response("{", "", "").is_err());
    }
}
