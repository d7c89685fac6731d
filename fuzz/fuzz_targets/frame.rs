//! A text of the order stream.
#![no_main]

#[path = "../../tests/damage/readers.rs"]
#[allow(dead_code, reason = "each target uses its own readers")]
mod readers;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = readers::frame(bytes);
});
