//! Approves the serving certificates of kubelets. Upstream approves none: whoever may have one for a name can stand in for
//! that name. So a request is approved only when it comes from the node itself, asks for that node's name and addresses
//! and nothing else, and for a server's use and nothing else (`docs/lab.md`).

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::{CN, O};
use x509_cert::der::{Decode, DecodePem};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::request::CertReq;

use super::{Kubectl, Lab};
use crate::feed::{Feed, Mark};
use crate::spawn::Reaped;
use crate::{Error, Result};

const SIGNER: &str = "kubernetes.io/kubelet-serving";
/// The decision about a request that is as it should be; any other is the reason for leaving it.
const APPROVED: &str = "approved";
/// How many decisions are remembered.
const KEPT: usize = 1024;

/// Between the end of a watch and the next one.
const AGAIN: Duration = Duration::from_millis(500);

/// Watches for such requests and decides them, until it is dropped. Its log is `approver.log` in the lab's folder.
#[derive(Debug)]
pub struct Approver {
    watch: Arc<Mutex<Watch>>,
    said: Feed<Said>,
}

/// What it says.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Said {
    /// About a user's request.
    Decided(String),
    /// It decides no more, and why.
    Ended(String),
}

/// Where it says it.
#[derive(Debug)]
struct Book {
    said: Feed<Said>,
    log: File,
    path: PathBuf,
}

impl Book {
    fn open(path: PathBuf) -> Result<Book> {
        let log = File::options().create(true).append(true).open(&path).map_err(Error::file("opening", &path))?;
        Ok(Book { said: Feed::new(KEPT), log, path })
    }

    fn note(&self, line: &str) {
        // A full disk must not keep anybody waiting for a decision.
        let _ = writeln!(&self.log, "{line}");
    }

    fn decided(&self, line: String) {
        self.note(&line);
        self.said.push(Said::Decided(line));
    }

    fn ended(&self, error: &io::Error) {
        let path = self.path.display();
        let line =
            format!("the approver of serving certificates has ended: {error}; its log: {path}; start the lab anew");
        self.note(&line);
        // Nobody may ever ask for a decision: nodes are Ready without one.
        let _ = writeln!(io::stderr(), "{line}");
        self.said.push(Said::Ended(line));
    }
}

#[derive(Debug, Default)]
struct Watch {
    ended: bool,
    /// Users whose requests are left to somebody else.
    left: BTreeSet<String>,
    child: Option<Reaped>,
}

impl Approver {
    /// Starts it.
    pub fn start(lab: &Lab, kubectl: &Kubectl) -> Result<Approver> {
        let book = Book::open(lab.folder.join("approver.log"))?;
        let (watch, said) = (Arc::new(Mutex::new(Watch::default())), book.said.clone());
        let (kubectl, ours) = (kubectl.clone(), Arc::clone(&watch));
        std::thread::spawn(move || go_on(&book, || watch_once(&kubectl, &ours, &book)));
        Ok(Approver { watch, said })
    }

    /// From now on the requests of this node are left to somebody else, as upstream leaves those of all nodes.
    pub fn leave(&self, node: &str) {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.left.insert(format!("system:node:{node}"));
    }

    /// Waits until a node's serving certificate is approved. One that was left is an error with the reason.
    pub fn approved(&self, node: &str, limit: Duration) -> Result<()> {
        approved(&self.said, node, limit)
    }
}

fn approved(said: &Feed<Said>, node: &str, limit: Duration) -> Result<()> {
    let start = format!("system:node:{node}: ");
    let found = said.wait(Mark::default(), limit, |said| match said {
        Said::Decided(line) => line.strip_prefix(&start).map(|verdict| Said::Decided(verdict.to_owned())),
        Said::Ended(_) => Some(said.clone()),
    });
    match found {
        Some(Said::Decided(verdict)) if verdict == APPROVED => Ok(()),
        Some(Said::Decided(reason)) => Err(Error::Lab(format!("the serving certificate of {node}: {reason}"))),
        Some(Said::Ended(line)) => Err(Error::Lab(format!("no serving certificate of {node} is approved: {line}"))),
        None => Err(Error::Lab(format!("no serving certificate of {node} was asked for within {limit:?}"))),
    }
}

impl Drop for Approver {
    fn drop(&mut self) {
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        watch.ended = true;
        // Its end ends the thread.
        watch.child = None;
    }
}

/// One watch after the other, until no more is wanted, or until one cannot be had, which is said.
fn go_on(book: &Book, mut watch: impl FnMut() -> io::Result<bool>) {
    loop {
        match watch() {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => return book.ended(&error),
        }
    }
}

