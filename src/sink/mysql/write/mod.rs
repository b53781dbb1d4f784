//! The way of rows into the table: workers prepare them (`prepare`, `order`), a lane commits them, by
//! LOAD DATA (`load`), through a table of its own (`upsert`) or carefully (`careful`); tokens and
//! locks (`state`) say what is in and who may write.

mod careful;
mod counts;
mod definition;
mod group;
mod guard;
mod info;
mod job;
mod lane;
mod load;
mod order;
mod prepare;
mod search;
pub mod sink;
pub mod state;
mod statement;
mod text;
mod throttle;
mod token;
mod upsert;
