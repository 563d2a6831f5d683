//! Archives that are right, wrong, cut and arbitrary.

use super::*;
use proptest::prelude::*;
use std::io::Cursor;

#[path = "../tests/sample/mod.rs"]
mod sample;

const NAME: &str = "localhost/pause:1";

fn image(bytes: Vec<u8>, reference: &str) -> Result<Image> {
    let mut archive = Archive::new(Path::new("a.tar"), Cursor::new(bytes))?;
    let image = archive.image(reference)?;
    for blob in image.blobs() {
        archive.check(blob)?;
    }
    Ok(image)
}

#[test]
fn the_one_image_is_found_with_its_blobs_in_order() {
    let image = image(sample::tar(&sample::files(b"layer")), NAME).expect("an image");
    let blobs: Vec<&str> = image.blobs().map(|blob| blob.digest.as_str()).collect();
    assert_eq!(blobs[0], sample::digest(b"layer"));
    assert_eq!(blobs.last(), Some(&image.manifest.digest.as_str()));
}

#[test]
fn of_several_images_the_named_one_is_taken() {
    let mut files = sample::files(b"layer");
    let index = String::from_utf8(files[1].1.clone()).expect("text");
    let mut index: serde_json::Value = serde_json::from_str(&index).expect("JSON");
    let mut other = index["manifests"][0].clone();
    other["annotations"] = serde_json::json!({"io.containerd.image.name": "localhost/other:1"});
    index["manifests"].as_array_mut().expect("a list").push(other);
    files[1].1 = index.to_string().into_bytes();
    assert!(image(sample::tar(&files), NAME).is_ok());
    assert!(image(sample::tar(&files), "localhost/other:1").is_ok());
    let error = image(sample::tar(&files), "localhost/third:1").expect_err("no such image");
    assert_eq!(error.to_string(), "archive a.tar: it does not hold exactly one image for localhost/third:1");
}

#[test]
fn a_missing_blob_and_a_wrong_name_are_named() {
    let mut files = sample::files(b"layer");
    files.remove(3);
    let error = image(sample::tar(&files), NAME).expect_err("a blob is missing");
    assert!(error.to_string().contains("blobs/sha256/"), "{error}");
    let mut files = sample::files(b"layer");
    files[1].1 = br#"{"manifests":[{"mediaType":"m","digest":"sha256:../../x","size":1}]}"#.to_vec();
    let error = image(sample::tar(&files), NAME).expect_err("no digest");
    assert!(error.to_string().contains("not a SHA-256 digest: \"sha256:../../x\""), "{error}");
}

#[test]
fn no_cut_is_an_image_or_a_panic() {
    let files = sample::files(b"layer");
    let whole = sample::tar(&files);
    // Two empty blocks end a tar; what is before them is all needed.
    let (name, manifest) = files.last().expect("a manifest");
    assert!(name.starts_with("blobs/"));
    let needed =
        whole.windows(manifest.len()).rposition(|part| part == manifest).expect("it is there") + manifest.len();
    for cut in 0..needed {
        assert!(image(whole[..cut].to_vec(), NAME).is_err(), "cut at {cut}");
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        prop_assert!(image(bytes, NAME).is_err());
    }

    #[test]
    fn a_changed_byte_never_panics(at in 0usize..10_000, by in 1u8..) {
        let mut bytes = sample::tar(&sample::files(b"layer"));
        let at = at % bytes.len();
        bytes[at] ^= by;
        let _ = image(bytes, NAME);
    }
}
