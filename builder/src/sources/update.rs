//! What `orlop lock --update` names: which of the locked inputs are resolved anew.

use orlop_config::definition::{Definition, Source};
use orlop_config::lockfile::toolchains;
use orlop_config::nearest;

use super::error::Error;
use super::go;

/// Which inputs are resolved anew although they are locked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Update {
    /// None: only what is missing, or does not fit the definition any more.
    #[default]
    Nothing,
    /// All of them.
    All,
    /// One input, such as `kubelet`, `toolchain.go` or `tool.erofs-utils`, with its libraries. The others stay as they
    /// are, as far as they still fit the definition.
    One {
        /// Its name in the lockfile.
        input: String,
        /// The version that it gets; `None` is the newest that fits.
        version: Option<String>,
    },
}

impl Update {
    /// One input, as the command line names it: `kubelet`, `kubelet@1.37.3`.
    pub fn one(named: &str) -> Update {
        match named.split_once('@') {
            Some((input, version)) => Update::One { input: input.into(), version: Some(version.into()) },
            None => Update::One { input: named.into(), version: None },
        }
    }

    /// Whether an input is to be resolved anew.
    pub(super) fn wants(&self, name: &str) -> bool {
        match self {
            Update::Nothing => false,
            Update::All => true,
            Update::One { .. } => self.names(name),
        }
    }

    /// Whether an input is the one that was named, or a library of it.
    pub(super) fn names(&self, name: &str) -> bool {
        let Update::One { input, .. } = self else { return false };
        name.strip_prefix(&**input).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// The version that was asked for.
    pub(super) fn version_of(&self, name: &str) -> Option<&str> {
        match self {
            Update::One { input, version } if input == name => version.as_deref(),
            _ => None,
        }
    }

    /// A misspelt name must not pass for "nothing to do", nor a version that is not to be chosen here for one that was.
    pub(super) fn check(&self, definition: &Definition) -> Result<(), Error> {
        let Update::One { input, version } = self else { return Ok(()) };
        let names: Vec<&str> = definition.components.keys().map(String::as_str).chain(toolchains(definition)).collect();
        if !names.contains(&&**input) {
            let all = names.join(", ");
            let next = match nearest(input, &names) {
                Some(near) => format!("did you mean `{near}`? There are {all}"),
                None => format!("there are {all}"),
            };
            return Err(Error::Usage(format!("--update: no input `{input}`; {next}")));
        }
        let Some(version) = version else { return Ok(()) };
        let wrong = |why: String| Err(Error::Usage(format!("--update {input}@{version}: {why}")));
        match definition.components.get(input).map(|component| &component.source) {
            Some(Source::Deb(_)) => Ok(()),
            Some(Source::Go(source)) => {
                let asked = source.version.as_deref().unwrap_or(&definition.kubernetes);
                if go::fits(version, asked) {
                    return Ok(());
                }
                wrong(format!("the definition asks for `{asked}`; write another version there"))
            }
            Some(_) => wrong("its version stands in the definition; change it there".into()),
            None => wrong(format!(
                "toolchains, tools and libraries get the newest version that fits; leave `@{version}` out"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::sources::Project;

    #[test]
    fn an_update_names_an_input_or_a_tool_with_its_libraries() {
        let one = Update::one("tool.erofs-utils");
        assert!(one.wants("tool.erofs-utils") && one.wants("tool.erofs-utils.libc6"));
        assert!(!one.wants("tool.erofs") && !one.wants("tool.erofs-utilsx"));
        let versioned = Update::one("kubelet@1.37.3");
        assert_eq!((versioned.version_of("kubelet"), versioned.version_of("runc")), (Some("1.37.3"), None));
        assert!(versioned.wants("kubelet") && !versioned.wants("kubelet@1.37.3"));
    }

    #[test]
    fn what_is_no_input_and_what_has_no_version_to_choose_is_wrong_usage() {
        let project = Project::load(Path::new("orlop:standalone")).unwrap();
        let check = |named: &str| Update::one(named).check(project.definition());
        for named in ["kubelet", "kubelet@1.37.99", "kubelet@v1.37.99", "kernel", "kernel@6.12.9-1", "toolchain.go"] {
            assert!(check(named).is_ok(), "{named}");
        }
        for (named, says) in [
            ("kubelett", "no input `kubelett`; did you mean `kubelet`? There are"),
            ("something-else", "no input `something-else`; there are"),
            ("kubelet@1.36.1", "--update kubelet@1.36.1: the definition asks for `1.37`"),
            ("kubelet@", "the definition asks for `1.37`"),
            ("init@2", "its version stands in the definition"),
            ("toolchain.go@1.26.9", "leave `@1.26.9` out"),
        ] {
            let error = check(named).unwrap_err().to_string();
            assert!(error.contains(says), "{named}: {error}");
        }
    }
}
