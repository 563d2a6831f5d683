//! Downloads against a server that breaks off, lies and forgets.

use super::super::progress::Silent;
use super::super::server::{Answer, Server};
use super::*;

const BODY: &[u8] = b"the quick brown fox jumps over the lazy dog";

struct Bed {
    _folder: tempfile::TempDir,
    cache: Cache,
    downloader: Downloader,
}

fn bed() -> Bed {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(folder.path()).unwrap();
    Bed { _folder: folder, cache, downloader: Downloader::with_pause(Duration::ZERO) }
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
