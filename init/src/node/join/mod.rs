//! Whether the node has joined its cluster, and if not, which step does not work. kubelet's health check says nothing of
//! that: a kubelet without a certificate is healthy. So PID 1 listens to what kubelet logs. Nothing is decided by it:
//! the node stays up, and kubelet goes on trying.

mod line;
mod steps;

use super::safe_path::find_dir;
use super::{KUBELET, Node};
use crate::report::{Event, now_ms};
use nix::fcntl::AtFlags;
use nix::sys::stat::fstatat;
use orlop_config::node::KUBELET_CERTIFICATE;
use std::path::Path;
use std::time::{Duration, Instant};
use steps::{Meaning, STEPS, Step, meaning};

/// What does not hold longer than this belongs to every start.
const HOLD: Duration = Duration::from_secs(30);
/// kubelet tries each thing again after 32 s at most; what it has not said for this long is over.
const FRESH: Duration = Duration::from_secs(90);
/// When a node that has not joined, and does not say why, is told of.
const DEADLINE: Duration = Duration::from_secs(180);
/// When what still holds is said again.
const AGAIN: Duration = Duration::from_secs(600);
/// How much of the log is shown.
const TAIL: usize = 8;

/// What kubelet said of one step.
#[derive(Debug, Clone)]
struct Heard {
    first: Instant,
    last: Instant,
    reason: String,
}

/// What is to be said.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Fails(Step, String),
    Over(Step),
}

/// What PID 1 knows of the node's joining.
#[derive(Debug, Default)]
pub struct Joining {
    /// When kubelet said its first line.
    began: Option<Instant>,
    joined: bool,
    /// Whether it was said that the node has joined: once a boot.
    told: bool,
    heard: [Option<Heard>; STEPS.len()],
    said: Option<(Step, Instant)>,
}

impl Joining {
    /// Takes what a line means; the node's name when that is that it has joined.
    fn take(&mut self, meaning: Option<Meaning>, now: Instant) -> Option<String> {
        self.began.get_or_insert(now);
        match meaning? {
            Meaning::Joined(node) => {
                self.joined = true;
                let news = !std::mem::replace(&mut self.told, true);
                news.then_some(node)
            }
            Meaning::Fails(step, reason) => {
                let before = self.heard[step as usize].take().filter(|heard| now.duration_since(heard.last) < FRESH);
                let first = before.map_or(now, |heard| heard.first);
                self.heard[step as usize] = Some(Heard { first, last: now, reason });
                None
            }
        }
    }

    /// kubelet ended: the next one has to join anew, and the certificate that the last one had may work no more. What
    /// one says that never joined, and is started again and again, is counted over all its starts.
    pub fn begin_anew(&mut self) {
        if self.joined {
            *self = Joining { told: self.told, ..Joining::default() };
        }
    }

    /// The step that does not work, and why: the first that has failed for a while, and still does.
    fn fails(&self, now: Instant) -> Option<(Step, String)> {
        let began = self.began?;
        let due = STEPS.iter().filter(|step| step.follows_joining() == self.joined);
        let heard = due.filter_map(|step| Some((*step, self.heard[*step as usize].as_ref()?)));
        let fresh: Vec<_> = heard.filter(|(_, heard)| now.duration_since(heard.last) < FRESH).collect();
        let late = !self.joined && fresh.is_empty() && now.duration_since(began) >= DEADLINE;
        let silent = || late.then(|| (Step::Unknown, "kubelet does not say why".to_owned()));
        let first = fresh.into_iter().find(|(_, heard)| now.duration_since(heard.first) >= HOLD);
        first.map(|(step, heard)| (step, heard.reason.clone())).or_else(silent)
    }

    /// What is to be said now: a step that is not the one that was said last, or that holds for long.
    fn news(&mut self, now: Instant) -> Option<News> {
        let said = self.said;
        let Some((step, reason)) = self.fails(now) else {
            self.said = said.filter(|(step, _)| *step != Step::Network);
            return (self.said != said).then_some(News::Over(Step::Network));
        };
        let known = said.is_some_and(|(said, at)| said == step && now.duration_since(at) < AGAIN);
        (!known).then(|| {
            self.said = Some((step, now));
            News::Fails(step, reason)
        })
    }
}

impl Node {
    /// Listens to lines of kubelet's log, on a node of a cluster.
    pub fn hear_of_joining(&mut self, lines: &[Vec<u8>]) {
        for line in lines {
            if let Some(node) = self.joining.take(meaning(line, has_certificate), Instant::now()) {
                self.report.tell(&Event::Joined { node, ms: now_ms() });
            }
        }
    }

    /// Says which step of joining does not work, with the end of kubelet's log.
    pub fn tell_of_joining(&mut self) {
        if self.shutdown.is_some() {
            return;
        }
        match self.joining.news(Instant::now()) {
            None => {}
            Some(News::Over(step)) => self.report.note("join", format!("step {} works now", step.name())),
            Some(News::Fails(step, reason)) => {
                let (step, remedy) = (step.name(), step.remedy());
                self.report.tell(&Event::Join { step, reason, remedy });
                let tail: Vec<String> = self.services[KUBELET].tail().map(str::to_owned).collect();
                tail[tail.len().saturating_sub(TAIL)..].iter().for_each(|line| self.report.quote(line));
            }
        }
    }
}