/// Watches until the API server ends the watch; `false` when no more is wanted.
fn watch_once(kubectl: &Kubectl, watch: &Mutex<Watch>, book: &Book) -> io::Result<bool> {
    let mut command = kubectl.command(&["get", "csr", "--watch", "--output=json"]);
    command.stdout(Stdio::piped()).stderr(book.log.try_clone()?);
    let mut child = Reaped(command.spawn()?);
    let stream = child.0.stdout.take().ok_or_else(|| io::Error::other("kubectl has no output"))?;
    {
        let mut watch = watch.lock().unwrap_or_else(PoisonError::into_inner);
        if watch.ended {
            return Ok(false);
        }
        watch.child = Some(child);
    }
    for request in serde_json::Deserializer::from_reader(stream).into_iter::<Value>() {
        let request = match request {
            Ok(request) => request,
            Err(error) => {
                book.note(&format!("what the watch says is not read on: {error}"));
                break;
            }
        };
        let decided = request["status"]["conditions"].as_array().is_some_and(|conditions| !conditions.is_empty());
        if request["spec"]["signerName"] != SIGNER || decided {
            continue;
        }
        let user = request["spec"]["username"].as_str().unwrap_or_default();
        if watch.lock().unwrap_or_else(PoisonError::into_inner).left.contains(user) {
            continue;
        }
        let addresses = |node: &str| addresses(kubectl, node);
        let said = match judge(&request, &addresses) {
            Ok(()) => match kubectl.run(&["certificate", "approve", name(&request)]) {
                Ok(_) => APPROVED.to_owned(),
                Err(error) => error.to_string(),
            },
            // It stays as it is: somebody may look at it.
            Err(reason) => reason,
        };
        book.decided(format!("{user}: {said}"));
    }
    // The API server is gone, or the watch has had its time.
    std::thread::sleep(AGAIN);
    Ok(!watch.lock().unwrap_or_else(PoisonError::into_inner).ended)
}

/// Without one there is nothing to approve, and kubectl says so.
fn name(request: &Value) -> &str {
    request["metadata"]["name"].as_str().unwrap_or_default()
}

/// Whom the certificate that a request asks for is to name: its subject's CN. Who made the request may be somebody else, as
/// with a bootstrap token, which is good for any node.
pub fn subject(request: &Value) -> Result<String> {
    let asked = Asked::read(request["spec"]["request"].as_str().unwrap_or_default()).map_err(Error::Lab)?;
    match asked.names.as_slice() {
        [name] => Ok(name.clone()),
        names => Err(Error::Lab(format!("a certificate request names {names:?}, want one name"))),
    }
}

/// The addresses that the cluster knows of a node.
fn addresses(kubectl: &Kubectl, node: &str) -> Vec<String> {
    let found = kubectl.get(&["node", node]).unwrap_or_default();
    let all = found["status"]["addresses"].as_array().cloned().unwrap_or_default();
    all.iter().filter_map(|address| address["address"].as_str().map(str::to_owned)).collect()
}

/// Whether a request may be approved; else why not.
fn judge(request: &Value, addresses: &dyn Fn(&str) -> Vec<String>) -> Result<(), String> {
    let spec = &request["spec"];
    let user = spec["username"].as_str().unwrap_or_default();
    let node = user.strip_prefix("system:node:").filter(|node| !node.is_empty());
    let node = node.ok_or_else(|| format!("{user} is no node"))?;
    let list = |key: &str| -> Vec<&str> {
        spec[key].as_array().map(|all| all.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    };
    if !list("groups").contains(&"system:nodes") {
        return Err(format!("{user} is not in the group system:nodes"));
    }
    let usages = list("usages");
    let allowed = ["digital signature", "key encipherment", "server auth"];
    if let Some(other) = usages.iter().find(|usage| !allowed.contains(usage)) {
        return Err(format!("it asks for the usage `{other}`"));
    }
    if !usages.contains(&"server auth") {
        return Err("it asks for no server's certificate".into());
    }
    let asked = Asked::read(spec["request"].as_str().unwrap_or_default())?;
    if asked.names != [user] || asked.groups != ["system:nodes"] {
        return Err(format!("its subject is {:?} of {:?}, not {user} of system:nodes", asked.names, asked.groups));
    }
    let known = addresses(node);
    if let Some(other) = asked.dns.iter().find(|name| *name != node && !known.contains(name)) {
        return Err(format!("it asks for the name `{other}`"));
    }
    if let Some(other) = asked.ips.iter().find(|address| !known.contains(&address.to_string())) {
        return Err(format!("it asks for the address {other}, which {node} does not have"));
    }
    match asked.dns.is_empty() && asked.ips.is_empty() {
        true => Err("it asks for no name".into()),
        false => Ok(()),
    }
}

/// What a certificate request asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    names: Vec<String>,
    groups: Vec<String>,
    dns: Vec<String>,
    ips: Vec<IpAddr>,
}

impl Asked {
    /// Reads the request as an object has it: PEM in base64.
    fn read(text: &str) -> Result<Asked, String> {
        let pem = STANDARD.decode(text).map_err(|error| format!("its request is no base64: {error}"))?;
        let request = CertReq::from_pem(&pem).map_err(|error| format!("its request is none: {error}"))?;
        let mut asked = Asked::default();
        for attribute in request.info.subject.iter() {
            let value = attribute.value.decode_as::<Utf8StringRef<'_>>().map(|text| text.as_str().to_owned());
            let printable =
                || attribute.value.decode_as::<PrintableStringRef<'_>>().map(|text| text.as_str().to_owned());
            let value = value.or_else(|_| printable()).map_err(|error| format!("its subject: {error}"))?;
            match attribute.oid {
                CN => asked.names.push(value),
                O => asked.groups.push(value),
                other => return Err(format!("its subject has {other}")),
            }
        }
        asked.read_names(&request)?;
        Ok(asked)
    }

