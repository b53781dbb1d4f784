//! The way of rows into the table: workers prepare them (`prepare`, `order`), a lane commits them, by
//! LOAD DATA (`load`), through a table of its own (`upsert`) or carefully (`careful`); tokens say what
//! is in (`state`), and the job is held by one run (`guard`).

mod careful;
mod counts;
mod definition;
mod given;
mod group;
pub mod guard;
mod heartbeat;
mod info;
mod job;
mod lane;
mod literal;
mod load;
mod locks;
mod order;
mod owner;
mod portion;
mod prepare;
mod present;
mod room;
mod search;
pub mod sink;
pub mod state;
mod statement;
mod text;
mod throttle;
mod token;
mod upsert;
