//! What request and response texts go through before they are stored or logged (P25): credentials are replaced, names
//! and other personal fields removed. Client ids stay, because rows must be traceable to accounts.

use serde_json::Value;

/// Stands where a credential stood.
pub const REDACTED: &str = "[redacted]";

/// Field names whose values are credentials. Compared without case and separators; a part of the name is enough.
const SECRET_FIELDS: [&str; 9] =
    ["token", "secret", "password", "passwd", "totp", "authorization", "apikey", "consent", "jwt"];
/// The same, but only as the whole name: `pin` is a part of too many innocent words.
const SECRET_FIELDS_WHOLE: [&str; 4] = ["pin", "otp", "tpin", "cookie"];
/// Fields about the person.
const PERSONAL_FIELDS: [&str; 9] =
    ["clientname", "username", "fullname", "ucc", "pan", "email", "mobile", "phone", "address"];

/// Redacts a JSON text. A text that is not JSON is redacted word by word.
pub fn json_text(text: &str) -> String {
    match serde_json::from_str::<Value>(text) {
        Ok(mut value) => {
            json_value(&mut value);
            value.to_string()
        }
        Err(_) => plain_text(text),
    }
}

/// Redacts a JSON value in place.
pub fn json_value(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|name, _| !is_personal(&plain_name(name)));
            for (name, value) in fields {
                // A validity of a token (`tokenValidity` in the profile) is no secret, but it is no loss either.
                if is_secret(&plain_name(name)) {
                    *value = Value::from(REDACTED);
                } else {
                    json_value(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(json_value),
        Value::String(text) => *text = plain_text(text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Replaces what looks like a token or a permanent account number wherever it stands in a text.
pub fn plain_text(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    for piece in text.split_inclusive(|c: char| !is_word(c)) {
        let word = piece.trim_end_matches(|c: char| !is_word(c));
        if is_jwt(word) || is_pan(word) {
            clean.push_str(REDACTED);
            clean.push_str(&piece[word.len()..]);
        } else {
            clean.push_str(piece);
        }
    }
    clean
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

/// A JSON web token: base64 of a text that begins with `{"`.
fn is_jwt(word: &str) -> bool {
    word.starts_with("eyJ") && word.len() > 20
}

/// Five letters, four digits, one letter.
fn is_pan(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() == 10
        && bytes[..5].iter().all(u8::is_ascii_uppercase)
        && bytes[5..9].iter().all(u8::is_ascii_digit)
        && bytes[9].is_ascii_uppercase()
}

fn plain_name(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn is_secret(name: &str) -> bool {
    SECRET_FIELDS_WHOLE.contains(&name) || SECRET_FIELDS.iter().any(|part| name.contains(part))
}

fn is_personal(name: &str) -> bool {
    PERSONAL_FIELDS.iter().any(|field| name == *field || name.strip_prefix("dhan") == Some(*field))
        || name.strip_prefix("dhanclient").is_some_and(|rest| rest == "ucc" || rest == "name")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "eyJhbGciOiJIUzUxMiJ9.eyJpc3MiOiJkaGFuIn0.c2lnbmF0dXJl";

    #[test]
    fn credentials_go_and_client_ids_stay() {
        let text = format!(
            r#"{{"access-token":"{TOKEN}","LoginReq":{{"Token":"{TOKEN}","ClientId":"1000000101"}},"pin":"123456",
                "totp":"000111","dhanClientId":"1000000101","appSecret":"s","items":[{{"accessToken":"x"}}],"price":182.35}}"#
        );
        let clean = json_text(&text);
        for secret in [TOKEN, "123456", "000111", "\"s\"", "\"x\""] {
            assert!(!clean.contains(secret), "{secret} in {clean}");
        }
        assert_eq!(clean.matches("1000000101").count(), 2, "{clean}");
        assert!(clean.contains("182.35"));
    }

    #[test]
    fn people_go() {
        let clean = json_text(
            r#"{"dhanClientName":"A TRADER","dhanClientUcc":"ABCD12345E","pan":"ABCDE1234F","tradingSymbol":"NIFTY"}"#,
        );
        assert_eq!(clean, r#"{"tradingSymbol":"NIFTY"}"#);
    }

    #[test]
    fn what_is_not_json_is_searched_too() {
        let clean = plain_text(&format!("refused: bearer {TOKEN}; holder ABCDE1234F, order NIFTY24DEC"));
        assert_eq!(clean, "refused: bearer [redacted]; holder [redacted], order NIFTY24DEC");
        assert_eq!(json_text("<html>busy</html>"), "<html>busy</html>");
    }

    #[test]
    fn innocent_words_stay() {
        let text = r#"{"underlying":"shipping","omsErrorDescription":"CONFIRMED","correlationId":"tdm-6cjogfovdbbs4lplny4q"}"#;
        let same: Value = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&json_text(text)).unwrap(), same);
    }
}
