//! The command line, from outside: bad input of every kind is one error with the next step and the right exit
//! status, and leaves nothing half-written. None of this needs an image or a network.

mod bad_input;
mod cache;
mod config;
mod definition;
mod download;
mod image;
mod init_project;
mod key;
mod lockfile;
mod manual;
mod provenance;
mod registry;
mod report;
mod run;
mod scan;
mod schema;
mod surface;
mod terminal;
mod token;
mod tree;
mod verbs;
mod watch;

#[path = "../support/mod.rs"]
mod support;
