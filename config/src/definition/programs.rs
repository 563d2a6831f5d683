//! A list of programs (`kind = "programs"`): components that are built into a folder. It is no image: it has neither
//! kernel nor root. The tests' own servers are made from one, pinned like an image's inputs.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::de::DeValue;

use super::check::program_problems;
use super::{Architecture, Budgets, Component, ConfigError, Definition, Kernel, Modules, Source};
use crate::text::{Mistake, Sources, Text, span_of};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Programs {
    #[serde(rename = "kind")]
    _kind: Kind,
    name: String,
    kubernetes: String,
    components: BTreeMap<String, Program>,
}

#[derive(Deserialize)]
enum Kind {
    #[serde(rename = "programs")]
    Programs,
}

/// A component's source, and the files that are taken of it: name in the folder → path in what the source yields.
/// Without `install` all are taken, under their own names.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    source: Source,
    #[serde(default)]
    install: BTreeMap<String, String>,
}

impl Definition {
    /// Whether this is an image's definition, and no list of programs.
    pub fn is_image(&self) -> bool {
        !self.kernel.component.is_empty()
    }
}

/// The list of programs that a text holds, as a definition without an image; `None` when it says no `kind`.
pub(super) fn read(text: &Text) -> Result<Option<Definition>, ConfigError> {
    let sources = Sources::new(std::slice::from_ref(text));
    let table = sources.parse(0)?;
    let Some(kind) = table.get_ref().get("kind") else { return Ok(None) };
    if !matches!(kind.get_ref(), DeValue::String(kind) if kind == "programs") {
        let next = "a list of programs says \"programs\", an image's definition has no `kind`".to_string();
        return Err(sources.mistake(kind.span(), "an unknown `kind`".into(), Some(next)).into());
    }
    let places = table.get_ref().clone();
    let definition = definition(sources.read(table)?);
    let mistakes: Vec<Mistake> = program_problems(&definition)
        .into_iter()
        .map(|problem| sources.mistake(span_of(&places, &problem.path), problem.message, problem.next))
        .collect();
    if mistakes.is_empty() { Ok(Some(definition)) } else { Err(ConfigError::Mistakes(mistakes)) }
}

fn definition(list: Programs) -> Definition {
    let component = |program: Program| Component {
        source: program.source,
        install: program.install,
        links: BTreeMap::new(),
        allow: Vec::new(),
        modes: BTreeMap::new(),
    };
    let named = list.components.into_iter().map(|(name, program)| (name, component(program)));
    Definition {
        components: named.collect(),
        name: list.name,
        kubernetes: list.kubernetes,
        version: "0".into(),
        architecture: Architecture::X86_64,
        class: "public".into(),
        extends: None,
        refusal: Default::default(),
        kernel: Kernel { component: String::new(), command_line: Vec::new(), modules: Modules::default() },
        trust: Default::default(),
        stub: String::new(),
        partitions: Default::default(),
        budgets: Budgets::NOTHING,
        gates: Default::default(),
        erofs: Default::default(),
        preload: BTreeMap::new(),
        static_pods: BTreeMap::new(),
        state: Default::default(),
        kubelet: Default::default(),
        node_config: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::load;
    use crate::lockfile::toolchains;
    use crate::text::Text;

    const LIST: &str = "kind = \"programs\"\nname = \"lab\"\nkubernetes = \"1.37\"\n[components.etcd]\n\
        source.go = { module = \"go.etcd.io/etcd/server/v3\", version = \"3.7\", commands = [\".\"] }\n\
        install = { etcd = \"server\" }\n";

    fn loaded(text: &str) -> Result<super::Definition, String> {
        let nothing = &mut |_: &str, _: &str| Err("nothing is extended".into());
        load(Text::new("lab.toml", text), nothing).map(|found| found.definition).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_of_programs_needs_no_image_and_no_image_tools() {
        let list = loaded(LIST).unwrap();
        assert!(!list.is_image());
        assert_eq!(list.components["etcd"].install["etcd"], "server");
        assert_eq!(toolchains(&list).into_iter().collect::<Vec<_>>(), ["toolchain.go"]);
    }

    #[test]
    fn mistakes_are_named_where_they_stand() {
        for (from, to, says) in [
            ("\"programs\"", "\"program\"", "lab.toml:1:8: an unknown `kind`"),
            ("kubernetes =", "kubernets =", "lab.toml:3:1: unknown key `kubernets`; did you mean `kubernetes`?"),
            ("etcd = \"server\"", "\"/etcd\" = \"server\"", "`/etcd` is no path in the folder"),
            ("etcd = \"server\"", "etcd = \"../server\"", "`../server` is no path in the source"),
            ("[\".\"]", "[]", "no command is named"),
            ("install", "allow", "unknown key `allow`"),
        ] {
            let error = loaded(&LIST.replacen(from, to, 1)).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
