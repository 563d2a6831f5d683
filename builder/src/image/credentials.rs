//! The programs that give kubelet credentials: what kubelet is told of them, and the folder in which it looks for them.

use anyhow::bail;
use orlop_config::definition::Definition;
use orlop_config::node::{CREDENTIAL_PROGRAMS, CREDENTIAL_PROVIDERS};
use orlop_config::render;

use crate::tree::{self, Node, Tree};

/// Puts both into a root that has all that components install.
pub fn insert(root: &mut Tree, definition: &Definition) -> anyhow::Result<()> {
    for (name, provider) in &definition.kubelet.credential_providers {
        check_program(root, name, &provider.program)?;
        let up = "../".repeat(CREDENTIAL_PROGRAMS.matches('/').count());
        let target = format!("{up}{}", provider.program.trim_start_matches('/'));
        root.insert(&format!("{CREDENTIAL_PROGRAMS}/{name}"), tree::IMAGE, Node::Link { target })?;
    }
    if let Some(text) = render::credential_providers(definition) {
        root.insert_rendered(CREDENTIAL_PROVIDERS, text)?;
    }
    Ok(())
}

/// kubelet does not start with a provider that it cannot start.
fn check_program(root: &Tree, name: &str, program: &str) -> anyhow::Result<()> {
    let found = root.get(program).map(|entry| (&entry.node, &entry.component));
    match found {
        Some((Node::File { mode, .. }, _)) if mode & 0o111 != 0 => Ok(()),
        Some((Node::File { mode, .. }, component)) => bail!(
            "kubelet.credential_providers.{name}: `{program}` of component `{component}` has mode {mode:04o}: nobody can start \
             it; give it a mode in `modes`"
        ),
        _ => {
            bail!("kubelet.credential_providers.{name}: `{program}` is no file of the root; install it by a component")
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use orlop_config::definition::CredentialProvider;

    use super::*;
    use crate::sources::Project;
    use crate::tree::Content;

    fn definition(program: &str) -> Definition {
        let mut definition = Project::load(Path::new("orlop:cluster")).expect("shipped").definition().clone();
        let provider = CredentialProvider {
            program: program.into(),
            match_images: vec!["registry.example".into()],
            cache_seconds: 7,
            args: Vec::new(),
            env: Default::default(),
        };
        definition.kubelet.credential_providers.insert("mine".into(), provider);
        definition
    }

    fn root(mode: u32) -> Tree {
        let mut root = Tree::default();
        let content = Content::Bytes(b"program".to_vec());
        root.insert("/usr/libexec/mine", "mine", Node::File { mode, content }).expect("a path");
        root
    }

    #[test]
    fn a_provider_is_a_link_to_a_program_and_what_kubelet_reads() {
        let mut root = root(0o755);
        insert(&mut root, &definition("/usr/libexec/mine")).expect("a program");
        let Some(Node::Link { target }) = root.get(&format!("{CREDENTIAL_PROGRAMS}/mine")).map(|entry| &entry.node)
        else {
            panic!("a link");
        };
        assert_eq!(target, "../../../../usr/libexec/mine");
        assert!(root.get(CREDENTIAL_PROVIDERS).is_some());
        let mut none = Tree::default();
        insert(&mut none, Project::load(Path::new("orlop:cluster")).expect("shipped").definition()).expect("nothing");
        assert_eq!(none.iter().count(), 0, "a definition without providers has none of it");
    }

    #[test]
    fn a_program_that_kubelet_could_not_start_fails_the_build() {
        let error = insert(&mut root(0o644), &definition("/usr/libexec/mine")).expect_err("no program").to_string();
        assert!(error.contains("credential_providers.mine") && error.contains("mode 0644"), "{error}");
        let error = insert(&mut root(0o755), &definition("/usr/libexec/other")).expect_err("no file").to_string();
        assert!(error.contains("`/usr/libexec/other` is no file of the root"), "{error}");
    }
}
