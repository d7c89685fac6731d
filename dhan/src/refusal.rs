//! What a refusal means. Codes are not diagnostic (`dhanhq-v2.md` section 9.3: DH-905 and DH-906 cover a wrong field, a
//! strange address, a dead token and an order in transit), so the words decide.

use std::fmt;

use tandem_domain::error_policy::Trouble;

use crate::wire::{ErrorBody, GatewayError, IpError, MarketDataError};

/// What a refusal asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusalClass {
    /// The token is dead or wrong: stop and demand a new one (section 9.4).
    Credentials,
    /// Our address is not whitelisted for orders (section 1.6).
    StaticIp,
    /// Not enough money.
    Margin,
    /// The order is on its way to the exchange: try again shortly (section 2.5).
    InTransit,
    /// The broker does not know the order, or it is past changing; it says the same for both (section 2.6).
    UnknownOrder,
    /// The order was changed as often as one order may be (section 9.1): it can still be cancelled.
    ModificationLimit,
    /// The market is closed.
    MarketClosed,
    /// A field is wrong: never to be tried again as it is.
    Parameters,
    /// Too many requests (section 9.1); clients report it apart, as busy.
    RateLimit,
    /// Anything else.
    Other,
}

impl RefusalClass {
    /// The word for tables and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::StaticIp => "static_ip",
            Self::Margin => "margin",
            Self::InTransit => "in_transit",
            Self::UnknownOrder => "unknown_order",
            Self::ModificationLimit => "modification_limit",
            Self::MarketClosed => "market_closed",
            Self::Parameters => "parameters",
            Self::RateLimit => "rate_limit",
            Self::Other => "other",
        }
    }

    /// Which row of the error policy it is.
    pub const fn trouble(self) -> Trouble {
        match self {
            Self::Credentials => Trouble::CredentialsRefused,
            Self::StaticIp => Trouble::AddressRefused,
            Self::Margin => Trouble::MarginLacking,
            Self::InTransit | Self::MarketClosed => Trouble::RefusedForNow,
            Self::UnknownOrder | Self::ModificationLimit => Trouble::OrderOver,
            Self::RateLimit => Trouble::TooManyRequests,
            Self::Parameters | Self::Other => Trouble::ParametersRefused,
        }
    }
}

impl fmt::Display for RefusalClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The broker said no, in a body we can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub http: u16,
    /// `DH-905`, `808`; empty when the body had none.
    pub code: String,
    /// The broker's words.
    pub text: String,
    /// What they mean.
    pub class: RefusalClass,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (HTTP {} {}): {}", self.class, self.http, self.code, self.text)
    }
}

impl Refusal {
    /// A refusal with these words, classified.
    pub fn new(http: u16, code: impl Into<String>, text: impl Into<String>) -> Self {
        let (code, text) = (code.into(), text.into());
        let class = classify(http, &code, &text);
        Self { http, code, text, class }
    }

    /// Whether it leaves open whether a write was executed: internal errors and timeouts of theirs (section 9.7).
    pub fn leaves_outcome_open(&self) -> bool {
        matches!(self.code.as_str(), "DH-908" | "DH-909" | "800") || self.http == 408 || self.http >= 500
    }
}

/// Reads the refusal in a body, of any of the shapes of section 9.2; none when the body is no refusal.
pub fn read(http: u16, body: &[u8]) -> Option<Refusal> {
    if let Ok(error) = serde_json::from_slice::<ErrorBody>(body)
        && !(error.error_code.is_empty() && error.error_message.is_empty())
    {
        return Some(Refusal::new(http, error.error_code, error.error_message));
    }
    if let Ok(error) = serde_json::from_slice::<MarketDataError>(body)
        && !error.status.eq_ignore_ascii_case("success")
        && let Some((code, text)) = error.data.into_iter().next()
    {
        return Some(Refusal::new(http, code, text));
    }
    if let Ok(errors) = serde_json::from_slice::<Vec<IpError>>(body)
        && let Some(error) = errors.into_iter().find(|error| !error.status.eq_ignore_ascii_case("success"))
    {
        return Some(Refusal::new(http, "", error.message));
    }
    let gateway = serde_json::from_slice::<GatewayError>(body).ok()?;
    Some(Refusal::new(http, gateway.status.to_string(), format!("{} {}", gateway.error, gateway.path)))
}

