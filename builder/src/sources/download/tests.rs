//! Downloads against a server that breaks off, lies and forgets.

use super::super::progress::Silent;
use super::super::server::{Answer, Server};
use super::*;

/// No pauses; a silence that no busy machine mistakes for the end of a file that it is sending itself.
const PATIENCE: Patience = Patience { pause: Duration::ZERO, silence: Duration::from_secs(2) };

const BODY: &[u8] = b"the quick brown fox jumps over the lazy dog";

struct Bed {
    _folder: tempfile::TempDir,
    cache: Cache,
    downloader: Downloader,
}

fn bed() -> Bed {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path()).unwrap();
    Bed { _folder: folder, cache, downloader: Downloader::with_patience(PATIENCE) }
}

fn wanted(server: &Server) -> Wanted {
    let sha256 = Some(hash(BODY));
    Wanted { input: "fox".into(), url: server.url("fox.tar"), sha256, size: Some(BODY.len() as u64) }
}

impl Bed {
    fn fetch(&self, wanted: &Wanted) -> Result<String, Error> {
        self.downloader.fetch(&self.cache, wanted, &Silent)
    }

    /// Nothing of a failed download may be kept but what can be resumed.
    fn files(&self) -> usize {
        let count = |name: &str| std::fs::read_dir(self.cache.folder(name).unwrap()).unwrap().count();
        count("partial") + count("sha256")
    }
}

#[test]
fn a_file_is_fetched_once() {
    let (bed, server) = (bed(), Server::start(|_, _| Answer::ok(BODY)));
    let sha256 = bed.fetch(&wanted(&server)).unwrap();
    assert_eq!(std::fs::read(bed.cache.blob(&sha256).unwrap().unwrap()).unwrap(), BODY);
    bed.fetch(&wanted(&server)).unwrap();
    assert_eq!(server.requests().len(), 1);
    assert_eq!(bed.files(), 1, "no partial file is left");
}

#[test]
fn a_cut_download_goes_on_where_it_was() {
    let bed = bed();
    let server = Server::start(|before, request| match (before, &request.range) {
        (0, None) => Answer::ok(BODY).header("ETag", "\"one\"").cut_after(10),
        (1, Some(range)) if range == "bytes=10-" => Answer::rest(BODY, 10).header("ETag", "\"one\"").cut_after(5),
        (_, Some(range)) if range == "bytes=15-" => Answer::rest(BODY, 15).header("ETag", "\"one\""),
        _ => Answer::status("400 Bad Request"),
    });
    bed.fetch(&wanted(&server)).unwrap();
    let asked = server.requests();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[1].if_range.as_deref(), Some("\"one\""));
}

#[test]
fn a_file_that_changed_meanwhile_is_fetched_anew() {
    let bed = bed();
    let server = Server::start(|before, _| match before {
        0 => Answer::ok(b"another file, and a longer one than it will be").header("ETag", "\"old\"").cut_after(10),
        // If-Range does not hold any more: the whole new file.
        _ => Answer::ok(BODY).header("ETag", "\"new\""),
    });
    bed.fetch(&wanted(&server)).unwrap();
}

