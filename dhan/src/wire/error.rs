//! The shapes of refusal (`dhanhq-v2.md` section 9.2).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::record::record;

record! {
    /// What trading calls answer when they refuse. The code says little; the message tells (section 9.3).
    ErrorBody {
        /// `Input_Exception`, `Order_Error`, ...
        error_type: String = "errorType",
        /// `DH-905`, ...; older answers spell the key `internalErrorCode`.
        error_code: String = "errorCode" | "internalErrorCode",
        /// For people, and for us.
        error_message: String = "errorMessage" | "internalErrorMessage",
    }
}

impl ErrorBody {
    /// A refusal of this type, code and message.
    pub fn new(error_type: &str, error_code: &str, error_message: &str) -> Self {
        Self {
            error_type: error_type.to_owned(),
            error_code: error_code.to_owned(),
            error_message: error_message.to_owned(),
        }
    }
}

/// What market-data calls answer when they refuse: `{"data":{"808":"..."},"status":"failed"}`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MarketDataError {
    /// Code (section 9.5) to text.
    pub data: BTreeMap<String, String>,
    /// `failed`.
    pub status: String,
}

/// What the gateway answers for a path it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GatewayError {
    /// When; epoch or text.
    #[serde(default)]
    pub timestamp: serde_json::Value,
    /// HTTP status.
    pub status: u16,
    /// Its words.
    #[serde(default)]
    pub error: String,
    /// The path asked for.
    #[serde(default)]
    pub path: String,
}
