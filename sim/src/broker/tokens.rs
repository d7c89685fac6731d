//! Tokens of the shape of the broker's (`dhanhq-v2.md` section 1.3), signed with nothing, and the proof of PIN and TOTP.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tandem_domain::ids::DhanClientId;
use tandem_domain::time::Timestamp;
use totp_rs::{Builder, Secret};

/// A JWT whose signature is a plain text: worth nothing elsewhere.
pub(crate) fn jwt(
    account: &DhanClientId,
    consumer: &str,
    issued: Timestamp,
    expires: Option<Timestamp>,
    signature: &str,
) -> String {
    let seconds = |at: Timestamp| at.micros() / 1_000_000;
    let head = json!({ "typ": "JWT", "alg": "HS512" });
    let claims = json!({
        "iss": "dhan",
        "partnerId": "",
        "iat": seconds(issued),
        "exp": expires.map(seconds),
        "tokenConsumerType": consumer,
        "webhookUrl": "",
        "dhanClientId": account,
    });
    let encode = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", encode(&head), encode(&claims))
}

/// The number of the step whose code this is; none when it is no code of the secret at this moment.
pub(crate) fn totp_step(secret: &str, code: &str, now: Timestamp) -> Option<u64> {
    let secret = Secret::try_from_base32(secret).ok()?;
    let seconds = u64::try_from(now.micros() / 1_000_000).ok()?;
    Builder::new().with_secret(secret).build_noncompliant().check(code, seconds)
}
