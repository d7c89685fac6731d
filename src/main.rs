//! The program. Everything is in the library beside it, where tests and benchmarks reach it.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// For `SQLite` as well: it takes the place of `malloc`. The C library's keeps, for each thread that ever read rows, the
/// most that this thread once used (docs/decisions/0036-the-allocator.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tandem::cli::main().into()
}
