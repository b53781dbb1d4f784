//! `help`, `version`, `completions` and `man`: what is printed about the program itself.

use super::print;
use crate::app;
use crate::cli::page::Page;
use crate::outcome::Outcome;

pub fn print_page(page: &Page) -> Outcome {
    match page.text() {
        Ok(text) => print(&text),
        Err(error) => {
            app::complain(&error);
            error.kind.into()
        }
    }
}