/// The meaning of a refusal: its words first, then its code, then its HTTP status.
pub fn classify(http: u16, code: &str, text: &str) -> RefusalClass {
    // First match wins: the dangerous and specific phrases stand before the general ones.
    const PHRASES: [(RefusalClass, &[&str]); 8] = [
        (RefusalClass::StaticIp, &["invalid ip", "ip not whitelisted", "ip is not whitelisted", "static ip"]),
        (
            RefusalClass::Credentials,
            &[
                "invalid token",
                "token invalid",
                "token is invalid",
                "access token is invalid",
                "token expired",
                "token is expired",
                "expired token",
                "token has expired",
                "invalid or expired",
                "authentication failed",
                "invalid authentication",
                "client id is invalid",
                "client id invalid",
            ],
        ),
        (RefusalClass::RateLimit, &["too many requests", "rate limit"]),
        (RefusalClass::InTransit, &["transit"]),
        (
            RefusalClass::Margin,
            &[
                "insufficient fund",
                "insufficient balance",
                "insufficient margin",
                "margin shortfall",
                "please add rs",
            ],
        ),
        (
            RefusalClass::MarketClosed,
            &[
                "offline or blocked",
                "markets are offline",
                "market is closed",
                "markets are closed",
                "market closed",
                "orders cannot be placed at this time",
            ],
        ),
        (
            RefusalClass::UnknownOrder,
            &[
                "incorrect request for order",
                "order not found",
                "no order found",
                "order does not exist",
                "already traded",
                "already executed",
                "already cancelled",
                "already rejected",
            ],
        ),
        (
            RefusalClass::Parameters,
            &[
                "is required",
                "bad values",
                "invalid price",
                "invalid securityid",
                "tick size",
                "trigger price should",
            ],
        ),
    ];
    let lower = text.to_ascii_lowercase();
    for (class, phrases) in PHRASES {
        // Behind the dangerous classes, before the general ones.
        if class == RefusalClass::UnknownOrder && is_modification_limit(&lower) {
            return RefusalClass::ModificationLimit;
        }
        if phrases.iter().any(|phrase| lower.contains(phrase)) {
            return class;
        }
    }
    match (code, http) {
        ("DH-901" | "807" | "808" | "809" | "810", _) | (_, 401) => RefusalClass::Credentials,
        ("DH-904" | "805", _) | (_, 429) => RefusalClass::RateLimit,
        ("DH-911", _) => RefusalClass::StaticIp,
        ("DH-905" | "DH-907" | "811" | "812" | "813" | "814", _) => RefusalClass::Parameters,
        _ => RefusalClass::Other,
    }
}

