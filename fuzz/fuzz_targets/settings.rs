//! A settings file over the built-in one.
#![no_main]

#[path = "../../tests/damage/readers.rs"]
#[allow(dead_code, reason = "each target uses its own readers")]
mod readers;
#[path = "../../tests/damage/settings_reader.rs"]
mod settings_reader;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = settings_reader::settings_file(bytes);
});
