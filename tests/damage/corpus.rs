//! What is damaged: captured and documented texts, and what the simulator answers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;

use tandem_dhan::wire::{FrameStyle, decode_frame};
use tandem_domain::ids::DhanClientId;
use tandem_domain::instrument::{InstrumentKey, OptionType};
use tandem_domain::order::{OrderForm, OrderTerms, OrderType, Product, Side, TimeInForce};
use tandem_domain::price::Price;
use tandem_domain::quantity::Quantity;
use tandem_sim::exchange::{PlaceRequest, Source};
use tandem_sim::{SimSettings, Simulator};

use crate::readers::{self, Reader};
use crate::settings_reader::settings_file;

/// Something that reads, and texts that it is made for.
pub(crate) struct Surface {
    pub(crate) name: &'static str,
    pub(crate) read: Reader,
    /// What is damaged at random.
    pub(crate) samples: Vec<Vec<u8>>,
    /// What is cut at each byte, and damaged in each field.
    pub(crate) in_turn: Vec<Vec<u8>>,
    /// Whether a fault in a field is told by the field's name.
    pub(crate) names_fields: bool,
    /// What may be taken of memory whatever is read: buffers, tables, what is built in.
    pub(crate) bytes_at_least: usize,
}

/// Enough for the buffers of a reader of CSV, and the texts of errors.
const LITTLE: usize = 512 * 1024;
/// Enough for the settings that are built in, which are read with each file.
const BUILT_IN: usize = 4 * 1024 * 1024;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dhan/tests/fixtures");
    std::fs::read(folder.join(name)).unwrap()
}

/// Every text of the order stream there is, and each again in every style of writing.
pub(crate) fn frames() -> Surface {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("dhan/tests/fixtures/frames");
    let mut samples: Vec<Vec<u8>> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
        .collect();
    samples.sort();
    let texts: Vec<String> = samples.iter().map(|text| String::from_utf8_lossy(text).into_owned()).collect();
    for update in texts.iter().flat_map(|text| decode_frame(text).items).flatten() {
        let styles = [FrameStyle::LivePascal, FrameStyle::Documented, FrameStyle::Mixed];
        samples.extend(styles.map(|style| update.to_frame(style).into_bytes()));
    }
    let in_turn =
        ["pending", "documented", "array", "two_concatenated", "super_order_stop", "numbers_as_texts"]
            .map(|name| fixture(&format!("frames/{name}.json")));
    Surface {
        name: "frame",
        read: readers::frame,
        samples,
        in_turn: in_turn.to_vec(),
        names_fields: true,
        bytes_at_least: LITTLE,
    }
}