/// Whether kubelet has a client certificate, of this boot or of an earlier one. What it says is kubelet's affair.
pub fn has_certificate() -> bool {
    let path = Path::new(KUBELET_CERTIFICATE);
    let below = |folder: &Path| folder.strip_prefix("/var").ok()?.to_str().map(str::to_owned);
    let (Some(below), Some(name)) = (path.parent().and_then(below), path.file_name()) else { return false };
    let Ok(Some(folder)) = find_dir(Path::new("/var"), &below) else { return false };
    fstatat(&folder, name, AtFlags::AT_SYMLINK_NOFOLLOW).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(step: Step) -> Option<Meaning> {
        Some(Meaning::Fails(step, format!("no {}", step.name())))
    }

    fn said(news: Option<News>) -> Option<&'static str> {
        match news? {
            News::Fails(step, reason) => {
                assert!(reason.contains(step.name()) || step == Step::Unknown);
                Some(step.name())
            }
            News::Over(step) => {
                assert_eq!(step, Step::Network);
                Some("over")
            }
        }
    }

    /// Seconds, what kubelet says then, and what is said of it.
    fn run(story: &[(u64, Option<Meaning>, Option<&'static str>)]) {
        let (mut joining, start) = (Joining::default(), Instant::now());
        for (second, meaning, want) in story {
            let now = start + Duration::from_secs(*second);
            joining.take(meaning.clone(), now);
            assert_eq!(said(joining.news(now)), *want, "after {second} s");
        }
    }

    #[test]
    fn what_passes_by_itself_is_not_said() {
        run(&[
            (0, None, None),
            (1, fails(Step::Certificate), None),
            (20, fails(Step::Certificate), None),
            (25, Some(Meaning::Joined("one".into())), None),
            (400, None, None),
        ]);
    }

    #[test]
    fn the_first_step_that_does_not_work_is_said_once_then_rarely() {
        run(&[
            (0, fails(Step::Certificate), None),
            (1, fails(Step::Token), None),
            (30, fails(Step::Certificate), Some("certificate")),
            (31, fails(Step::Token), Some("token")),
            (62, fails(Step::Certificate), None),
            (90, fails(Step::Token), None),
            (130, fails(Step::Certificate), None),
            // The token was mended: nothing is said of it any more.
            (170, fails(Step::Certificate), None),
            (190, None, Some("certificate")),
            (250, fails(Step::Certificate), None),
        ]);
        let every_minute = (1..=12).map(|minute| (60 * minute, fails(Step::Connect), None));
        let mut story: Vec<_> = every_minute.collect();
        story[1].2 = Some("connect");
        story[11].2 = Some("connect");
        run(&story);
    }

    #[test]
    fn a_silent_kubelet_is_told_of_at_the_deadline() {
        run(&[(0, None, None), (179, None, None), (180, None, Some("unknown")), (200, fails(Step::Tls), None)]);
    }

    #[test]
    fn of_a_node_that_joined_only_what_follows_is_told() {
        run(&[
            (0, Some(Meaning::Joined("one".into())), None),
            (1, fails(Step::Connect), None),
            (60, fails(Step::Connect), None),
            (61, fails(Step::Network), None),
            (91, fails(Step::Network), Some("network")),
            (120, fails(Step::Network), None),
            (211, None, Some("over")),
            (240, None, None),
        ]);
    }

    #[test]
    fn a_node_joins_once_a_boot() {
        let mut joining = Joining::default();
        let joined = Some(Meaning::Joined("one".into()));
        assert_eq!(joining.take(joined.clone(), Instant::now()).as_deref(), Some("one"));
        assert_eq!(joining.take(joined, Instant::now()), None);
    }

    #[test]
    fn a_kubelet_that_starts_again_has_to_join_again() {
        let (mut joining, start) = (Joining::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let joined = || Some(Meaning::Joined("one".into()));
        assert_eq!(joining.take(joined(), at(10)).as_deref(), Some("one"));
        joining.take(fails(Step::Network), at(160));
        joining.take(fails(Step::Network), at(200));
        assert_eq!(said(joining.news(at(200))), Some("network"));
        joining.begin_anew();
        assert_eq!(said(joining.news(at(201))), None, "that it ended mends no network");
        joining.take(fails(Step::Identity), at(210));
        joining.take(fails(Step::Identity), at(240));
        assert_eq!(said(joining.news(at(240))), Some("identity"), "its certificate has run out since");
        joining.begin_anew();
        joining.take(fails(Step::Identity), at(250));
        joining.take(fails(Step::Identity), at(280));
        assert_eq!(said(joining.news(at(280))), None, "it was said 40 s ago");
        assert_eq!(joining.take(joined(), at(300)), None, "that it has joined is said once a boot");
        joining.begin_anew();
        joining.take(None, at(310));
        assert_eq!(said(joining.news(at(489))), None);
        assert_eq!(said(joining.news(at(490))), Some("unknown"), "counted from its own first line");
    }
}