/// What the change after the 25th is told was never seen (section 2.4), so any words of that meaning count; not those
/// about a limit price, a limit order or a circuit limit.
fn is_modification_limit(lower: &str) -> bool {
    const LIMITS: [&str; 4] = ["limit", "maximum", "exceed", "more than 25"];
    const OTHER_LIMITS: [&str; 6] = ["price", "limit order", "to limit", "order type", "circuit", "ckt"];
    lower.contains("modif")
        && LIMITS.iter().any(|word| lower.contains(word))
        && !OTHER_LIMITS.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_decide_and_codes_only_where_words_do_not() {
        use RefusalClass as C;
        for (http, body, class) in [
            (
                401,
                r#"{"errorType":"Invalid_Authentication","errorCode":"DH-901","errorMessage":"Client ID or user generated access token is invalid or expired."}"#,
                C::Credentials,
            ),
            (
                400,
                r#"{"errorType":"Order_Error","errorCode":"DH-906","errorMessage":"Invalid Token"}"#,
                C::Credentials,
            ),
            (
                401,
                r#"{"data":{"808":"Authentication Failed - Client ID or Token invalid"},"status":"failed"}"#,
                C::Credentials,
            ),
            (
                400,
                r#"{"errorType":"Input_Exception","errorCode":"DH-905","errorMessage":"Invalid IP"}"#,
                C::StaticIp,
            ),
            (
                400,
                r#"{"errorType":"Order_Error","errorCode":"DH-906","errorMessage":"Order is in Transit state"}"#,
                C::InTransit,
            ),
            (
                400,
                r#"{"errorType":"Order_Error","errorCode":"DH-906","errorMessage":"Markets are Offline or Blocked"}"#,
                C::MarketClosed,
            ),
            (
                404,
                r#"{"errorType":"Order_Error","errorCode":"DH-906","errorMessage":"Incorrect request for order and cannot be processed"}"#,
                C::UnknownOrder,
            ),
            (
                400,
                r#"{"errorType":"Input_Exception","errorCode":"DH-905","errorMessage":"Missing required fields, bad values for parameters etc."}"#,
                C::Parameters,
            ),
            (
                400,
                r#"{"errorType":"Order_Error","errorCode":"DH-906","errorMessage":"RMS:1:You have insufficient funds. Please add Rs.23.70 to trade."}"#,
                C::Margin,
            ),
            (
                429,
                r#"{"errorType":"Rate_Limit","errorCode":"DH-904","errorMessage":"Too many requests on server from single user breaching rate limits."}"#,
                C::RateLimit,
            ),
            (
                400,
                r#"{"data":{"805":"Too many requests. Further requests may result in the user being blocked."},"status":"failed"}"#,
                C::RateLimit,
            ),
            (400, r#"{"status":"failed","data":{"813":"Invalid SecurityId"}}"#, C::Parameters),
            (200, r#"[{"message":"Something is wrong","status":"ERROR"}]"#, C::Other),
            (
                404,
                r#"{"timestamp":1795405500,"status":404,"error":"Not Found","path":"/v2/nowhere"}"#,
                C::Other,
            ),
            (
                500,
                r#"{"errorType":"HOLDING_ERROR","internalErrorCode":"DH-1111","errorMessage":"No holdings available"}"#,
                C::Other,
            ),
        ] {
            let refusal = read(http, body.as_bytes()).expect(body);
            assert_eq!(refusal.class, class, "{body}");
        }
    }

    #[test]
    fn refusals_of_changes_are_told_apart() {
        use RefusalClass as C;
        for (text, class) in [
            ("Incorrect request for order and cannot be processed", C::UnknownOrder),
            ("Order is already cancelled", C::UnknownOrder),
            ("Order is in Transit state", C::InTransit),
            ("Order modification limit reached", C::ModificationLimit),
            ("Maximum number of modifications exceeded for order", C::ModificationLimit),
            ("Order cannot be modified more than 25 times", C::ModificationLimit),
            ("You have exceeded the limit to modify this order", C::ModificationLimit),
            ("Order modification in transit, limit exceeded", C::InTransit),
            ("Rate limit of modifications exceeded", C::RateLimit),
            ("RMS:1:You have insufficient funds to modify beyond the limit", C::Margin),
            ("Cannot modify a limit order to that type", C::Other),
            ("Modified price exceeds the circuit limit", C::Other),
            ("Order cannot be modified", C::Other),
        ] {
            assert_eq!(classify(400, "DH-906", text), class, "{text}");
        }
    }

    #[test]
    fn answers_that_are_no_refusal_are_not_taken_for_one() {
        for body in [
            r#"{"orderId":"221261123048117","orderStatus":"TRANSIT"}"#,
            "[]",
            r#"[{"orderId":"1","orderStatus":"TRADED","omsErrorCode":"0"}]"#,
            r#"{"data":{"NSE_FNO":{"43125":{"last_price":182.35}}},"status":"success"}"#,
            "<html>502</html>",
            "",
        ] {
            assert_eq!(read(200, body.as_bytes()), None, "{body}");
        }
    }
}
