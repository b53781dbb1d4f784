//! Encoded rows into the table: a lane commits a batch by LOAD DATA (`load`), by a temporary table
//! (`staging`) or by INSERT (`insert`), which finds the rows that do not fit.

mod assigned_numbers;
mod counts;
mod definition_check;
mod info;
mod insert;
mod lane;
mod load;
mod portion;
mod present;
mod row_search;
mod shared;
pub mod sink;
mod staging;
mod statement_memory;
mod throttle;
