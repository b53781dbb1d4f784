//! flowgauge moves records from a source to a sink and measures every step.
//!
//! The path of one record, which is also the order of these modules: settings say what to do
//! (`config`); a `source` finds segments; workers decode, `convert` and prepare them; the
//! `pipeline` keeps order, memory and retries; a `sink` commits; what was refused goes to
//! `rejects`; what happened becomes a `report`. `observe` listens. See ARCHITECTURE.md.

#![forbid(unsafe_code)]

pub mod app;
pub mod cli;
pub mod command;
pub mod config;
pub mod convert;
pub mod error;
pub mod event;
pub mod file_identity;
pub mod observe;
pub mod outcome;
pub mod part;
pub mod pipeline;
pub mod record;
pub mod rejects;
pub mod report;
pub mod secret;
pub mod shown;
pub mod signals;
pub mod sink;
pub mod source;
