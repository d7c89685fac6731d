//! Tandem, the program: settings, command line and wiring of the actors.

pub mod settings;
