//! The built binary's command line: bad settings, version, checks with nobody listening.

mod bad_settings;
mod program;
mod version;
