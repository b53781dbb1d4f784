//! What a page is made of: elements of HTML and SVG as values (`node`), and small plots (`plot`). Pure; no
//! text can become anything but text.

mod node;
pub mod plot;

pub use node::{Element, Node, element};
