//! Rows to what goes over the wire: the text of LOAD DATA, in the order of the key (`prepare`, `order`,
//! `group`, `text`), and the statements (`statement`, `literal`). Pure.

pub mod group;
pub mod literal;
mod order;
pub mod prepare;
pub mod statement;
pub mod text;
