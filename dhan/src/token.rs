//! Access tokens: where one comes from, and when it ends. A token is never printed, never in an error text.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tandem_domain::ids::DhanClientId;
use tandem_domain::time::Timestamp;
use thiserror::Error;

/// Longer than any token seen, by far; a file beyond it is not a token.
const TOKEN_BYTES_MAX: u64 = 16 * 1024;

/// Where an account's token is read from, each time it is asked for.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// An environment variable, by name.
    Env(String),
    /// A file that only its owner may read (mode 0600 or stricter).
    File(PathBuf),
    /// The token itself: for tests, and for tokens typed in.
    Fixed(SecretString),
}

/// Why there is no token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The variable is not set.
    #[error("environment variable {0} is not set")]
    NotSet(String),
    /// The file cannot be read.
    #[error("cannot read token file {path}: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// Others may read the file.
    #[error("token file {path} has mode {mode:o}; others must not read it (chmod 600)")]
    TooOpen {
        /// The file.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// What is there is no token: empty, too long, or with characters no header may have.
    #[error("{0} holds no token")]
    NoToken(String),
}

impl TokenSource {
    /// Reads the token afresh.
    pub fn read(&self) -> Result<SecretString, TokenError> {
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| TokenError::NotSet(name.clone()))?,
            Self::File(path) => read_file(path)?,
            Self::Fixed(token) => token.expose_secret().to_owned(),
        };
        let token = text.trim();
        let legal = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if !legal {
            return Err(TokenError::NoToken(self.name()));
        }
        Ok(SecretString::from(token))
    }

    /// What to call the source in messages.
    pub fn name(&self) -> String {
        match self {
            Self::Env(name) => format!("environment variable {name}"),
            Self::File(path) => format!("file {}", path.display()),
            Self::Fixed(_) => "the given token".to_owned(),
        }
    }
}

fn read_file(path: &std::path::Path) -> Result<String, TokenError> {
    let unreadable = |error: std::io::Error| TokenError::Unreadable {
        path: path.display().to_string(),
        why: error.to_string(),
    };
    let file = File::open(path).map_err(unreadable)?;
    check_mode(path, &file)?;
    let mut text = String::new();
    file.take(TOKEN_BYTES_MAX).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

/// Asked of the open file, so that it cannot be another one than the one read.
#[cfg(unix)]
fn check_mode(path: &std::path::Path, file: &File) -> Result<(), TokenError> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata().map_err(|error| TokenError::Unreadable {
        path: path.display().to_string(),
        why: error.to_string(),
    })?;
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(TokenError::TooOpen { path: path.display().to_string(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &std::path::Path, _: &File) -> Result<(), TokenError> {
    Ok(())
}

/// What a token says of itself (`dhanhq-v2.md` section 1.3). Not verified: only the broker can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenClaims {
    /// When it was made.
    pub issued: Option<Timestamp>,
    /// When it ends, 24 hours later; the broker may end it sooner.
    pub expires: Option<Timestamp>,
    /// Whose it is.
    pub account: Option<DhanClientId>,
    /// `SELF` for console tokens, `APP` for minted ones.
    pub consumer: Option<String>,
}

#[derive(Deserialize)]
struct RawClaims {
    iat: Option<i64>,
    exp: Option<i64>,
    #[serde(rename = "dhanClientId")]
    account: Option<String>,
    #[serde(rename = "tokenConsumerType")]
    consumer: Option<String>,
}

/// Reads a token's claims, without verifying it; none when it is no JWT of the known shape.
pub fn claims(token: &SecretString) -> Option<TokenClaims> {
    let payload = token.expose_secret().split('.').nth(1)?;
    let json = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let raw: RawClaims = serde_json::from_slice(&json).ok()?;
    let moment = |seconds: i64| seconds.checked_mul(1_000_000).map(Timestamp::from_micros);
    Some(TokenClaims {
        issued: raw.iat.and_then(moment),
        expires: raw.exp.and_then(moment),
        account: raw.account.and_then(|text| DhanClientId::new(text).ok()),
        consumer: raw.consumer,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> SecretString {
        SecretString::from(format!("eyJhbGciOiJIUzUxMiJ9.{}.c2ln", URL_SAFE_NO_PAD.encode(payload)))
    }

    #[test]
    fn the_end_of_a_token_is_read_from_it() {
        let token = jwt(
            r#"{"iss":"dhan","partnerId":"","exp":1795490000,"iat":1795403600,"tokenConsumerType":"SELF","webhookUrl":"","dhanClientId":"1000000101"}"#,
        );
        let claims = claims(&token).unwrap();
        assert_eq!(claims.expires, Some(Timestamp::from_micros(1_795_490_000_000_000)));
        assert_eq!(claims.issued, Some(Timestamp::from_micros(1_795_403_600_000_000)));
        assert_eq!(claims.account.unwrap().as_str(), "1000000101");
        assert_eq!(claims.consumer.as_deref(), Some("SELF"));
    }

    #[test]
    fn what_is_no_token_has_no_claims() {
        for text in ["", "abc", "a.b.c", "a..c", "a.bm90IGpzb24.c"] {
            assert_eq!(claims(&SecretString::from(text)), None, "{text}");
        }
        assert_eq!(claims(&jwt(r#"{"exp":9223372036854775807}"#)).unwrap().expires, None);
    }

    #[test]
    fn a_token_is_in_no_debug_text() {
        let source = TokenSource::Fixed(SecretString::from("very-secret"));
        assert!(!format!("{source:?}").contains("very-secret"));
        assert_eq!(source.read().unwrap().expose_secret(), "very-secret");
        assert!(!format!("{:?}", source.read()).contains("very-secret"));
    }

    #[cfg(unix)]
    #[test]
    fn a_token_file_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, "  secret\n").unwrap();
        let set = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let source = TokenSource::File(path.clone());

        set(0o644);
        assert!(matches!(source.read(), Err(TokenError::TooOpen { mode: 0o644, .. })));
        set(0o600);
        assert_eq!(source.read().unwrap().expose_secret(), "secret");
        std::fs::write(&path, "two words").unwrap();
        assert!(matches!(source.read(), Err(TokenError::NoToken(_))));
        std::fs::write(&path, "").unwrap();
        assert!(matches!(source.read(), Err(TokenError::NoToken(_))));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(source.read(), Err(TokenError::Unreadable { .. })));
        assert!(matches!(
            TokenSource::Env("TANDEM_NO_SUCH_VARIABLE".to_owned()).read(),
            Err(TokenError::NotSet(_))
        ));
    }
}
