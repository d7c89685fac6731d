//! Profile, static IP, kill switch, token renewal (`dhanhq-v2.md` sections 1.4 to 1.6 and 3.4).

use serde::{Deserialize, Serialize};

use super::record::record;

record! {
    /// Answer of `GET /profile` (section 1.5).
    Profile {
        /// The account.
        dhan_client_id: String = "dhanClientId",
        /// `DD/MM/YYYY HH:MM`, Indian time: a form no other field has.
        token_validity: String = "tokenValidity",
        /// Words in the documentation, letters live. Never parsed.
        active_segment: String = "activeSegment",
        /// `Active` or `Deactive`.
        ddpi: String = "ddpi",
        /// The same words.
        mtf: String = "mtf",
        /// The same words.
        data_plan: String = "dataPlan",
        /// `YYYY-MM-DD HH:MM:SS.0`.
        data_validity: String = "dataValidity",
    }
}

/// Body of `POST /ip/setIP` and `PUT /ip/modifyIP` (section 1.6).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetIpRequest {
    /// The account.
    #[serde(default)]
    pub dhan_client_id: String,
    /// IPv4 or IPv6.
    pub ip: String,
    /// `PRIMARY` or `SECONDARY`.
    pub ip_flag: String,
}

record! {
    /// Answer to a [`SetIpRequest`].
    IpAnswer {
        /// For people.
        message: String = "message",
        /// `SUCCESS`.
        status: String = "status",
    }
}

/// One element of the array that `GET /ip/getIP` answers, with HTTP 200, when it fails (section 9.2).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IpError {
    /// What went wrong.
    pub message: String,
    /// `ERROR`.
    pub status: String,
}

record! {
    /// Answer of `GET /ip/getIP`: four documented fields and three seen live only.
    IpStatus {
        /// Whitelisted.
        primary_ip: String = "primaryIP",
        /// `YYYY-MM-DD`: from when it may be changed.
        modify_date_primary: String = "modifyDatePrimary",
        /// Whitelisted.
        secondary_ip: String = "secondaryIP",
        /// `YYYY-MM-DD`.
        modify_date_secondary: String = "modifyDateSecondary",
        /// The address the broker saw.
        detected_ip: String = "detectedIP",
        /// Free text; sources disagree about its values.
        ip_match_status: String = "ipMatchStatus",
        /// Whether orders would be taken from here; none when the answer does not say.
        orders_allowed: Option<bool> = "ordersAllowed",
    }
}

record! {
    /// Answer of `GET /killswitch` (`ACTIVATE`, `DEACTIVATE`) and `POST /killswitch` (free text).
    KillSwitchStatus {
        /// The account.
        dhan_client_id: String = "dhanClientId",
        /// See above.
        kill_switch_status: String = "killSwitchStatus",
    }
}

/// Answer of `GET /RenewToken`; only `accessToken` is documented. A secret: no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewedToken {
    /// The new token; the one presented is dead.
    pub access_token: String,
}
