use proptest::prelude::*;

use super::super::Silent;
use super::*;

const KUBELET: &str = r#"/*
Copyright. type KubeletConfiguration struct {
*/

package v1beta1

import (
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// KubeletConfiguration is one document: type KubeletConfiguration struct {
type KubeletConfiguration struct {
	metav1.TypeMeta `json:""`

	// A full path segment's suffix is "/*", and `a quote of one kind is no string.
	MaxPods int32 `json:"maxPods,omitempty"`
	// Gone int32 `json:"gone"`
	/* Also int32 `json:"also"` */
	Untold int32 `json:"-"`
	Authentication *KubeletAuthentication `json:"authentication"`
	Inner struct {
		Deep bool `json:"deep"`
	} `json:"inner"`
	EvictionHard map[string]string `json:"evictionHard,omitempty"`
	RegisterWithTaints []v1.Taint `json:"registerWithTaints,omitempty"`
}

type KubeletAuthentication struct {
	Round `json:",inline"`
	Timeout metav1.Duration `json:"timeout"`
	Webhook KubeletWebhook  `json:"webhook"`
}

type Round struct {
	*KubeletAuthentication
}

type KubeletWebhook struct {
	Enabled *bool `json:"enabled,omitempty"`
}
"#;

const CORE: &str = "package v1\n\ntype Taint struct {\n\tKey string `json:\"key\" protobuf:\"bytes,1,opt,name=key\"`\n\t\
    Effect TaintEffect `json:\"effect\"`\n}\n";

const META: &str =
    "package v1\n\ntype TypeMeta struct {\n\tKind string `json:\"kind,omitempty\" protobuf:\"bytes,1\"`\n}\n";

/// A cache with these files, for the lockfile that `orlop:cluster` has.
struct Bed {
    folder: tempfile::TempDir,
    cache: Cache,
    project: Project,
    lockfile: Lockfile,
}

impl Bed {
    fn new() -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path()).unwrap();
        let project = Project::load(Path::new("orlop:cluster")).unwrap();
        let lockfile = project.lockfile().unwrap();
        Bed { folder, cache, project, lockfile }
    }

    /// Writes what a package describes, where the go command would unpack it.
    fn describe(&self, package: &str, text: &str) -> PathBuf {
        let sums = lock::module(&self.project, &self.lockfile, "kubelet").unwrap();
        let inside = sums.module_of(package).unwrap();
        let module = self.folder.path().join(format!("go/mod/{}@{}", inside.module, inside.version));
        let path = module.join(inside.folder).join("types.go");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path.canonicalize().unwrap()
    }

    fn check(&self, text: &str) -> Result<(), String> {
        let bench = Bench { cache: &self.cache, report: &Silent, offline: true, jobs: 1 };
        check(&bench, &self.project, &self.lockfile, text).map_err(|error| error.to_string())
    }
}

#[test]
fn a_key_that_kubelet_does_not_have_is_named_with_its_version_and_what_to_do() {
    let bed = Bed::new();
    let path = bed.describe(PACKAGE, KUBELET);
    bed.describe("k8s.io/api/core/v1", CORE);
    bed.describe("k8s.io/apimachinery/pkg/apis/meta/v1", META);
    let good = "kind: a\nmaxPods: 1\nauthentication:\n  webhook:\n    enabled: true\nevictionHard:\n  memory.available: 1\n\
        registerWithTaints:\n  - key: \"a\"\n    effect: b\n";
    bed.check(good).unwrap();
    let version = &bed.lockfile.inputs["kubelet"].version;
    for (wrong, named) in [
        ("maxPod: 1", "`maxPod`"),
        // As encoding/json has it in Kubernetes' documents: capital letters count.
        ("MaxPods: 1", "`MaxPods`"),
        ("authentication:\n  webhook:\n    enable: true", "`authentication.webhook.enable`"),
        ("registerWithTaints:\n  - key: a\n    value: b", "`registerWithTaints.value`"),
        // One name for what stands below it, too, and all of them at once.
        ("authorization:\n  mode: a\nmaxPod: 1", "`authorization`, `maxPod`"),
        // Comments, what has no name, and what is laid out otherwise.
        ("gone: 1\nalso: 1\nUntold: 1", "`gone`, `also`, `Untold`"),
        ("deep: true\ninner:\n  deep: true", "`deep`, `inner`"),
        // Of a type that is no struct, or is not described.
        ("maxPods:\n  a: 1", "`maxPods.a`"),
        ("authentication:\n  timeout:\n    a: 1", "`authentication.timeout.a`"),
    ] {
        let error = bed.check(wrong).unwrap_err();
        let says = format!("{}: kubelet {version} has no {named}, and would pass over it", path.display());
        assert!(error.starts_with(&says), "{error}\nis not\n{says}");
        assert!(
            error.contains("(`kubernetes`; that of `orlop:node` fits), and run `orlop lock DEFINITION`"),
            "{error}"
        );
    }
}

#[test]
fn types_that_are_not_there_are_an_error_and_no_permission() {
    let bed = Bed::new();
    let error = bed.check("maxPods: 1").unwrap_err();
    assert!(error.contains("/config/v1beta1/types.go: it is not there"), "{error}");
    assert!(error.contains("run `chmod -R u+w` over the cache's folder `go` and delete it"), "{error}");
    // And so are those of another package, once a key leads there.
    bed.describe(PACKAGE, KUBELET);
    bed.check("maxPods: 1").unwrap();
    let error = bed.check("registerWithTaints:\n  - key: a").unwrap_err();
    assert!(error.contains("/core/v1/types.go: it is not there"), "{error}");
    // An empty file describes nothing.
    bed.describe(PACKAGE, "package v1beta1\n");
    assert!(bed.check("maxPods: 1").unwrap_err().contains("has no `maxPods`"));
}

#[test]
fn fields_have_their_names_and_types() {
    let types = GoTypes::parse(KUBELET);
    let fields: Vec<(Option<&str>, &str)> =
        types.fields(DOCUMENT).iter().map(|field| (field.key.as_deref(), field.kind.as_str())).collect();
    assert_eq!(
        fields,
        [
            (None, "metav1.TypeMeta"),
            (Some("maxPods"), "int32"),
            (Some("authentication"), "*KubeletAuthentication"),
            (Some("evictionHard"), "map[string]string"),
            (Some("registerWithTaints"), "[]v1.Taint"),
        ]
    );
    assert_eq!(types.import("metav1"), Some("k8s.io/apimachinery/pkg/apis/meta/v1"));
    let single = GoTypes::parse("package x\n\nimport \"time\"\nimport a \"b/c\"\n");
    assert_eq!((single.import("time"), single.import("a"), single.import("c")), (Some("time"), Some("b/c"), None));
}

proptest! {
    #[test]
    fn any_text_is_survived(text in "(type A struct \\{\n|import \\(?\n|json:|map\\[string\\]|[/*\"'`\\\\{}()\n \t]|.){0,80}") {
        let types = GoTypes::parse(&text);
        types.fields("A");
    }
}
