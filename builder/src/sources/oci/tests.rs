//! Images of a registry that breaks off, lies, and wants to know who asks.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::time::Duration;

use orlop_config::definition::OciSource;
use orlop_config::lockfile::VERSION;
use serde_json::{Value, json};

use super::credentials::Credentials;
use super::*;
use crate::sources::cache::{Cache, hash};
use crate::sources::download::Patience;
use crate::sources::progress::Silent;
use crate::sources::server::{Answer, Request, Server};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An image as a registry has it: path below `/v2/app/` → media type, bytes.
#[derive(Clone, Default)]
struct Pushed {
    files: BTreeMap<String, (String, Vec<u8>)>,
    digest: String,
}

impl Pushed {
    fn blob(&mut self, kind: &str, bytes: &[u8]) -> Value {
        self.files.insert(format!("blobs/sha256:{}", hash(bytes)), (kind.into(), bytes.into()));
        json!({"mediaType": kind, "digest": format!("sha256:{}", hash(bytes)), "size": bytes.len()})
    }

    fn document(&mut self, kind: &str, document: &Value) -> Value {
        let bytes = document.to_string().into_bytes();
        self.digest = hash(&bytes);
        self.files.insert(format!("manifests/sha256:{}", self.digest), (kind.into(), bytes.clone()));
        self.files.insert("manifests/1".into(), (kind.into(), bytes.clone()));
        json!({"mediaType": kind, "digest": format!("sha256:{}", self.digest), "size": bytes.len()})
    }

    /// An index of one image of two layers.
    fn image() -> Pushed {
        Pushed::changed(&|_| {}, &|_| {})
    }

    /// The same with another manifest, or another index.
    fn changed(manifest: &dyn Fn(&mut Value), index: &dyn Fn(&mut Value)) -> Pushed {
        let mut pushed = Pushed::default();
        let (lower, upper) = (layer("a", "lower"), layer("b", "upper"));
        let ids = [&lower, &upper].map(|tar| format!("sha256:{}", hash(tar)));
        let config = json!({
            "os": "linux", "architecture": "amd64", "config": {"Entrypoint": ["/a"]},
            "rootfs": {"type": "layers", "diff_ids": ids}, "history": [{"created_by": "x"}],
        });
        let config = pushed.blob(CONFIG, config.to_string().as_bytes());
        let layers = [pushed.blob(LAYER, &gzip(&lower)), pushed.blob(LAYER, &gzip(&upper))];
        let mut document = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
        manifest(&mut document);
        let mut ours = pushed.document(MANIFEST, &document);
        ours["platform"] = json!({"os": "linux", "architecture": "amd64"});
        let mut other = ours.clone();
        other["platform"]["architecture"] = "arm64".into();
        other["digest"] = format!("sha256:{}", hash(b"elsewhere")).into();
        let mut document = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": [other, ours]});
        index(&mut document);
        pushed.document(INDEX, &document);
        pushed
    }

    fn answer(&self, request: &Request) -> Answer {
        let file = request.path.strip_prefix("v2/app/").and_then(|path| self.files.get(path));
        match file {
            Some((kind, bytes)) => Answer::ok(bytes).header("Content-Type", kind),
            None => Answer::status("404 Not Found"),
        }
    }

    fn serve(&self) -> Server {
        let pushed = self.clone();
        Server::start(move |_, request| pushed.answer(request))
    }

    fn source(&self, server: &Server) -> OciSource {
        OciSource { reference: format!("{}/app:1@sha256:{}", server.host(), self.digest) }
    }
}

fn layer(name: &str, text: &str) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(text.len() as u64);
    builder.append_data(&mut header, name, text.as_bytes()).unwrap();
    builder.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

struct Bed {
    folder: tempfile::TempDir,
    cache: Cache,
    settings: Settings,
}

impl Bed {
    fn new() -> Bed {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(&folder.path().join("cache")).unwrap();
        let patience = Patience { pause: Duration::ZERO, silence: Duration::from_secs(2) };
        let settings = Settings { plain_http: Vec::new(), credentials: Credentials::default(), patience };
        Bed { folder, cache, settings }
    }

