//! What a definition must keep to beyond its types. Each rule says what is wrong, where, and what would be right.

mod component;
mod credential_provider;
mod firewall;
mod gates;
mod image;
mod kernel;
mod node_config;
mod references;
mod source;

use super::Definition;
use crate::problem::{Problem, Report};

impl Definition {
    /// Everything that is wrong with this definition, in the order of its parts.
    pub fn problems(&self) -> Vec<Problem> {
        let mut report = Report::default();
        image::check_identity(self, &mut report);
        kernel::check_command_line(self, &mut report);
        kernel::check_modules(&self.kernel.modules, &mut report);
        for (name, component) in &self.components {
            component::check(name, component, &mut report);
            source::check(name, &component.source, &mut report);
        }
        references::check_components(self, &mut report);
        references::check_preload(self, &mut report);
        references::check_oci_components(self, &mut report);
        references::check_static_pods(self, &mut report);
        references::check_paths_once(self, &mut report);
        node_config::check(self, &mut report);
        credential_provider::check(self, &mut report);
        firewall::check(self, &mut report);
        gates::check(self, &mut report);
        image::check_sizes(self, &mut report);
        report.into_problems()
    }
}

/// What is wrong with a list of programs: its name, its versions, its sources.
pub(super) fn program_problems(definition: &Definition) -> Vec<Problem> {
    let mut report = Report::default();
    image::check_identity(definition, &mut report);
    for (name, component) in &definition.components {
        component::check_program(name, component, &mut report);
        source::check(name, &component.source, &mut report);
    }
    report.into_problems()
}

const NAME_RULE: &str = "it takes lowercase letters, digits and `-`, begins with no `-` and has at most 32 characters";
const VERSION_RULE: &str = "it begins with a digit and has letters, digits and `.`, `-`, `+`, `~`, `^` or `_`";
const ROOT_PATH_RULE: &str = "begin it with `/`, without `.`, `..`, empty parts and a `/` at the end";
const INNER_PATH_RULE: &str = "name it relative to the source's top, without `.`, `..` and empty parts";
