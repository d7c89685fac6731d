//! Access tokens, PINs and TOTP secrets: where one comes from, when a token ends, and where a renewed one is kept. None is
//! ever printed, and none is in an error text.

mod file;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tandem_domain::ids::DhanClientId;
use tandem_domain::time::Timestamp;
use thiserror::Error;
use zeroize::Zeroizing;

pub use file::FileStamp;

/// Where a secret is read from, each time it is asked for.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// An environment variable, by name.
    Env(String),
    /// A file that only its owner may read (mode 0600 or stricter).
    File(PathBuf),
    /// The secret itself: for tests.
    Fixed(SecretString),
}

/// Why there is no secret, or no place for a new one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// The variable is not set.
    #[error("environment variable {0} is not set")]
    NotSet(String),
    /// The file cannot be read.
    #[error("cannot read file {path}: {why}")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
    /// Others may read the file, or it may be run.
    #[error("file {path} has mode {mode:o}: a secret's file must be its owner's alone (chmod 600)")]
    TooOpen {
        /// The file.
        path: String,
        /// Its permissions.
        mode: u32,
    },
    /// What is there is no token: empty, too long, or with characters no header may have.
    #[error("{0} holds no token")]
    NoToken(String),
    /// What is there is no PIN, or no TOTP secret.
    #[error("{place} holds no {what}")]
    NoSecret {
        /// What was looked for.
        what: &'static str,
        /// Where.
        place: String,
    },
    /// The token says that it belongs to somebody else: what is placed with it would be placed in his account.
    #[error("{0} holds a token of another account")]
    OtherAccount(String),
    /// A renewed token cannot be written.
    #[error("cannot write file {path}: {why}")]
    Unwritable {
        /// The file.
        path: String,
        /// What the system said.
        why: String,
    },
}

impl SecretSource {
    /// Reads the secret afresh, without the white space around it.
    pub fn read(&self) -> Result<SecretString, TokenError> {
        let text = match self {
            Self::Env(name) => {
                Zeroizing::new(std::env::var(name).map_err(|_| TokenError::NotSet(name.clone()))?)
            }
            Self::File(path) => file::read(path)?,
            Self::Fixed(secret) => Zeroizing::new(secret.expose_secret().to_owned()),
        };
        Ok(SecretString::from(text.trim()))
    }

    /// What to call the source in messages.
    pub fn name(&self) -> String {
        match self {
            Self::Env(name) => format!("environment variable {name}"),
            Self::File(path) => format!("file {}", path.display()),
            Self::Fixed(_) => "the given secret".to_owned(),
        }
    }

    /// What tells a change of it without reading it; of a variable and of a fixed secret it never differs.
    pub fn stamp(&self) -> FileStamp {
        match self {
            Self::File(path) => file::stamp(path),
            Self::Env(_) | Self::Fixed(_) => FileStamp::default(),
        }
    }
}

/// Where an account's token is read from, each time it is asked for; and what a renewal has put in its place. Clones share
/// what was renewed, so that it outlives the actor that renewed it.
#[derive(Debug, Clone)]
pub struct TokenSource {
    from: SecretSource,
    renewed: Arc<Mutex<Option<Renewed>>>,
}

/// A token that took the place of another, where that one cannot be overwritten or could not be.
#[derive(Debug)]
struct Renewed {
    /// What the source held then; once it holds anything else, that counts.
    in_place_of: Held,
    token: SecretString,
}

/// What a source held when a renewal of its token began.
#[derive(Debug, Clone)]
pub struct Held(Option<SecretString>);

/// Where a renewed token went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// To the file, which a later start will read.
    Written,
    /// To the memory of this process: a later start finds the old token.
    InMemory,
    /// Nowhere: the owner put another token there meanwhile, and that one counts.
    OwnersStands,
}

impl Held {
    fn is(&self, other: &Self) -> bool {
        let text =
            |held: &Self| held.0.as_ref().map(|secret| Zeroizing::new(secret.expose_secret().to_owned()));
        text(self) == text(other)
    }
}