    fn read_names(&mut self, request: &CertReq) -> Result<(), String> {
        let wrong = |error| format!("its extensions: {error}");
        for attribute in request.info.attributes.iter() {
            for value in attribute.values.iter() {
                let extensions = value.decode_as::<x509_cert::ext::Extensions>().map_err(wrong)?;
                for extension in extensions.iter().filter(|extension| extension.extn_id == SAN) {
                    let names = SubjectAltName::from_der(extension.extn_value.as_bytes()).map_err(wrong)?;
                    names.0.iter().try_for_each(|name| self.add(name))?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, name: &GeneralName) -> Result<(), String> {
        match name {
            GeneralName::DnsName(name) => self.dns.push(name.as_str().to_owned()),
            GeneralName::IpAddress(bytes) => {
                let four = <[u8; 4]>::try_from(bytes.as_bytes()).map(IpAddr::from);
                let address = four.or_else(|_| <[u8; 16]>::try_from(bytes.as_bytes()).map(IpAddr::from));
                self.ips.push(address.map_err(|_| "an address of a strange length".to_owned())?);
            }
            _ => return Err("it asks for a name that is neither DNS name nor address".into()),
        }
        Ok(())
    }
}

/// Subject alternative name (RFC 5280, 4.2.1.6).
const SAN: x509_cert::der::oid::ObjectIdentifier = x509_cert::der::oid::ObjectIdentifier::new_unwrap("2.5.29.17");

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};
    use serde_json::json;

    use super::*;

    fn request(name: &str, group: &str, names: &[&str]) -> String {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.distinguished_name.push(DnType::OrganizationName, group);
        let made = params.serialize_request(&KeyPair::generate().unwrap()).unwrap();
        STANDARD.encode(made.pem().unwrap())
    }

    #[test]
    fn whom_a_request_names_is_read_whoever_made_it() {
        let named = |text: String| subject(&json!({"spec": {"username": "system:bootstrap:lab001", "request": text}}));
        assert_eq!(named(request("system:node:one", "system:nodes", &[])).unwrap(), "system:node:one");
        assert!(named("?".into()).unwrap_err().to_string().contains("no base64"));
    }

    #[test]
    fn an_approver_that_has_ended_says_so_to_who_waits_and_in_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("approver.log");
        let book = Book::open(path.clone()).unwrap();
        let mut watches = 0;
        go_on(&book, || {
            watches += 1;
            match watches {
                1 => book.decided(format!("system:node:one: {APPROVED}")),
                2 => book.decided("system:node:two: it asks for no name".into()),
                _ => return Err(io::Error::other("no more files")),
            }
            Ok(true)
        });
        let log = std::fs::read_to_string(&path).unwrap();
        assert!(log.lines().count() == 3 && log.contains("has ended: no more files; its log: "), "{log}");
        // At once, and what was decided before holds.
        let of = |node| approved(&book.said, node, Duration::from_secs(600)).map_err(|error| error.to_string());
        assert_eq!(of("one"), Ok(()));
        assert!(of("two").unwrap_err().ends_with("the serving certificate of two: it asks for no name"));
        assert!(of("three").unwrap_err().contains("has ended: no more files"));
        go_on(&book, || Ok(false));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), log, "who is told to end has nothing to say");
    }

    fn judged(user: &str, usages: &[&str], request: &str) -> Result<(), String> {
        let groups = ["system:nodes", "system:authenticated"];
        let spec = json!({"username": user, "groups": groups, "usages": usages, "request": request});
        judge(&json!({ "spec": spec }), &|_| vec!["192.0.2.11".into(), "one".into()])
    }

    #[test]
    fn a_nodes_own_names_for_a_server_are_approved_and_nothing_else() {
        const USER: &str = "system:node:one";
        let server = ["digital signature", "server auth"];
        let own = request(USER, "system:nodes", &["one", "192.0.2.11"]);
        assert_eq!(judged(USER, &server, &own), Ok(()));
        let says = |verdict: Result<(), String>, text: &str| {
            let reason = verdict.expect_err(text);
            assert!(reason.contains(text), "{reason}");
        };
        says(judged("system:node:two", &server, &own), "its subject is");
        says(judged("admin", &server, &own), "admin is no node");
        says(judged(USER, &["digital signature", "client auth"], &own), "`client auth`");
        says(judged(USER, &["digital signature"], &own), "no server's certificate");
        let other = |names: &[&str]| request(USER, "system:nodes", names);
        says(judged(USER, &server, &other(&["two"])), "the name `two`");
        says(judged(USER, &server, &other(&["one", "192.0.2.1"])), "the address 192.0.2.1");
        says(judged(USER, &server, &other(&[])), "no name");
        says(judged(USER, &server, &request(USER, "system:masters", &["one"])), "its subject is");
        says(judged(USER, &server, "?"), "no base64");
        says(judged(USER, &server, "AAAA"), "its request is none");
    }
}
