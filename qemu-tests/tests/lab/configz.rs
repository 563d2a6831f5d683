//! kubelet's configuration as kubelet itself says it, beside the file that PID 1 gave it: kubelet takes a key that it does
//! not know without a word to anybody, and then goes by its default.

use anyhow::{Context, Result, bail, ensure};
use orlop_machine::within;
use serde_json::{Map, Value};

use crate::segment::{Segment, one};

/// What stands in the file and not in the answer: a zero that kubelet leaves out.
const UNSAID: [(&str, &str); 1] = [("readOnlyPort", "0")];

#[test]
fn kubelet_goes_by_every_key_of_its_configuration() -> Result<()> {
    let segment = one()?.segment;
    let kubectl = &segment.kubectl;
    kubectl.apply(&format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: configz}}, spec: {{nodeName: one, restartPolicy: Never, \
         containers: [{{name: it, image: \"{}\", command: [/bin/cat, /configured/kubelet.yaml], \
         volumeMounts: [{{name: configured, mountPath: /configured, readOnly: true}}]}}], \
         volumes: [{{name: configured, hostPath: {{path: /etc/kubernetes, type: Directory}}}}]}}}}",
        segment.busybox.digest
    ))?;
    kubectl.wait("pod/configz", "jsonpath={.status.phase}=Succeeded", within(180))?;
    let file = kubectl.run(&["logs", "configz"])?;
    kubectl.run(&["delete", "pod", "configz"])?;
    let Compared { rendered, said } = compare(segment, "one", &file)?;

    // The comparison sees a key that kubelet does not know, and a value that is another.
    let mut wrong = rendered;
    wrong["maxPod"] = 110.into();
    wrong["authentication"]["webhook"]["enabled"] = false.into();
    let found = differences("", &wrong, &said);
    ensure!(found.len() == 2 && found.iter().any(|line| line.starts_with("maxPod:")), "{found:?}");
    Ok(())
}

/// What a node was given, and what its kubelet says that it goes by: more, for it has defaults.
pub struct Compared {
    pub rendered: Value,
    pub said: Value,
}

/// Asks a node's kubelet whether it goes by all of its configuration file.
pub fn compare(segment: &Segment, node: &str, file: &str) -> Result<Compared> {
    let answer = segment.kubectl.run(&["get", "--raw", &format!("/api/v1/nodes/{node}/proxy/configz")])?;
    let answer: Value = serde_json::from_str(&answer)?;
    let said = answer["kubeletconfig"].clone();
    let rendered = read(file)?;
    let differences = differences("", &rendered, &said);
    ensure!(differences.is_empty(), "kubelet does not go by:\n{}\nof\n{file}", differences.join("\n"));
    ensure!(rendered.as_object().is_some_and(|keys| keys.len() > 30), "{rendered}");
    Ok(Compared { rendered, said })
}

/// What kubelet says otherwise, or not at all.
fn differences(path: &str, rendered: &Value, said: &Value) -> Vec<String> {
    if let (Some(rendered), Some(said)) = (rendered.as_array(), said.as_array())
        && rendered.len() == said.len()
    {
        let pairs = rendered.iter().zip(said).enumerate();
        return pairs.flat_map(|(at, (one, other))| differences(&format!("{path}[{at}]"), one, other)).collect();
    }
    let (Some(rendered), Some(said)) = (rendered.as_object(), said.as_object()) else {
        return if same(rendered, said) {
            Vec::new()
        } else {
            vec![format!("{path}: {rendered}, kubelet says {said}")]
        };
    };
    let mut found = Vec::new();
    for (key, value) in rendered {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match said.get(key) {
            Some(said) => found.extend(differences(&path, value, said)),
            None if UNSAID.contains(&(path.as_str(), value.to_string().as_str())) => {}
            None => found.push(format!("{path}: {value}, kubelet says nothing")),
        }
    }
    found
}

/// Durations are the same when they last as long.
fn same(rendered: &Value, said: &Value) -> bool {
    let seconds = |value: &Value| value.as_str().and_then(seconds);
    rendered == said || seconds(rendered).is_some_and(|one| Some(one) == seconds(said))
}

/// `1m30s`, as Go writes durations.
fn seconds(text: &str) -> Option<u64> {
    let mut total = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let factor = match rest.as_bytes()[digits] {
            b'h' => 3600,
            b'm' => 60,
            b's' => 1,
            _ => return None,
        };
        total += rest[..digits].parse::<u64>().ok()? * factor;
        rest = &rest[digits + 1..];
    }
    Some(total)
}

/// YAML as it is rendered: tables in block style, lists of single values or of tables.
fn read(yaml: &str) -> Result<Value> {
    let mut lines: Vec<(usize, &str)> =
        yaml.lines().map(|line| (line.len() - line.trim_start().len(), line.trim_start())).collect();
    let mut at = 0;
    let value = block(&mut lines, &mut at)?;
    ensure!(at == lines.len(), "line {} of the file is not understood: {}", at + 1, lines[at].1);
    Ok(value)
}

fn block(lines: &mut [(usize, &str)], at: &mut usize) -> Result<Value> {
    let indent = lines.get(*at).context("an empty block")?.0;
    let (mut table, mut list) = (Map::new(), Vec::new());
    while let Some((_, line)) = lines.get(*at).copied().filter(|(other, _)| *other == indent) {
        if let Some(item) = line.strip_prefix("- ") {
            list.push(if is_key(item) {
                // A table, whose first key stands behind the dash and the others below it.
                lines[*at] = (indent + 2, item);
                block(lines, at)?
            } else {
                *at += 1;
                scalar(item)?
            });
            continue;
        }
        *at += 1;
        let (key, value) = line.split_once(':').with_context(|| format!("neither key nor item: {line}"))?;
        let value = if value.is_empty() { block(lines, at)? } else { scalar(value.trim())? };
        ensure!(table.insert(key.to_owned(), value).is_none(), "{key} stands there twice");
    }
    match (table.is_empty(), list.is_empty()) {
        (true, false) => Ok(Value::Array(list)),
        (false, true) => Ok(Value::Object(table)),
        _ => bail!("line {at}: a list and a table at once"),
    }
}

/// `key: value`, and not `"registry:5000/app"` or `localhost/*`.
fn is_key(item: &str) -> bool {
    let value = item.split_once(':').map(|(_, value)| value);
    !item.starts_with('"') && value.is_some_and(|value| value.is_empty() || value.starts_with(' '))
}

fn scalar(text: &str) -> Result<Value> {
    if text.starts_with('"') || matches!(text, "true" | "false") || text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(serde_json::from_str(text)?);
    }
    Ok(text.into())
}
