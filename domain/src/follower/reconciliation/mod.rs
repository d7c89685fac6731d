//! Reconciliation: what our rows say of an account, laid beside its three books: orders, trades, positions.
//!
//! It is done whenever a book was read: at the start, after each login of the account's stream, and on a period. Each
//! function here takes rows and a read, and says in what they differ; there is no clock, and nothing but the counts of reads
//! that an order in doubt carries is changed.
//! `FollowerBook` acts on what they say (`on_book`, `on_trades`, `on_positions`), with the same step as on any other news.
//!
//! | The read | Function | Differences | What becomes of them |
//! |---|---|---|---|
//! | order book | `FollowerBook::on_report`, row by row | the broker tells more of an order of ours than the rows do | heals: its state and fills are taken over (P9) |
//! | | | an order of ours in doubt is there | heals: adopted |
//! | | | somebody changed or cancelled it; it carries our tag and has no row, or a second time; it is nobody's | detached; told and left alone; recorded as external and left alone |
//! | | [`absence::judge`] | an order in doubt is not there | heals by its rule: voided, or sent again (P4) |
//! | | [`doubt`] | it stays in doubt | an incident, and nothing more is opened in its instrument (P3) |
//! | | [`absence::missing`] | an order that the broker took is not there any more | an incident until it is there again: nothing is concluded from it |
//! | trade book | [`fills::untold`] | fills that the order book does not tell | heals: they count (P9) |
//! | positions | [`drift::of`] | the account holds other units than the rows explain | an incident, and the instrument only closes (P11) |
//! | | [`unproven`] | what an earlier day left in doubt came to nothing | heals: settled (P29) |
//!
//! - Before a life has read order book and positions once, it opens nothing ([`first`], P20).
//! - Books that agree with the rows differ from them in nothing.
//! - What heals takes only what a book says more: no quantity falls, and no fill is invented.
//! - From a read that is early, not complete, or of another day, nothing absent is concluded.
//! - Differences in positions are no order's: what the copies lack to perfect copying is a gap of a mirror ([`crate::gap`]).

pub(super) mod absence;
pub(super) mod doubt;
pub(super) mod drift;
pub(super) mod fills;
pub(super) mod first;
pub(super) mod unproven;
