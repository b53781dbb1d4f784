//! The HTTP server that answers scrapes and browsers: sockets, limits and passwords (`server`), what is answered to
//! whom (`pages`, `ledger_pages`), a run in words and numbers (`live`), and the elements that people see (`page`).
//!
//! It reads snapshots of `observe`, and no route changes anything.

mod ledger_pages;
mod live;
mod page;
pub mod pages;
pub mod server;

pub use ledger_pages::LedgerPages;
pub use pages::Pages;
pub use server::{Protection, Server, ServerFlags, bind};
