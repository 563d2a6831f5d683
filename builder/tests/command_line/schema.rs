//! `orlop schema`: one JSON document, whoever asks. What is in it is tested beside the types (`config/tests/schema.rs`), and that
//! documents pass by it, or do not, by another program's validator (`tests/image/schema.rs`).

use crate::support::{orlop, run};

#[test]
fn each_document_has_its_schema() {
    for (document, key) in [("definition", "kubernetes"), ("node-config", "cluster")] {
        let schema = run(orlop().args(["schema", document])).json();
        assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
        assert!(schema["properties"][key].is_object(), "{document}");
        let again =
            run(orlop().args(["schema", document, "--json"]).env("TZ", "Asia/Kathmandu").env("HOME", "/nowhere"));
        assert_eq!(again.json(), schema, "{document}");
    }
    run(orlop().args(["schema", "lockfile"])).fails(2, &["lockfile", "definition, node-config"]);
}
