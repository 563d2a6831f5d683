//! What kubelet is told of the programs that give it credentials (`kubelet.config.k8s.io/v1`).

use serde_json::{Value, json};

use crate::definition::{CredentialProvider, Definition};

/// The document, as JSON, which is YAML too; `None` where the definition names no program.
pub fn credential_providers(definition: &Definition) -> Option<String> {
    let named = &definition.kubelet.credential_providers;
    let providers: Vec<Value> = named.iter().map(|(name, provider)| described(name, provider)).collect();
    let document = json!({
        "apiVersion": "kubelet.config.k8s.io/v1",
        "kind": "CredentialProviderConfig",
        "providers": providers,
    });
    (!named.is_empty()).then(|| format!("{document:#}\n"))
}

fn described(name: &str, provider: &CredentialProvider) -> Value {
    let env: Vec<Value> = provider.env.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({
        "name": name,
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "matchImages": provider.match_images,
        "defaultCacheDuration": format!("{}s", provider.cache_seconds),
        "args": provider.args,
        "env": env,
    })
}
