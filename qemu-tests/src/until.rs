//! Asking again and again, for what no event tells: what a pod, a kubelet or a server answers.

use std::time::{Duration, Instant};

use crate::{Error, Result};

/// Between two questions, at least and at most. What takes long is asked more seldom: a `kubectl` costs a third of a second of
/// a processor, which the machines lack.
const AGAIN: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

/// Asks until `ask` has an answer; an error of it is no answer, and the last one is told at the deadline. Who says by himself
/// that something happened is waited for by [`crate::feed::Feed::wait`].
pub fn until<R>(awaited: &str, limit: Duration, mut ask: impl FnMut() -> Result<Option<R>>) -> Result<R> {
    let start = Instant::now();
    let deadline = start + limit;
    let mut last = String::from("not asked");
    while Instant::now() < deadline {
        match ask() {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => last = "not so".into(),
            Err(error) => last = error.to_string(),
        }
        std::thread::sleep((start.elapsed() / 10).clamp(AGAIN.0, AGAIN.1));
    }
    Err(Error::NoAnswer { awaited: awaited.to_owned(), waited: limit, last })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_ends_it_and_the_last_error_is_told() {
        let mut answers = [Ok(None), Err(Error::Machine("away".into())), Ok(Some(7))].into_iter();
        let found = until("number", Duration::from_secs(60), || answers.next().unwrap_or(Ok(None)));
        assert_eq!(found.ok(), Some(7));
        let limit = Duration::from_millis(1);
        let error = until::<()>("number", limit, || Err(Error::Machine("away".into()))).unwrap_err();
        assert_eq!(error.to_string(), "no number within 0.001 s; the last answer: away");
    }
}