impl From<SecretSource> for TokenSource {
    fn from(from: SecretSource) -> Self {
        Self { from, renewed: Arc::default() }
    }
}

impl TokenSource {
    /// An environment variable, by name.
    pub fn env(name: impl Into<String>) -> Self {
        SecretSource::Env(name.into()).into()
    }

    /// A file of mode 0600 or stricter.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        SecretSource::File(path.into()).into()
    }

    /// The token itself: for tests.
    pub fn fixed(token: impl Into<SecretString>) -> Self {
        SecretSource::Fixed(token.into()).into()
    }

    /// Reads the token afresh.
    pub fn read(&self) -> Result<SecretString, TokenError> {
        let there = self.from.read();
        if let Some(renewed) = &*self.lock()
            && renewed.in_place_of.is(&Held(there.as_ref().ok().cloned()))
        {
            return Ok(renewed.token.clone());
        }
        let token = there?;
        let text = token.expose_secret();
        let legal = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if legal { Ok(token) } else { Err(TokenError::NoToken(self.name())) }
    }

    /// The same, if the token does not say that it is another account's.
    pub fn read_for(&self, account: &DhanClientId) -> Result<SecretString, TokenError> {
        let token = self.read()?;
        match claims(&token).and_then(|claims| claims.account) {
            Some(other) if other != *account => Err(TokenError::OtherAccount(self.name())),
            _ => Ok(token),
        }
    }

    /// What is there before a renewal. A file that others may read is no place to write a token to.
    pub fn hold(&self) -> Result<Held, TokenError> {
        match self.from.read() {
            Ok(secret) => Ok(Held(Some(secret))),
            Err(error @ TokenError::TooOpen { .. }) => Err(error),
            Err(_) => Ok(Held(None)),
        }
    }

    /// Puts a renewed token in the place of what was held. One that cannot be written is kept in memory and counts there;
    /// the error says why a later start will not find it.
    pub fn keep(&self, held: Held, token: SecretString) -> Result<Kept, TokenError> {
        if !self.hold()?.is(&held) {
            return Ok(Kept::OwnersStands);
        }
        let written = match &self.from {
            SecretSource::File(path) => file::write(path, &token).map(|()| Kept::Written),
            SecretSource::Env(_) | SecretSource::Fixed(_) => Ok(Kept::InMemory),
        };
        let in_memory = (written != Ok(Kept::Written)).then_some(Renewed { in_place_of: held, token });
        *self.lock() = in_memory;
        written
    }

    /// What tells a change of the source without reading it.
    pub fn stamp(&self) -> FileStamp {
        self.from.stamp()
    }

    /// Whether it can change while the process runs.
    pub const fn is_file(&self) -> bool {
        matches!(self.from, SecretSource::File(_))
    }

    /// What to call the source in messages.
    pub fn name(&self) -> String {
        self.from.name()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Renewed>> {
        // A panic under the lock leaves the one or the other token: both were given to us.
        self.renewed.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
    let json = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?);
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
        let source = TokenSource::fixed("very-secret");
        assert!(!format!("{source:?}").contains("very-secret"));
        assert_eq!(source.read().unwrap().expose_secret(), "very-secret");
        assert!(!format!("{:?}", source.read()).contains("very-secret"));
        source.keep(source.hold().unwrap(), "other-secret".into()).unwrap();
        assert!(!format!("{source:?} {:?}", source.hold()).contains("secret-"));
        assert!(!format!("{source:?}").contains("other-secret"));
    }

    #[cfg(unix)]
    fn file_with(mode: u32, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, text).unwrap();
        set_mode(&path, mode);
        (folder, path)
    }

    #[cfg(unix)]
    fn set_mode(path: &std::path::Path, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_token_file_that_others_may_read_is_refused() {
        let (_folder, path) = file_with(0o644, "  secret\n");
        let source = TokenSource::file(&path);
        for mode in [0o644, 0o640, 0o604, 0o610, 0o700] {
            set_mode(&path, mode);
            let refused = source.read().unwrap_err();
            assert!(matches!(refused, TokenError::TooOpen { mode: said, .. } if said == mode));
            let text = refused.to_string();
            assert!(text.contains(path.to_str().unwrap()) && text.contains("chmod 600"), "{text}");
            assert!(source.hold().is_err(), "nothing is written there either");
        }
        for mode in [0o600, 0o400] {
            set_mode(&path, mode);
            assert_eq!(source.read().unwrap().expose_secret(), "secret");
        }
        set_mode(&path, 0o600);
        std::fs::write(&path, "two words").unwrap();
        assert!(matches!(source.read(), Err(TokenError::NoToken(_))));
        std::fs::write(&path, "").unwrap();
        assert!(matches!(source.read(), Err(TokenError::NoToken(_))));
        std::fs::remove_file(&path).unwrap();
        assert!(matches!(source.read(), Err(TokenError::Unreadable { .. })));
        assert!(matches!(TokenSource::env("TANDEM_NO_SUCH_VARIABLE").read(), Err(TokenError::NotSet(_))));
    }

    #[test]
    fn a_token_of_another_account_is_refused() {
        let (own, other) =
            (DhanClientId::new("1000000101").unwrap(), DhanClientId::new("1000000202").unwrap());
        let source = TokenSource::fixed(jwt(r#"{"dhanClientId":"1000000101"}"#));
        assert!(source.read_for(&own).is_ok());
        assert!(matches!(source.read_for(&other), Err(TokenError::OtherAccount(_))));
        assert!(TokenSource::fixed("opaque").read_for(&other).is_ok(), "it says nothing");
    }

    #[cfg(unix)]
    #[test]
    fn a_renewed_token_is_written_over_the_old_one() {
        let (folder, path) = file_with(0o600, "old\n");
        let source = TokenSource::file(&path);
        let (before, held) = (source.stamp(), source.hold().unwrap());
        assert_eq!(source.keep(held, "new".into()), Ok(Kept::Written));
        assert_ne!(source.stamp(), before);
        assert_eq!(TokenSource::file(&path).read().unwrap().expose_secret(), "new", "with mode 0600, too");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    }

    #[cfg(unix)]
    #[test]
    fn what_the_owner_wrote_meanwhile_stands() {
        let (_folder, path) = file_with(0o600, "old");
        let source = TokenSource::file(&path);
        let held = source.hold().unwrap();
        std::fs::write(&path, "owners").unwrap();
        assert_eq!(source.keep(held, "new".into()), Ok(Kept::OwnersStands));
        assert_eq!(source.read().unwrap().expose_secret(), "owners");
    }

    #[cfg(unix)]
    #[test]
    fn a_token_that_cannot_be_written_counts_until_the_owner_writes_another() {
        let (folder, path) = file_with(0o600, "old");
        let source = TokenSource::file(&path);
        let later_life = source.clone();
        let held = source.hold().unwrap();
        std::fs::rename(folder.path(), folder.path().with_extension("gone")).unwrap();
        // Gone as a whole: what was held is not there any more either, so that is another state of the source.
        assert_eq!(source.keep(held, "new".into()), Ok(Kept::OwnersStands));
        let held = source.hold().unwrap();
        assert!(matches!(source.keep(held, "new".into()), Err(TokenError::Unwritable { .. })));
        assert_eq!(later_life.read().unwrap().expose_secret(), "new");
        std::fs::rename(folder.path().with_extension("gone"), folder.path()).unwrap();
        assert_eq!(later_life.read().unwrap().expose_secret(), "old", "whatever is there now");
    }

    #[test]
    fn what_is_no_file_keeps_a_renewed_token_in_memory() {
        let source = TokenSource::fixed("first");
        for renewed in ["second", "third"] {
            let held = source.hold().unwrap();
            assert_eq!(source.keep(held, renewed.into()), Ok(Kept::InMemory));
            assert_eq!(source.read().unwrap().expose_secret(), renewed);
        }
    }
}
