//! New tokens: by the broker's renewal call, and by PIN and TOTP (`dhanhq-v2.md` section 1.4). Both kill the token before,
//! so neither is ever repeated here: whoever asks decides when to ask again.

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tandem_domain::ids::DhanClientId;
use tandem_domain::time::Timestamp;
use thiserror::Error;
use totp_rs::{Builder, Secret, Totp};
use zeroize::Zeroizing;

use super::answer::Answer;
use super::transport::{self, NoAnswer};
use super::{AccountClient, ClientError, ClientSettings};
use crate::refusal;
use crate::token::{SecretSource, TokenError};
use crate::wire::RenewedToken;

/// Why there is no new token. No text of it holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RenewalError {
    /// What is needed to ask cannot be read here, or is none.
    #[error("{0}")]
    NoSecret(TokenError),
    /// The broker said no. Asking again with the same brings the same, and may lock the account.
    #[error("refused: {0}")]
    Refused(String),
    /// Nothing that says yes or no; the token before may be dead.
    #[error("no usable answer: {0}")]
    NoAnswer(String),
}

/// What proves to the broker that it is the owner who asks for a token. Wiped when dropped.
pub struct MintSecrets {
    pin: SecretString,
    totp: Totp,
}

impl std::fmt::Debug for MintSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MintSecrets").finish_non_exhaustive()
    }
}

impl MintSecrets {
    /// Reads the PIN (4 to 8 digits) and the TOTP secret (base32, spaces and dashes allowed).
    pub fn read(pin: &SecretSource, totp: &SecretSource) -> Result<Self, TokenError> {
        let none = |what, source: &SecretSource| TokenError::NoSecret { what, place: source.name() };
        let digits = pin.read()?;
        let is_pin = (4..=8).contains(&digits.expose_secret().len())
            && digits.expose_secret().bytes().all(|byte| byte.is_ascii_digit());
        if !is_pin {
            return Err(none("PIN", pin));
        }
        let text = totp.read()?;
        let letters: Zeroizing<String> = Zeroizing::new(
            text.expose_secret()
                .chars()
                .filter(|letter| !letter.is_whitespace() && !matches!(letter, '-' | '='))
                .map(|letter| letter.to_ascii_uppercase())
                .collect(),
        );
        let secret = Secret::try_from_base32(letters.as_str()).map_err(|_| none("TOTP secret", totp))?;
        if letters.is_empty() {
            return Err(none("TOTP secret", totp));
        }
        // Six digits, 30 seconds, SHA-1: RFC 6238 as the broker wants it. Brokers' secrets may be shorter than its advice.
        Ok(Self { pin: digits, totp: Builder::new().with_secret(secret).build_noncompliant() })
    }

    fn code(&self, now: Timestamp) -> Zeroizing<String> {
        let seconds = u64::try_from(now.micros() / 1_000_000).unwrap_or_default();
        Zeroizing::new(self.totp.generate(seconds).to_string())
    }
}

impl AccountClient {
    /// A new token for the one in use, which is dead from then on (`GET /RenewToken`). The broker renews only what lives
    /// still and was made on its web site.
    pub async fn renew_token(&self) -> Result<SecretString, RenewalError> {
        let answer = self.transport.renewal().await?;
        answer.token().map_err(|error| match error {
            RenewalError::Refused(text) => RenewalError::Refused(self.transport.scrub(&text)),
            other => other,
        })
    }
}

/// A token minted by PIN and TOTP at `now` (`POST {auth}/app/generateAccessToken`); any token before is dead from then on.
///
/// `settings.base_url` is the login host's, `https://auth.dhan.co`.
pub async fn mint_token(
    settings: &ClientSettings,
    account: &DhanClientId,
    secrets: &MintSecrets,
    now: Timestamp,
) -> Result<SecretString, RenewalError> {
    let not_sent = |error: ClientError| RenewalError::NoAnswer(error.to_string());
    let base_url = transport::check_base_url(&settings.base_url).map_err(not_sent)?;
    let client = transport::client(settings, None).map_err(not_sent)?;
    let code = secrets.code(now);
    let scrub =
        |text: String| text.replace(code.as_str(), "[totp]").replace(secrets.pin.expose_secret(), "[pin]");
    // The broker takes them in the query alone. The HTTP library's copy of it is not wiped; it is never logged.
    let url = Zeroizing::new(format!(
        "{base_url}/app/generateAccessToken?dhanClientId={account}&pin={}&totp={}",
        secrets.pin.expose_secret(),
        code.as_str()
    ));
    let exchange = transport::finish(client.post(url.as_str()), None, settings.body_limit);
    let answer = match tokio::time::timeout(settings.request_deadline, exchange).await {
        Ok(answer) => answer.map_err(RenewalError::from),
        Err(_) => {
            Err(RenewalError::NoAnswer(format!("no whole answer within {:?}", settings.request_deadline)))
        }
    };
    answer.and_then(|answer| answer.token()).map_err(|error| match error {
        RenewalError::Refused(text) => RenewalError::Refused(scrub(text)),
        RenewalError::NoAnswer(text) => RenewalError::NoAnswer(scrub(text)),
        error @ RenewalError::NoSecret(_) => error,
    })
}

