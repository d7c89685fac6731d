//! Each check by itself: a right day passes, with and without the broker's book, and each way of breaking a promise is
//! caught as that promise and no other.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod book;
mod columns;
mod day;
mod history;
mod honest;
mod rare;
mod reading;
