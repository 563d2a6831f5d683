//! What kubelet's shutdown manager asks of systemd's logind, and no more: a bus at which it takes an inhibitor (a
//! descriptor that it holds) and hears that the machine is about to stop. PID 1 says when, and hears when nobody holds an
//! inhibitor any more: then kubelet has ended the pods, each in its turn and with its grace.
//!
//! | module | what it is |
//! |---|---|
//! | [`auth`] | the lines before the first message |
//! | [`message`] | messages as bytes: reading, writing |
//! | [`manager`] | what is asked, and what is answered |
//! | [`client`] | one connection |
//! | [`inhibitors`] | who holds one |
//! | [`order`] | the pair of sockets with PID 1 |
//! | [`server`] | the loop |
//! | [`sandbox`] | what the program gives up first |
//!
//! Whoever connects may be anything: parsers are pure, everything is bounded, and the worst that a client gets is its
//! connection closed.

pub mod auth;
pub mod client;
pub mod inhibitors;
pub mod manager;
pub mod message;
pub mod options;
pub mod order;
pub mod sandbox;
pub mod server;
pub mod sys;

/// Says a line on stderr, which PID 1 keeps: one line, and nothing that a terminal would obey.
pub fn say(text: &str) {
    let text: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).take(400).collect();
    eprintln!("logind: {text}");
}
