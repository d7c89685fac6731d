//! A simulator with clients around it.

use std::time::Duration;

use awc::ws::{Codec, Frame, Message};
use awc::{BoxedSocket, Client};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tandem_domain::ids::DhanClientId;
use tandem_domain::instrument::{InstrumentKey, InstrumentKind};
use tandem_sim::{Rate, SimDepth, SimSettings, Simulator};
use tokio::time::timeout;

pub(crate) const LEADER: &str = "1000000101";
pub(crate) const FOLLOWER: &str = "1000000202";
/// Long enough for a slow machine; only a failing test waits it out.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A simulator and a plain HTTP client.
pub(crate) struct Desk {
    pub(crate) sim: Simulator,
    pub(crate) http: Client,
}

/// The clock stands still and everything fills at the last price: what happens depends on the requests alone.
pub(crate) fn still() -> SimSettings {
    SimSettings { rate: Rate::STOPPED, depth: SimDepth::Unlimited, ..SimSettings::default() }
}

pub(crate) fn id(account: &str) -> DhanClientId {
    DhanClientId::new(account).unwrap()
}

impl Desk {
    pub(crate) fn open(settings: SimSettings) -> Self {
        let http = Client::builder().disable_redirects().timeout(PATIENCE).finish();
        Self { sim: Simulator::start(settings).unwrap(), http }
    }

    /// Calls the REST API with the account's token.
    pub(crate) async fn call(
        &self,
        account: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        self.try_call(account, method, path, body).await.unwrap()
    }

    pub(crate) async fn try_call(
        &self,
        account: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value), awc::error::SendRequestError> {
        let token = format!("sim-token-{account}");
        self.call_as(&[("access-token", &token), ("client-id", account)], method, path, body).await
    }

