//! Runs the built binary with a clean environment and gives back what it said.

use std::path::Path;
use std::process::{Command, Stdio};

/// A token that must never be seen in any output.
pub(crate) const SECRET: &str = "eyJhbGciOiJIUzUxMiJ9.very-secret-token.c2ln";

/// What one run said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    /// Both streams; checked for secrets on the way.
    pub(crate) fn all(&self) -> String {
        format!("{}{}", self.out, self.err)
    }
}

/// Runs `tandem` in `folder` with these arguments and variables only. Whatever it does, it must not tell the secret.
pub(crate) fn tandem(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Said {
    let output = Command::new(env!("CARGO_BIN_EXE_tandem"))
        .args(arguments)
        .env_clear()
        .envs(variables.iter().copied())
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let said = Said { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) };
    assert!(!said.all().contains("very-secret"), "a secret was told: {said:?}");
    said
}