impl From<NoAnswer> for RenewalError {
    fn from(fault: NoAnswer) -> Self {
        match fault {
            NoAnswer::NotSent(why) | NoAnswer::Unknown(why) => Self::NoAnswer(why),
        }
    }
}

/// Words that stand where a token was asked for; their shape is not documented, so every field of that name counts.
#[derive(Deserialize)]
struct Words {
    #[serde(alias = "errorMessage", alias = "remarks")]
    message: String,
}

impl Answer {
    /// Of either call for a new token.
    pub fn token(&self) -> Result<SecretString, RenewalError> {
        if self.is_success()
            && let Ok(renewed) = serde_json::from_slice::<RenewedToken>(&self.body)
        {
            let token = Zeroizing::new(renewed.access_token);
            let legal = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
            return legal
                .then(|| SecretString::from(token.as_str()))
                .ok_or_else(|| RenewalError::NoAnswer("what was answered is no token".to_owned()));
        }
        if self.http == 429 || self.http >= 500 {
            return Err(RenewalError::NoAnswer(format!("HTTP {}", self.http)));
        }
        let text = refusal::read(self.http, &self.body).map(|refusal| refusal.to_string()).or_else(|| {
            let words = serde_json::from_slice::<Words>(&self.body).ok()?;
            Some(format!("HTTP {}: {}", self.http, words.message))
        });
        match text {
            Some(text) => Err(RenewalError::Refused(text)),
            None if (400..500).contains(&self.http) => {
                Err(RenewalError::Refused(format!("HTTP {}", self.http)))
            }
            None => Err(RenewalError::NoAnswer(format!("HTTP {} without a token", self.http))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(pin: &str, totp: &str) -> Result<MintSecrets, TokenError> {
        MintSecrets::read(&SecretSource::Fixed(pin.into()), &SecretSource::Fixed(totp.into()))
    }

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B's secret "12345678901234567890", its codes' last six digits.
        for text in ["GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", " gezd gnbv-gy3t qojq gezd gnbv gy3t qojq== "] {
            let secrets = secrets("123456", text).unwrap();
            for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")] {
                assert_eq!(secrets.code(Timestamp::from_micros(seconds * 1_000_000)).as_str(), code);
            }
        }
    }

    #[test]
    fn what_is_no_pin_or_secret_is_told_by_its_place_alone() {
        for (pin, totp) in [
            ("12345a", "GEZDGNBV"),
            ("123", "GEZDGNBV"),
            ("", "GEZDGNBV"),
            ("123456", "GEZDGN!V"),
            ("123456", ""),
        ] {
            let error = secrets(pin, totp).unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(
                text.contains("the given secret") && !text.contains("GEZD") && !text.contains("12345"),
                "{text}"
            );
        }
        assert!(!format!("{:?}", secrets("987654", "GEZDGNBV").unwrap()).contains("987654"));
    }

    #[test]
    fn answers_are_tokens_refusals_or_nothing() {
        let read = |http, body: &str| {
            let token = Answer::new(http, body.to_owned()).token();
            token.map(|token| token.expose_secret().to_owned())
        };
        assert_eq!(
            read(200, r#"{"accessToken":"abc","expiryTime":"2026-11-24T08:41:07.512"}"#),
            Ok("abc".to_owned())
        );
        for (http, body) in [
            (401, r#"{"errorType":"Invalid_Authentication","errorCode":"DH-901","errorMessage":"expired"}"#),
            (200, r#"{"status":"error","message":"Invalid Pin"}"#),
            (400, "<html>"),
        ] {
            assert!(matches!(read(http, body), Err(RenewalError::Refused(_))), "{body}");
        }
        for (http, body) in [(500, "{}"), (429, ""), (200, "{}"), (200, r#"{"accessToken":"two words"}"#)] {
            assert!(matches!(read(http, body), Err(RenewalError::NoAnswer(_))), "{body}");
        }
    }
}