    fn bench(&self, offline: bool) -> Bench<'_> {
        Bench { cache: &self.cache, report: &Silent, offline, jobs: 1 }
    }

    fn lock(&self, source: &OciSource) -> Result<Input, String> {
        lock_by(&self.bench(false), "app", source, &self.settings).map_err(|error| error.to_string())
    }

    fn build(&self, source: &OciSource, input: &Input, offline: bool) -> Result<Produced, String> {
        build_by(&self.bench(offline), input, ("app", source), &self.settings).map_err(|error| error.to_string())
    }

    /// Locks and builds; the archive.
    fn archive(&self, source: &OciSource) -> Result<Vec<u8>, String> {
        let input = self.lock(source)?;
        let produced = self.build(source, &input, false)?;
        Ok(fs::read(&produced.files[ARCHIVE].path).unwrap())
    }

    fn refused(&self, pushed: &Pushed, parts: &[&str]) {
        self.refused_by(&pushed.serve(), pushed, parts);
    }

    fn refused_by(&self, server: &Server, pushed: &Pushed, parts: &[&str]) {
        let error = self.archive(&pushed.source(server)).unwrap_err();
        for part in ["app"].iter().chain(parts) {
            assert!(error.contains(part), "`{part}` is not in: {error}");
        }
        let results = self.folder.path().join("cache/results");
        let left = fs::read_dir(results).map(|entries| entries.count()).unwrap_or(0);
        assert_eq!(left, 0, "nothing is made of it");
    }
}

fn members(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut archive = tar::Archive::new(archive);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        (entry.path().unwrap().to_string_lossy().into_owned(), bytes)
    });
    entries.collect()
}

#[test]
fn an_image_becomes_one_plain_layer_that_everything_names() {
    let (bed, pushed) = (Bed::new(), Pushed::image());
    let server = pushed.serve();
    let source = pushed.source(&server);
    let input = bed.lock(&source).unwrap();
    assert_eq!((input.kind.as_str(), input.version.as_str(), &input.origin), ("oci", "1", &source.reference));
    assert_ne!(input.sha256, pushed.digest, "the manifest that the index names");
    let inputs = BTreeMap::from([("app".to_owned(), input)]);
    let lockfile = Lockfile { version: VERSION, definition: "x".into(), request: hash(b"x"), epoch: 1 << 30, inputs };
    let text = orlop_config::lockfile::render(&lockfile);
    assert_eq!(orlop_config::lockfile::parse("x.lock", &text), Ok(lockfile));
    let archive = bed.archive(&source).unwrap();

    let members = members(&archive);
    let json = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let blob = |value: &Value| {
        let bytes = &members[&value["digest"].as_str().unwrap().replace("sha256:", "blobs/sha256/")];
        assert_eq!(value["size"], bytes.len());
        bytes.clone()
    };
    let manifest = json(&blob(&json(&members["index.json"])["manifests"][0]));
    let config = json(&blob(&manifest["config"]));
    assert_eq!((&config["config"]["Entrypoint"][0], &config["history"]), (&json!("/a"), &Value::Null));
    assert_eq!(config["rootfs"]["diff_ids"], json!([manifest["layers"][0]["digest"]]));
    let files = self::members(&blob(&manifest["layers"][0]));
    assert_eq!(files, BTreeMap::from([("a".into(), b"lower".to_vec()), ("b".into(), b"upper".to_vec())]));

    // Another machine makes the same of it.
    assert!(Bed::new().archive(&source).unwrap() == archive);
}

#[test]
fn what_is_in_the_cache_needs_no_network_and_what_is_not_is_said() {
    let (bed, pushed) = (Bed::new(), Pushed::image());
    let server = pushed.serve();
    let source = pushed.source(&server);
    let input = bed.lock(&source).unwrap();
    let error = bed.build(&source, &input, true).unwrap_err();
    assert!(error.contains("`app` is not in the cache") && error.contains("orlop lock --fetch"), "{error}");
    Image::new(&bed.bench(false), "app", &reference(&source).unwrap(), &bed.settings).parts(&input).unwrap();
    let before = server.requests().len();
    bed.build(&source, &input, true).unwrap();
    assert_eq!(server.requests().len(), before);
}