/// Every answer that is read: name, reader, fixtures, paths at the simulator, and whether fields are named.
type Answered = (&'static str, Reader, &'static [&'static str], &'static [&'static str], bool);

const ANSWERS: [Answered; 16] = [
    ("order book", readers::orders, &["orders", "order"], &["/orders"], true),
    ("lookup", readers::looked_up, &["orders", "order", "refused"], &[], true),
    ("super orders", readers::supers, &["supers"], &["/super/orders"], true),
    ("forever orders", readers::forevers, &["forevers"], &["/forever/orders"], true),
    ("trade book", readers::trades, &["trades"], &["/trades"], true),
    ("positions", readers::positions, &["positions"], &["/positions"], true),
    ("holdings", readers::holdings, &["holdings"], &["/holdings"], true),
    ("funds", readers::funds, &["funds"], &["/fundlimit"], true),
    ("profile", readers::profile, &["profile"], &["/profile"], true),
    ("static ip", readers::ip_status, &["ip"], &["/ip/getIP"], true),
    ("margin", readers::margin, &["margin"], &[], true),
    ("last prices", readers::last_prices, &["last_prices"], &[], false),
    ("placing", readers::placed, &["placed", "refused"], &[], false),
    ("change", readers::changed, &["placed", "refused"], &[], false),
    ("token", readers::token, &["token", "refused"], &[], false),
    (
        "refusal",
        readers::refused,
        &["refused", "refused_data", "refused_ip", "refused_path"],
        &["/nowhere"],
        false,
    ),
];

pub(crate) fn answers() -> Vec<Surface> {
    let sim = a_traded_day();
    let surface = |(name, read, fixtures, paths, names_fields): Answered| {
        let in_turn: Vec<_> = fixtures.iter().map(|name| fixture(&format!("answers/{name}.json"))).collect();
        let simulated = paths.iter().map(|path| ask(&sim, path));
        let samples = in_turn.iter().cloned().chain(simulated).collect();
        Surface { name, read, samples, in_turn, names_fields, bytes_at_least: LITTLE }
    };
    ANSWERS.into_iter().map(surface).collect()
}

/// Both kinds of instrument file.
pub(crate) fn instruments() -> Surface {
    let samples = vec![fixture("instruments/compact.csv"), fixture("instruments/detailed.csv")];
    Surface {
        name: "instrument file",
        read: readers::instruments_file,
        in_turn: samples.clone(),
        samples,
        names_fields: false,
        bytes_at_least: LITTLE,
    }
}

/// Settings that users start from, without their comments.
pub(crate) fn settings() -> Surface {
    let example = |name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(name);
        let text = std::fs::read_to_string(path).unwrap();
        let lines =
            text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.trim().is_empty());
        lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes()
    };
    let samples = vec![example("live.example.toml"), example("demo.toml")];
    Surface {
        name: "settings",
        read: settings_file,
        in_turn: samples.clone(),
        samples,
        names_fields: false,
        bytes_at_least: BUILT_IN,
    }
}

/// The default settings, every key with its value.
pub(crate) const DEFAULTS: &str = include_str!("../../config/default.toml");

const ACCOUNT: &str = "1000000101";

/// A simulator whose leader bought, sold in part, and left something to rest, an entry with exits among it.
fn a_traded_day() -> Simulator {
    let sim = Simulator::start(SimSettings::default()).unwrap();
    sim.with_exchange(|exchange| {
        let expiry = exchange.expiries("NIFTY")[1];
        let strike = Price::from_units(26_000 * 10_000).unwrap();
        let key = exchange.option("NIFTY", expiry, strike, OptionType::Call).unwrap();
        assert!(exchange.set_last_price(key, Price::from_paise(10_000)));
        for terms in [
            order(key, Side::Buy, 130, OrderType::Market),
            order(key, Side::Sell, 65, OrderType::Market),
            order(key, Side::Buy, 65, OrderType::Limit),
        ] {
            let account = DhanClientId::new(ACCOUNT).unwrap();
            exchange.place(&account, Source::App, &PlaceRequest::new(terms)).unwrap();
        }
    });
    sim
}

fn order(instrument: InstrumentKey, side: Side, units: u32, order_type: OrderType) -> OrderTerms {
    OrderTerms {
        instrument,
        side,
        product: Product::Margin,
        order_type,
        time_in_force: TimeInForce::Day,
        quantity: Quantity::new(units),
        disclosed: Quantity::ZERO,
        price: if order_type == OrderType::Limit { Price::from_paise(9_000) } else { Price::ZERO },
        trigger: Price::ZERO,
        after_market: false,
        form: OrderForm::Ordinary,
    }
}

/// The body that the simulator answers a read with.
fn ask(sim: &Simulator, path: &str) -> Vec<u8> {
    let at = sim.description();
    let address = at.rest_url.strip_prefix("http://").unwrap();
    let (host, base) = address.split_once('/').unwrap();
    let of = at.accounts.iter().find(|of| of.client_id.as_str() == ACCOUNT).unwrap();
    let mut socket = TcpStream::connect(host).unwrap();
    write!(
        socket,
        "GET /{base}{path} HTTP/1.1\r\nhost: {host}\r\naccess-token: {}\r\nclient-id: {ACCOUNT}\r\n\
         connection: close\r\n\r\n",
        of.access_token
    )
    .unwrap();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).unwrap();
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
    answer.split_off(head)
}
