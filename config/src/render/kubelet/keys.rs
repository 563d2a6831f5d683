//! Which keys a configuration has: the builder holds them against those that kubelet knows.

/// Each key of a text that is rendered here, in order, behind those that it stands below. What the tables of a list have stands
/// below the list's own key. Knows YAML in block style, a key or an item a line, and nothing else of it; the error is a line
/// that is neither.
pub fn kubelet_keys(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut above: Vec<(usize, &str)> = Vec::new();
    let mut keys = Vec::new();
    for line in text.lines() {
        let bare = line.trim_start_matches([' ', '-']);
        let indent = line.len() - bare.len();
        match key(bare) {
            Some(key) => {
                above.retain(|(other, _)| *other < indent);
                above.push((indent, key));
                keys.push(above.iter().map(|(_, key)| (*key).to_owned()).collect());
            }
            None if line.trim_start().starts_with("- ") => {}
            None => return Err(format!("`{line}` is neither a key nor an item")),
        }
    }
    Ok(keys)
}

/// The key that a line begins with. `"registry:5000/app"` and `localhost/*` are items.
fn key(line: &str) -> Option<&str> {
    let (key, value) = line.split_once(':')?;
    let is_key = !key.is_empty() && !key.contains(['"', ' ']) && (value.is_empty() || value.starts_with(' '));
    is_key.then_some(key)
}
