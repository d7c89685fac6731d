//! An answer over REST, read as the answer to each request that there is.
#![no_main]

#[path = "../../tests/damage/readers.rs"]
#[allow(dead_code, reason = "each target uses its own readers")]
mod readers;

const READERS: [readers::Reader; 16] = [
    readers::orders,
    readers::looked_up,
    readers::supers,
    readers::forevers,
    readers::trades,
    readers::positions,
    readers::holdings,
    readers::funds,
    readers::profile,
    readers::ip_status,
    readers::margin,
    readers::last_prices,
    readers::placed,
    readers::changed,
    readers::token,
    readers::refused,
];

libfuzzer_sys::fuzz_target!(|body: &[u8]| {
    for read in READERS {
        let _ = read(body);
    }
});
