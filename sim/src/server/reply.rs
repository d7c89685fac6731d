//! Answers before they are HTTP: a status and a JSON body, and the shapes of refusal (`dhanhq-v2.md` section 9.2).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use tandem_dhan::wire::{ErrorBody, MarketDataError};
use tandem_domain::time::Timestamp;

use crate::exchange::ApiError;
use crate::settings::TokenFace;

/// An answer to one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// Seconds in a `Retry-After` header; none without one.
    pub(crate) retry_after: Option<u32>,
}

/// Which family of calls it is: they refuse in different shapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// Orders, books, portfolio, funds, IP.
    Trading,
    /// `GET /profile`, which says DH-906 where others say DH-901 (section 1.5).
    Profile,
    /// Quotes: `{"data":{...},"status":"failed"}`.
    MarketData,
}

/// The row of [`Reply::with_odd_row`]: it has no field that any list has.
const ODD_ROW: &[u8] = br#"{"row":"odd"}]"#;

impl Reply {
    /// A list with one row more, which nobody can read; anything else as it is.
    pub(crate) fn with_odd_row(mut self) -> Self {
        if self.body.first() == Some(&b'[') && self.body.pop() == Some(b']') {
            if self.body.len() > 1 {
                self.body.push(b',');
            }
            self.body.extend_from_slice(ODD_ROW);
        }
        self
    }

    /// A list of orders, the first of which has a word for its quantity; anything else as it is.
    pub(crate) fn with_odd_order(mut self) -> Self {
        if let Ok(serde_json::Value::Array(mut rows)) = serde_json::from_slice(&self.body)
            && let Some(quantity) = rows.first_mut().and_then(|row| row.get_mut("quantity"))
        {
            *quantity = "odd".into();
            self.body = serde_json::Value::Array(rows).to_string().into_bytes();
        }
        self
    }

    /// A status with a body.
    pub(crate) fn json(status: u16, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => Self { status, body, retry_after: None },
            Err(error) => Self { status: 500, body: error.to_string().into_bytes(), retry_after: None },
        }
    }

    /// 202 without a body.
    pub(crate) const fn accepted() -> Self {
        Self { status: 202, body: Vec::new(), retry_after: None }
    }

    /// 200 with a body.
    pub(crate) fn ok(body: &impl Serialize) -> Self {
        Self::json(200, body)
    }

    /// A refusal of a market-data call, by code of section 9.5.
    pub(crate) fn market_data_error(status: u16, code: &str, text: &str) -> Self {
        let data = BTreeMap::from([(code.to_owned(), text.to_owned())]);
        Self::json(status, &MarketDataError { data, status: "failed".to_owned() })
    }

    /// The refusal of an unknown or dead token (section 9.4).
    pub(crate) fn bad_token(surface: Surface, face: TokenFace) -> Self {
        let dh901 = || ApiError::authentication().into();
        match (surface, face) {
            (Surface::MarketData, _) => {
                Self::market_data_error(401, "808", "Authentication Failed - Client ID or Token invalid")
            }
            (Surface::Profile, _) | (Surface::Trading, TokenFace::Dh906) => {
                ApiError::order("Invalid Token").into()
            }
            (Surface::Trading, TokenFace::Dh901) => dh901(),
        }
    }

    /// A failure inside the broker: no code of section 9.3 was captured with its HTTP status, so DH-908 stands in.
    pub(crate) fn broker_failure(status: u16) -> Self {
        Self::json(status, &ErrorBody::new("Internal_Error", "DH-908", "Internal server error"))
    }

    /// What the gateway says of a path it does not know.
    pub(crate) fn unknown_path(path: &str, now: Timestamp) -> Self {
        let body = json!({"timestamp": now.millis(), "status": 404, "error": "Not Found", "path": path});
        Self::json(404, &body)
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        Self::json(error.http, &ErrorBody::new(error.error_type, error.code, &error.message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reply: &Reply, status: u16, body: &str) {
        assert_eq!((reply.status, std::str::from_utf8(&reply.body).unwrap()), (status, body));
    }

    #[test]
    fn a_dead_token_has_a_face_on_each_surface() {
        check(
            &Reply::bad_token(Surface::Trading, TokenFace::Dh901),
            401,
            r#"{"errorType":"Invalid_Authentication","errorCode":"DH-901","errorMessage":"Client ID or user generated access token is invalid or expired."}"#,
        );
        let dh906 = r#"{"errorType":"Order_Error","errorCode":"DH-906","errorMessage":"Invalid Token"}"#;
        check(&Reply::bad_token(Surface::Trading, TokenFace::Dh906), 400, dh906);
        check(&Reply::bad_token(Surface::Profile, TokenFace::Dh901), 400, dh906);
        check(
            &Reply::bad_token(Surface::MarketData, TokenFace::Dh901),
            401,
            r#"{"data":{"808":"Authentication Failed - Client ID or Token invalid"},"status":"failed"}"#,
        );
    }
}