#[test]
fn a_tag_alone_is_refused_with_what_to_write() {
    let (bed, pushed) = (Bed::new(), Pushed::image());
    let server = pushed.serve();
    let error = bed.lock(&OciSource { reference: format!("{}/app:1", server.host()) }).unwrap_err();
    assert!(error.contains(&format!("reference = \"{}\"", pushed.source(&server).reference)), "{error}");
}

#[test]
fn content_that_is_not_what_its_digest_says_is_not_kept() {
    let pushed = Pushed::image();
    for kind in ["manifests/", "blobs/"] {
        let mut altered = pushed.clone();
        for (path, (_, bytes)) in &mut altered.files {
            if path.starts_with(kind) && path.contains("sha256:") {
                *bytes = bytes.iter().rev().copied().collect();
            }
        }
        let bed = Bed::new();
        bed.refused(&altered, &["expected SHA-256", "nothing was kept", "definition"]);
    }
}

#[test]
fn blobs_of_another_size_and_cut_ones_are_refused() {
    let layer = |by: i64| {
        move |manifest: &mut Value| {
            let size = &mut manifest["layers"][0]["size"];
            *size = (size.as_i64().unwrap() + by).into();
        }
    };
    Bed::new().refused(&Pushed::changed(&layer(-1), &|_| {}), &["sends more than the"]);
    Bed::new().refused(&Pushed::changed(&layer(1), &|_| {}), &["the connection ended after"]);
    Bed::new().refused(&Pushed::changed(&layer(1 << 40), &|_| {}), &["bytes, at most"]);
    let index = |index: &mut Value| index["manifests"][1]["size"] = 5.into();
    Bed::new().refused(&Pushed::changed(&|_| {}, &index), &["the index says 5"]);

    // A connection that ends in the middle is taken up; one that always does is said.
    let pushed = Pushed::image();
    let served = pushed.clone();
    let server = Server::start(move |_, request| {
        let answer = served.answer(request);
        if request.path.contains("blobs/") { answer.cut_after(9) } else { answer }
    });
    Bed::new().refused_by(&server, &pushed, &["after 9 bytes"]);
}

#[test]
fn media_types_platforms_and_versions_that_are_not_ours_are_named() {
    let set = |key: &'static str, value: Value| move |document: &mut Value| document[key] = value.clone();
    let kind = |pointer: &'static str| {
        move |document: &mut Value| *document.pointer_mut(pointer).unwrap() = "application/vnd.example".into()
    };
    for (manifest, says) in [
        (
            Box::new(kind("/config/mediaType")) as Box<dyn Fn(&mut Value)>,
            "has the media type `application/vnd.example`",
        ),
        (Box::new(kind("/layers/1/mediaType")), "has the media type `application/vnd.example`"),
        (Box::new(kind("/mediaType")), "itself says `application/vnd.example`"),
        (Box::new(set("schemaVersion", 1.into())), "its schemaVersion is 1"),
        (Box::new(set("layers", json!([]))), "it has 0 layers"),
    ] {
        Bed::new().refused(&Pushed::changed(&*manifest, &|_| {}), &[says]);
    }
    let arm = |index: &mut Value| index["manifests"][1]["platform"]["architecture"] = "arm".into();
    Bed::new().refused(&Pushed::changed(&|_| {}, &arm), &["no image for linux/amd64", "linux/arm64, linux/arm"]);
    let nested = |index: &mut Value| index["manifests"][1]["mediaType"] = INDEX.into();
    Bed::new().refused(&Pushed::changed(&|_| {}, &nested), &["has the media type"]);
}

