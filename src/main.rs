//! The program. Everything is in the library beside it, where tests and benchmarks reach it.

use std::process::ExitCode;

fn main() -> ExitCode {
    tandem::cli::main().into()
}
