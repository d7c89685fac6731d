//! Allotting, by hand.