    pub(crate) async fn call_as(
        &self,
        headers: &[(&'static str, &str)],
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value), awc::error::SendRequestError> {
        let url = format!("{}{path}", self.sim.rest_url());
        self.send(&self.http, headers, method, &url, body).await
    }

    pub(crate) async fn send(
        &self,
        http: &Client,
        headers: &[(&'static str, &str)],
        method: &str,
        url: &str,
        body: Option<Value>,
    ) -> Result<(u16, Value), awc::error::SendRequestError> {
        let mut request = http.request(method.parse().unwrap(), url);
        for header in headers {
            request = request.insert_header(*header);
        }
        let mut response = match body {
            Some(body) => request.send_json(&body).await?,
            None => request.send().await?,
        };
        let body = response.body().limit(16 << 20).await.unwrap();
        let value = serde_json::from_slice(&body)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&body).into_owned()));
        Ok((response.status().as_u16(), value))
    }

    /// Calls the control API.
    pub(crate) async fn control(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        let url = format!("{}{path}", self.sim.control_url());
        self.send(&self.http, &[], method, &url, body).await.unwrap()
    }

    /// Some NIFTY option of the nearest expiry, with its last price in rupees.
    pub(crate) fn option(&self) -> (InstrumentKey, f64) {
        self.sim.with_exchange(|exchange| {
            let nearest = exchange.expiries("NIFTY")[0];
            let key = exchange
                .contracts()
                .iter()
                .filter(|of| of.kind == InstrumentKind::IndexOption && of.expiry == Some(nearest))
                .map(|of| of.key)
                .find(|key| exchange.last_price(*key).is_some_and(|last| last.units() > 1_000_000))
                .unwrap();
            let last: f64 = exchange.last_price(key).unwrap().to_string().parse().unwrap();
            (key, last)
        })
    }

    /// The body of a one-lot limit order.
    pub(crate) fn order(&self, side: &str, price: f64, tag: &str) -> Value {
        let (key, _) = self.option();
        json!({"dhanClientId": FOLLOWER, "correlationId": tag, "transactionType": side,
            "exchangeSegment": "NSE_FNO", "productType": "MARGIN", "orderType": "LIMIT", "validity": "DAY",
            "securityId": key.security_id.to_string(), "quantity": 65, "disclosedQuantity": 0, "price": price,
            "triggerPrice": 0, "afterMarketOrder": false})
    }

    /// The body of a one-lot order that rests: half the last price, on the tick.
    pub(crate) fn resting(&self, tag: &str) -> Value {
        let (_, last) = self.option();
        self.order("BUY", (last * 0.8).round(), tag)
    }

    /// Places as the follower, answers with the order's number.
    pub(crate) async fn place(&self, body: Value) -> String {
        let (status, answer) = self.call(FOLLOWER, "POST", "/orders", Some(body)).await;
        assert_eq!(status, 200, "{answer}");
        answer["orderId"].as_str().unwrap().to_owned()
    }

    /// Connects to the order stream and logs in.
    pub(crate) async fn listen(&self, account: &str) -> Listener {
        let token = format!("sim-token-{account}");
        let mut listener = self.connect().await.unwrap();
        listener.say(&login(account, &token)).await;
        self.until(|desk| desk.sim.open_streams(&id(account)) > 0).await;
        listener
    }

    /// Connects to the order stream; the HTTP status when it is refused.
    pub(crate) async fn connect(&self) -> Result<Listener, u16> {
        match Client::builder().finish().ws(self.sim.stream_url()).connect().await {
            Ok((_, socket)) => Ok(Listener { socket }),
            Err(awc::error::WsClientError::InvalidResponseStatus(status)) => Err(status.as_u16()),
            Err(other) => panic!("{other}"),
        }
    }

    /// Waits for a condition.
    pub(crate) async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let waited = timeout(PATIENCE, async {
            while !holds(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        waited.await.expect("the condition never held");
    }
}

pub(crate) fn login(account: &str, token: &str) -> String {
    json!({"LoginReq": {"MsgCode": 42, "ClientId": account, "Token": token}, "UserType": "SELF"}).to_string()
}

/// A client of the order stream.
pub(crate) struct Listener {
    socket: actix_codec::Framed<BoxedSocket, Codec>,
}

/// What a listener hears next.
#[derive(Debug, PartialEq)]
pub(crate) enum Heard {
    Text(String),
    Binary(Vec<u8>),
    Pong,
    Closed,
    /// The connection broke without a close frame.
    Broken,
}

impl Listener {
    pub(crate) async fn say(&mut self, text: &str) {
        self.socket.send(Message::Text(text.to_owned().into())).await.unwrap();
    }

    pub(crate) async fn ping(&mut self) {
        self.socket.send(Message::Ping("x".into())).await.unwrap();
    }

    pub(crate) async fn hear(&mut self) -> Heard {
        match timeout(PATIENCE, self.socket.next()).await.expect("nothing was heard") {
            Some(Ok(Frame::Text(text))) => Heard::Text(String::from_utf8(text.to_vec()).unwrap()),
            Some(Ok(Frame::Binary(bytes))) => Heard::Binary(bytes.to_vec()),
            Some(Ok(Frame::Pong(_))) => Heard::Pong,
            Some(Ok(Frame::Close(_))) => Heard::Closed,
            Some(Ok(other)) => panic!("{other:?}"),
            Some(Err(_)) | None => Heard::Broken,
        }
    }

    /// Whether nothing is heard for a while; pings show that the connection lives.
    pub(crate) async fn hears_nothing(&mut self) -> bool {
        timeout(Duration::from_millis(100), self.socket.next()).await.is_err()
    }

    /// The next frame's order data.
    pub(crate) async fn update(&mut self) -> Value {
        match self.hear().await {
            Heard::Text(text) => {
                let envelope: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(envelope["Type"], "order_alert");
                envelope["Data"].clone()
            }
            other => panic!("{other:?}"),
        }
    }

    /// The statuses of the next frames.
    pub(crate) async fn statuses(&mut self, count: usize) -> Vec<String> {
        let mut statuses = Vec::new();
        for _ in 0..count {
            statuses.push(self.update().await["status"].as_str().unwrap().to_owned());
        }
        statuses
    }
}