#[test]
fn a_huge_manifest_and_a_circle_of_redirections_end() {
    let pushed = Pushed::image();
    let huge = Server::start(|_, _| Answer::ok(&vec![b' '; (document::LARGEST + 1) as usize]));
    Bed::new().refused_by(&huge, &pushed, &["more than 4194304 bytes"]);
    let circle = Server::start(|_, request| {
        Answer::status("307 Temporary Redirect").header("Location", &format!("/{}", request.path))
    });
    Bed::new().refused_by(&circle, &pushed, &["redirect"]);
    let missing = Server::start(|_, _| Answer::status("404 Not Found"));
    Bed::new().refused_by(&missing, &pushed, &["HTTP status 404", "push the image"]);
}

/// A registry that wants a token for each request, and gives one out for name and password.
fn guarded(pushed: &Pushed) -> Server {
    let pushed = pushed.clone();
    Server::start(move |_, request| {
        let said = request.authorization.as_deref();
        if request.path.starts_with("token?") {
            let scope = request.path.replace("%3A", ":");
            let good = said == Some("Basic dTpodW50ZXIy") && scope.contains("scope=repository:app:pull");
            return if good { Answer::ok(br#"{"token": "t0ken"}"#) } else { Answer::status("401 Unauthorized") };
        }
        if said == Some("Bearer t0ken") {
            return pushed.answer(request);
        }
        let realm = format!("Bearer realm=\"http://{}/token\",service=\"x\"", request.host);
        Answer::status("401 Unauthorized").header("WWW-Authenticate", &realm)
    })
}

fn credentials(bed: &mut Bed, host: &str, auth: &str) {
    let path = bed.folder.path().join("config.json");
    fs::write(&path, json!({"auths": {host: {"auth": auth}}}).to_string()).unwrap();
    bed.settings.credentials = Credentials::in_files(vec![path], bed.folder.path());
}

/// The same with a helper, which is asked as often as `asked` has lines.
fn helped(bed: &mut Bed, config: &Value, kept: &str) {
    let path = bed.folder.path().join("config.json");
    fs::write(&path, config.to_string()).unwrap();
    let script = format!("folder=$(dirname \"$0\"); cat >>\"$folder/asked\"; echo >>\"$folder/asked\"; echo '{kept}'");
    sample::helper(bed.folder.path(), "fake", &script);
    bed.settings.credentials = Credentials::in_files(vec![path], bed.folder.path());
}

#[test]
fn a_registry_is_told_who_asks_and_nobody_else_is() {
    let pushed = Pushed::image();
    let server = guarded(&pushed);
    let source = pushed.source(&server);
    let mut bed = Bed::new();
    let error = bed.archive(&source).unwrap_err();
    assert!(error.contains("HTTP status 401") && error.contains("log in to"), "{error}");
    credentials(&mut bed, &server.host(), "dTp3cm9uZw==");
    let error = bed.archive(&source).unwrap_err();
    assert!(error.contains("HTTP status 401") && error.contains("config.json"), "{error}");
    assert!(!error.contains("dTp3cm9uZw") && !error.contains("wrong"), "{error}");
    credentials(&mut bed, &server.host(), "dTpodW50ZXIy");
    bed.archive(&source).unwrap();

    // Blobs that lie elsewhere are fetched there, without the token.
    let elsewhere = pushed.serve();
    let other = format!("{}v2/app/", elsewhere.url(""));
    let served = pushed.clone();
    let basic = Server::start(move |_, request| match (&request.authorization, request.path.split_once("blobs/")) {
        (None, _) => Answer::status("401 Unauthorized").header("WWW-Authenticate", "Basic realm=\"x\""),
        (_, Some((_, blob))) => {
            Answer::status("307 Temporary Redirect").header("Location", &format!("{other}blobs/{blob}"))
        }
        _ => served.answer(request),
    });
    let mut bed = Bed::new();
    credentials(&mut bed, &basic.host(), "dTpodW50ZXIy");
    bed.archive(&pushed.source(&basic)).unwrap();
    let asked = elsewhere.requests();
    assert!(asked.len() >= 3 && asked.iter().all(|request| request.authorization.is_none()), "{asked:?}");
}

const IDENTITY: &str = r#"{"Username": "<token>", "Secret": "hunter2+/"}"#;

#[test]
fn a_helper_is_asked_once_for_an_image_and_its_identity_token_exchanged() {
    let pushed = Pushed::image();
    let served = pushed.clone();
    let server = Server::start(move |_, request| {
        let said = request.authorization.as_deref();
        if request.path == "token" {
            let form: Vec<&str> = request.body.split('&').collect();
            let want = [
                "grant_type=refresh_token",
                "client_id=orlop",
                "refresh_token=hunter2%2B%2F",
                "service=x",
                "scope=repository%3Aapp%3Apull",
            ];
            return if said.is_none() && form == want {
                Answer::ok(br#"{"access_token": "t0ken"}"#)
            } else {
                Answer::status("400 Bad Request")
            };
        }
        if said == Some("Bearer t0ken") {
            return served.answer(request);
        }
        let realm = format!("Bearer realm=\"http://{}/token\",service=\"x\"", request.host);
        Answer::status("401 Unauthorized").header("WWW-Authenticate", &realm)
    });
    let mut bed = Bed::new();
    // Of the others there is none here: one that were asked would be an error.
    let host = server.host();
    let config = json!({"credHelpers": {&host: "fake", "elsewhere.example": "none"}, "credsStore": "none"});
    helped(&mut bed, &config, IDENTITY);
    bed.archive(&pushed.source(&server)).unwrap();
    // Once to lock it, and once to build it.
    let asked = fs::read_to_string(bed.folder.path().join("asked")).unwrap();
    assert_eq!(asked, format!("{host}\n{host}\n"));

    let mut bed = Bed::new();
    helped(&mut bed, &config, &IDENTITY.replace("hunter2", "0utdated"));
    let error = bed.archive(&pushed.source(&server)).unwrap_err();
    assert!(error.contains("HTTP status 400") && error.contains("log in to"), "{error}");
    assert!(error.contains("credential helpers") && !error.contains("0utdated"), "{error}");
}

#[test]
fn no_helper_is_asked_where_nobody_wants_to_know_and_a_broken_one_is_an_error() {
    let (mut bed, pushed) = (Bed::new(), Pushed::image());
    helped(&mut bed, &json!({"credsStore": "fake"}), IDENTITY);
    bed.archive(&pushed.source(&pushed.serve())).unwrap();
    assert!(!bed.folder.path().join("asked").exists());

    // Who asks for name and password has no use for an identity token.
    let basic = "Basic realm=\"x\"";
    let server = Server::start(|_, _| Answer::status("401 Unauthorized").header("WWW-Authenticate", basic));
    let mut bed = Bed::new();
    helped(&mut bed, &json!({"credsStore": "fake"}), IDENTITY);
    bed.refused_by(&server, &pushed, &["identity token", "with name and password"]);
    helped(&mut bed, &json!({"credsStore": "none"}), IDENTITY);
    let error = bed.archive(&pushed.source(&server)).unwrap_err();
    assert!(error.contains("docker-credential-none") && error.contains(&server.host()), "{error}");
    assert!(error.contains("config.json") && error.contains("PATH"), "{error}");
}

#[test]
fn a_token_is_not_asked_for_in_the_open() {
    let pushed = Pushed::image();
    let challenge = "Bearer realm=\"http://auth.registry.example/token\"";
    let server = Server::start(|_, _| Answer::status("401 Unauthorized").header("WWW-Authenticate", challenge));
    Bed::new().refused_by(&server, &pushed, &["auth.registry.example", "by https"]);
    let server = Server::start(|_, _| Answer::status("401 Unauthorized"));
    Bed::new().refused_by(&server, &pushed, &["not by Basic or Bearer"]);
}

#[test]
fn a_lockfile_with_another_manifest_is_refused() {
    let (bed, pushed) = (Bed::new(), Pushed::image());
    let server = pushed.serve();
    let source = pushed.source(&server);
    let input = Input { sha256: hash(b"another"), ..bed.lock(&source).unwrap() };
    let error = bed.build(&source, &input, false).unwrap_err();
    assert!(error.contains(&hash(b"another")) && error.contains("--update app"), "{error}");
}
