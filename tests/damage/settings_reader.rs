//! The reader of settings, apart from the others: it needs the whole program, which takes long to build for a fuzzer.

use tandem::settings::{Purpose, Sources};

use crate::readers::Outcome;

/// A settings file over the built-in one.
pub(crate) fn settings_file(bytes: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(bytes);
    let ids = ["LEADER_CLIENT_ID", "FOLLOWER_1_CLIENT_ID", "ASHA_CLIENT_ID", "BALA_CLIENT_ID"];
    let variables = ids.into_iter().enumerate();
    let variables = variables.map(|(at, name)| (name.to_owned(), format!("100000010{at}")));
    let sources = Sources::new().text("file.toml", &text).environment(variables);
    match sources.load(Purpose::Check) {
        Ok(settings) => Outcome { read: format!("{settings:?}"), faults: Vec::new() },
        Err(faults) => {
            Outcome { read: String::new(), faults: faults.0.iter().map(ToString::to_string).collect() }
        }
    }
}