#[test]
fn parts_that_do_not_fit_together_are_thrown_away() {
    let bed = bed();
    let server = Server::start(|before, request| match (before, &request.range) {
        (0, _) => Answer::ok(BODY).header("ETag", "\"one\"").cut_after(10),
        // A server that does not honour If-Range.
        (1, _) => Answer::rest(&[b'x'; 43], 10),
        (_, None) => Answer::ok(BODY),
        _ => Answer::status("400 Bad Request"),
    });
    bed.fetch(&wanted(&server)).unwrap();
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_wrong_hash_names_everything_and_keeps_nothing() {
    let bed = bed();
    let server = Server::start(|_, _| Answer::ok(&BODY.to_ascii_uppercase()));
    let error = bed.fetch(&wanted(&server)).unwrap_err().to_string();
    for part in [hash(BODY), hash(&BODY.to_ascii_uppercase()), server.url("fox.tar"), "`fox`".into()] {
        assert!(error.contains(&part), "{error}");
    }
    assert_eq!(bed.files(), 0);
    assert_eq!(server.requests().len(), 1, "the same bytes would come again");
}

#[test]
fn errors_of_the_server_are_waited_for_and_a_missing_file_is_not() {
    let bed = bed();
    let server = Server::start(|before, _| match before {
        0 => Answer::status("503 Service Unavailable"),
        1 => Answer::status("429 Too Many Requests"),
        _ => Answer::ok(BODY),
    });
    bed.fetch(&wanted(&server)).unwrap();
    let server = Server::start(|_, _| Answer::status("404 Not Found"));
    let gone = Wanted { sha256: Some(hash(b"other")), ..wanted(&server) };
    assert!(matches!(bed.fetch(&gone), Err(Error::NotFound { status: 404, .. })));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_outage_ends_after_all_attempts_and_keeps_what_arrived() {
    let bed = bed();
    let server = Server::start(|_, request| match request.range {
        None => Answer::ok(BODY).header("ETag", "\"one\"").cut_after(10),
        Some(_) => Answer::status("500 Internal Server Error"),
    });
    let error = bed.fetch(&wanted(&server)).unwrap_err().to_string();
    assert!(error.contains("500") && error.contains("5 attempts"), "{error}");
    assert_eq!(server.requests().len(), 5);
    let partial = bed.cache.folder("partial").unwrap().join(hash(BODY));
    assert_eq!(std::fs::read(partial).unwrap(), &BODY[..10]);
    // The next run, with nothing of this one but the cache's folder, goes on from there.
    let cache = Cache::at(bed._folder.path()).unwrap();
    let server = Server::start(|_, request| match request.range.as_deref() {
        Some("bytes=10-") => Answer::rest(BODY, 10).header("ETag", "\"one\""),
        _ => Answer::status("400 Bad Request"),
    });
    Downloader::with_patience(PATIENCE).fetch(&cache, &wanted(&server), &Silent).unwrap();
    assert_eq!(server.requests()[0].if_range.as_deref(), Some("\"one\""));
    assert_eq!(bed.files(), 1);
}

#[test]
fn a_connection_that_stands_still_is_given_up_and_resumed() {
    let bed = bed();
    let server = Server::start(|_, request| match request.range.as_deref() {
        None => Answer::ok(BODY).header("ETag", "\"one\"").silent_after(10),
        Some("bytes=10-") => Answer::rest(BODY, 10).header("ETag", "\"one\""),
        Some(_) => Answer::status("400 Bad Request"),
    });
    bed.fetch(&wanted(&server)).unwrap();
    assert_eq!(server.requests().len(), 2);
}

#[test]
fn what_a_server_calls_its_encoding_changes_no_byte() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(BODY).unwrap();
    let packed = packed.finish().unwrap();
    let (bed, sent) = (bed(), packed.clone());
    let server = Server::start(move |_, _| Answer::ok(&sent).header("Content-Encoding", "gzip"));
    let wanted = Wanted { sha256: Some(hash(&packed)), size: Some(packed.len() as u64), ..wanted(&server) };
    bed.fetch(&wanted).unwrap();
}

/// Remembers the names under which steps began and bytes were counted.
#[derive(Default)]
struct Steps {
    begun: std::sync::Mutex<Vec<String>>,
    counted: std::sync::Mutex<Vec<(String, u64)>>,
}

impl Report for Steps {
    fn begin(&self, step: &str) {
        self.begun.lock().unwrap().push(step.into());
    }
    fn end(&self, _step: &str, _outcome: &str, _took: Duration) {}
    fn bytes(&self, step: &str, done: u64, _total: Option<u64>) {
        self.counted.lock().unwrap().push((step.into(), done));
    }
    fn note(&self, _text: &str) {}
}

#[test]
fn bytes_are_counted_under_the_name_of_their_step() {
    let (bed, server, steps) = (bed(), Server::start(|_, _| Answer::ok(BODY)), Steps::default());
    fetch_all(&bed.downloader, &bed.cache, &[wanted(&server)], 1, &steps).remove(0).unwrap();
    assert_eq!(*steps.begun.lock().unwrap(), ["fetch fox"]);
    assert_eq!(steps.counted.lock().unwrap().last(), Some(&("fetch fox".to_owned(), BODY.len() as u64)));
}

#[test]
fn four_files_come_at_a_time_and_no_five() {
    use std::sync::{Arc, Condvar, Mutex};
    // In flight now, and the most there ever were.
    let counts = Arc::new((Mutex::new((0, 0)), Condvar::new()));
    let (bed, at_server) = (bed(), Arc::clone(&counts));
    let server = Server::start(move |_, request| {
        let (count, changed) = &*at_server;
        let mut held = count.lock().unwrap();
        held.0 += 1;
        held.1 = held.1.max(held.0);
        changed.notify_all();
        // Nobody is answered before four have come; then a fifth one has its chance.
        held = changed.wait_timeout_while(held, Duration::from_secs(60), |(_, most)| *most < 4).unwrap().0;
        held = changed.wait_timeout_while(held, Duration::from_millis(300), |(_, most)| *most < 5).unwrap().0;
        held.0 -= 1;
        Answer::ok(request.path.as_bytes())
    });
    let file = |n: i32| Wanted { input: n.to_string(), url: server.url(&n.to_string()), sha256: None, size: None };
    let all: Vec<Wanted> = (0..8).map(file).collect();
    let results = fetch_all(&bed.downloader, &bed.cache, &all, super::super::fetch::AT_A_TIME, &Silent);
    assert!(results.iter().all(Result::is_ok) && results.len() == 8);
    assert_eq!(counts.0.lock().unwrap().1, 4);
}

#[test]
fn a_damaged_blob_is_thrown_away_and_fetched_again() {
    let (bed, server) = (bed(), Server::start(|_, _| Answer::ok(BODY)));
    let sha256 = bed.fetch(&wanted(&server)).unwrap();
    std::fs::write(bed.cache.blob_path(&sha256), BODY.to_ascii_uppercase()).unwrap();
    let cache = Cache::at(bed._folder.path()).unwrap();
    let error = cache.blob(&sha256).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert_eq!(cache.blob(&sha256).unwrap(), None);
    bed.downloader.fetch(&cache, &wanted(&server), &Silent).unwrap();
    assert!(cache.blob(&sha256).unwrap().is_some());
}

#[test]
fn many_files_keep_their_order() {
    let bed = bed();
    let server = Server::start(|_, request| match request.path.as_str() {
        "2" => Answer::status("404 Not Found"),
        path => Answer::ok(path.as_bytes()),
    });
    let all: Vec<Wanted> = (0..6)
        .map(|n| Wanted { input: n.to_string(), url: server.url(&n.to_string()), sha256: None, size: None })
        .collect();
    let results = fetch_all(&bed.downloader, &bed.cache, &all, 4, &Silent);
    for (n, result) in results.iter().enumerate() {
        match (n, result) {
            (2, Err(Error::NotFound { .. })) => {}
            (n, Ok(sha256)) => assert_eq!(*sha256, hash(n.to_string().as_bytes())),
            other => panic!("{other:?}"),
        }
    }
}
