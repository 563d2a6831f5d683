//! The command line, from outside: bad input of every kind is one error with the next step and the right exit
//! status, and leaves nothing half-written. None of this needs an image or a network.

mod config;
mod definition;
mod download;
mod image;
mod key;
mod lockfile;
mod run;
mod scan;
mod surface;
mod terminal;
mod token;
mod tree;
mod verbs;

#[path = "../support/mod.rs"]
mod support;
