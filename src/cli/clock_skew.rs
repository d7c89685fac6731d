//! How far this machine's clock is from the broker's, by the `Date` header of an answer that needs no token.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use awc::http::header;
use chrono::DateTime;
use tandem_dhan::tls;
use tandem_domain::time::Timestamp;

use crate::settings::BrokerSettings;

/// Asks the broker's REST root, whatever it answers, and compares its time with ours, read before and after: a header
/// of whole seconds anywhere between the two readings is no difference at all.
pub(super) async fn measure(broker: &BrokerSettings, now: fn() -> Timestamp) -> Result<Duration, String> {
    let tls = tls::client_config(broker.extra_ca_file.as_deref()).map_err(|error| error.to_string())?;
    let local_address = broker.local_address.unwrap_or(Ipv4Addr::UNSPECIFIED);
    let connector = awc::Connector::new()
        .rustls_0_23(tls)
        .timeout(broker.connect_timeout)
        .handshake_timeout(broker.connect_timeout)
        .local_address(IpAddr::V4(local_address));
    let client = awc::Client::builder().connector(connector).disable_redirects().finish();

    let asked = now();
    let request = client.get(&broker.base_url).timeout(broker.request_deadline);
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let answered = now();
    let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
    let theirs = date.and_then(|date| DateTime::parse_from_rfc2822(date).ok());
    let theirs = theirs.ok_or("the answer carries no time")?;
    Ok(apart(Timestamp::from_micros(theirs.timestamp_micros()), asked, answered))
}

/// The distance of `theirs`, cut to whole seconds, from the span between two readings of ours.
fn apart(theirs: Timestamp, asked: Timestamp, answered: Timestamp) -> Duration {
    let theirs_latest = theirs.plus(Duration::from_secs(1));
    if theirs > answered { theirs.since(answered) } else { asked.since(theirs_latest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_whole_seconds_cannot_explain_is_a_difference() {
        let at = |millis: i64| Timestamp::from_micros(millis * 1_000);
        for (theirs, asked, answered, expected_ms) in [
            (5_000, 5_300, 5_400, 0),
            (5_000, 5_900, 6_100, 0),
            (5_000, 4_900, 5_000, 0),
            (5_000, 8_000, 8_100, 2_000),
            (5_000, 2_000, 2_100, 2_900),
        ] {
            let apart = apart(at(theirs), at(asked), at(answered));
            assert_eq!(apart, Duration::from_millis(expected_ms), "{theirs} {asked} {answered}");
        }
    }
}
