//! What is traded: a small market in the shape of the real one (`dhanhq-v2.md` section 8).

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{NaiveDate, Weekday};
use tandem_domain::instrument::{
    ExchangeSegment, InstrumentKey, InstrumentKind, OptionContract, OptionType, SecurityId,
};
use tandem_domain::price::{Price, UNITS_PER_RUPEE};
use tandem_domain::quantity::{LotSize, Quantity};

use super::calendar::Calendar;

/// One contract of the universe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contract {
    /// Segment and security id.
    pub key: InstrumentKey,
    /// `OPTIDX`, `FUTIDX`, `EQUITY` or `INDEX`.
    pub kind: InstrumentKind,
    /// What its price follows: `NIFTY`, or the share itself.
    pub underlying: Arc<str>,
    /// `NIFTY-Dec2026-26000-CE`: not unique across weekly expiries.
    pub trading_symbol: Arc<str>,
    /// `NIFTY 15 DEC 26000 CALL`.
    pub display_name: Arc<str>,
    /// `NA` for derivatives.
    pub isin: Arc<str>,
    /// Units in a lot.
    pub lot_size: LotSize,
    /// Tick.
    pub tick: Price,
    /// Largest quantity in one order.
    pub freeze_quantity: Option<Quantity>,
    /// Date of expiry, already moved off holidays.
    pub expiry: Option<NaiveDate>,
    /// Whether `expiry` is the last of its month (`SEM_EXPIRY_FLAG` M).
    pub monthly: bool,
    /// Strike and side.
    pub option: Option<OptionContract>,
    /// Index of the spot path its price follows.
    pub(super) path: usize,
}

impl Contract {
    /// The quantity of one order the exchange takes at most: whole lots within the freeze quantity.
    pub fn order_quantity_max(&self) -> Option<Quantity> {
        let freeze = self.freeze_quantity?;
        self.lot_size.quantity(self.lot_size.split(freeze).0)
    }

    /// Whether it is an option or a future.
    pub const fn is_derivative(&self) -> bool {
        matches!(self.kind, InstrumentKind::IndexOption | InstrumentKind::IndexFuture)
    }
}

/// What prices follow: an index with its derivatives, or a share.
#[derive(Debug, Clone, Copy)]
pub(super) struct Underlying {
    pub(super) name: &'static str,
    full_name: &'static str,
    isin: &'static str,
    /// Id of the index row in `IDX_I`, or of the share in `NSE_EQ`.
    security_id: u32,
    /// Where the first day starts, in 1/10,000 rupee.
    pub(super) base_units: i64,
    derivatives: Option<Derivatives>,
}

/// Options and futures on an index. Lots: section 8.6; freeze quantities: 8.7; expiry days: 12.3.
#[derive(Debug, Clone, Copy)]
struct Derivatives {
    segment: ExchangeSegment,
    expiry_day: Weekday,
    /// Weekly expiries listed; the monthly one is always there.
    weeklies: usize,
    strike_step_rupees: u32,
    lot: u32,
    freeze: u32,
    /// First security id of its contracts.
    first_id: u32,
}

const fn rupees(whole: i64) -> i64 {
    whole * UNITS_PER_RUPEE
}

/// Invented spots near those of the reference's examples. FINNIFTY's freeze quantity is a contradiction in the
/// sources (1200 or 1800), SENSEX's is unverified.
pub(super) const UNDERLYINGS: [Underlying; 7] = [
    Underlying {
        name: "NIFTY",
        full_name: "Nifty 50",
        isin: "NA",
        security_id: 13,
        base_units: rupees(26_014),
        derivatives: Some(Derivatives {
            segment: ExchangeSegment::NseFno,
            expiry_day: Weekday::Tue,
            weeklies: 4,
            strike_step_rupees: 50,
            lot: 65,
            freeze: 1800,
            first_id: 43_001,
        }),
    },
    Underlying {
        name: "BANKNIFTY",
        full_name: "Nifty Bank",
        isin: "NA",
        security_id: 25,
        base_units: rupees(60_020),
        derivatives: Some(Derivatives {
            segment: ExchangeSegment::NseFno,
            expiry_day: Weekday::Tue,
            weeklies: 0,
            strike_step_rupees: 100,
            lot: 30,
            freeze: 600,
            first_id: 51_001,
        }),
    },
    Underlying {
        name: "FINNIFTY",
        full_name: "Nifty Financial Services",
        isin: "NA",
        security_id: 27,
        base_units: rupees(27_510),
        derivatives: Some(Derivatives {
            segment: ExchangeSegment::NseFno,
            expiry_day: Weekday::Tue,
            weeklies: 0,
            strike_step_rupees: 50,
            lot: 60,
            freeze: 1200,
            first_id: 57_001,
        }),
    },
    Underlying {
        name: "SENSEX",
        full_name: "S&P BSE Sensex",
        isin: "NA",
        security_id: 51,
        base_units: rupees(85_030),
        derivatives: Some(Derivatives {
            segment: ExchangeSegment::BseFno,
            expiry_day: Weekday::Thu,
            weeklies: 2,
            strike_step_rupees: 100,
            lot: 20,
            freeze: 1000,
            first_id: 1_104_001,
        }),
    },
    share("RELIANCE", "Reliance Industries", "INE002A01018", 2885, rupees(1_450)),
    share("HDFCBANK", "HDFC Bank", "INE040A01034", 1333, rupees(990)),
    share("TCS", "Tata Consultancy Services", "INE467B01029", 11_536, rupees(3_105)),
];

const fn share(
    name: &'static str,
    full_name: &'static str,
    isin: &'static str,
    security_id: u32,
    base_units: i64,
) -> Underlying {
    Underlying { name, full_name, isin, security_id, base_units, derivatives: None }
}

/// All contracts of the first day. The list does not change while the exchange lives.
#[derive(Debug, Clone)]
pub(super) struct Universe {
    contracts: Vec<Contract>,
    by_key: HashMap<InstrumentKey, usize>,
}

impl Universe {
    /// Lists what trades from `first_day` on.
    pub(super) fn new(calendar: &Calendar, first_day: NaiveDate, strikes_each_side: u32) -> Self {
        let mut contracts = Vec::new();
        for (path, underlying) in UNDERLYINGS.iter().enumerate() {
            contracts.push(spot_row(path, underlying));
            if let Some(derivatives) = underlying.derivatives {
                let listing = Listing { path, underlying, derivatives };
                listing.push_all(calendar, first_day, strikes_each_side, &mut contracts);
            }
        }
        let by_key = contracts.iter().enumerate().map(|(at, contract)| (contract.key, at)).collect();
        Self { contracts, by_key }
    }

    pub(super) fn contracts(&self) -> &[Contract] {
        &self.contracts
    }

    pub(super) fn get(&self, key: InstrumentKey) -> Option<&Contract> {
        self.by_key.get(&key).map(|at| &self.contracts[*at])
    }

    pub(super) fn option(
        &self,
        underlying: &str,
        expiry: NaiveDate,
        strike: Price,
        option_type: OptionType,
    ) -> Option<&Contract> {
        let wanted = OptionContract { option_type, strike };
        self.contracts.iter().find(|contract| {
            contract.option == Some(wanted)
                && contract.expiry == Some(expiry)
                && &*contract.underlying == underlying
        })
    }

    pub(super) fn expiries(&self, underlying: &str) -> Vec<NaiveDate> {
        let mut dates: Vec<_> = self
            .contracts
            .iter()
            .filter(|contract| contract.option.is_some() && &*contract.underlying == underlying)
            .filter_map(|contract| contract.expiry)
            .collect();
        dates.sort_unstable();
        dates.dedup();
        dates
    }
}

fn spot_row(path: usize, underlying: &Underlying) -> Contract {
    let (segment, kind, tick) = if underlying.derivatives.is_some() {
        (ExchangeSegment::Index, InstrumentKind::Index, Price::from_paise(5))
    } else {
        (ExchangeSegment::NseEquity, InstrumentKind::Equity, share_tick(underlying.base_units))
    };
    Contract {
        key: InstrumentKey { segment, security_id: SecurityId(underlying.security_id) },
        kind,
        underlying: underlying.name.into(),
        trading_symbol: underlying.name.into(),
        display_name: underlying.full_name.into(),
        isin: underlying.isin.into(),
        lot_size: LotSize::ONE,
        tick,
        freeze_quantity: None,
        expiry: None,
        monthly: false,
        option: None,
        path,
    }
}

/// The tick of a share by its price (section 2.10).
fn share_tick(units: i64) -> Price {
    let paise = match units / UNITS_PER_RUPEE {
        ..250 => 1,
        250..1000 => 5,
        1000..5000 => 10,
        5000..10_000 => 50,
        10_000..20_000 => 100,
        _ => 500,
    };
    Price::from_paise(paise)
}

/// The derivatives of one index, being listed.
struct Listing<'a> {
    path: usize,
    underlying: &'a Underlying,
    derivatives: Derivatives,
}

impl Listing<'_> {
    fn push_all(&self, calendar: &Calendar, first_day: NaiveDate, each_side: u32, into: &mut Vec<Contract>) {
        let day = self.derivatives.expiry_day;
        let months = calendar.monthly_expiries(day, first_day, 2);
        let mut expiries = calendar.weekly_expiries(day, first_day, self.derivatives.weeklies);
        expiries.extend(months.first());
        expiries.sort_unstable();
        expiries.dedup();

        let mut next_id = self.derivatives.first_id;
        let mut draw_id = || {
            next_id += 1;
            next_id - 1
        };
        for expiry in &months {
            into.push(self.future(*expiry, draw_id()));
        }
        for expiry in expiries {
            for strike in self.strikes(each_side) {
                for option_type in [OptionType::Call, OptionType::Put] {
                    let monthly = months.contains(&expiry);
                    into.push(self.option(
                        expiry,
                        monthly,
                        OptionContract { option_type, strike },
                        draw_id(),
                    ));
                }
            }
        }
    }

    /// Strikes around the spot of the first day, lowest first.
    fn strikes(&self, each_side: u32) -> impl Iterator<Item = Price> {
        let step = i64::from(self.derivatives.strike_step_rupees) * UNITS_PER_RUPEE;
        let middle = (self.underlying.base_units + step / 2) / step;
        let each_side = i64::from(each_side);
        (middle - each_side..=middle + each_side).filter_map(move |at| Price::from_units(at * step))
    }

    fn future(&self, expiry: NaiveDate, id: u32) -> Contract {
        let name = self.underlying.name;
        Contract {
            trading_symbol: format!("{name}-{}-FUT", expiry.format("%b%Y")).into(),
            display_name: format!("{name} {} FUT", expiry.format("%b").to_string().to_uppercase()).into(),
            tick: Price::from_paise(10),
            ..self.derivative(InstrumentKind::IndexFuture, expiry, true, id)
        }
    }

    fn option(&self, expiry: NaiveDate, monthly: bool, contract: OptionContract, id: u32) -> Contract {
        let name = self.underlying.name;
        let strike = contract.strike.units() / UNITS_PER_RUPEE;
        let code = contract.option_type;
        let word = if code == OptionType::Call { "CALL" } else { "PUT" };
        let day = expiry.format("%d %b").to_string().to_uppercase();
        Contract {
            trading_symbol: format!("{name}-{}-{strike}-{code}", expiry.format("%b%Y")).into(),
            display_name: format!("{name} {day} {strike} {word}").into(),
            option: Some(contract),
            ..self.derivative(InstrumentKind::IndexOption, expiry, monthly, id)
        }
    }

    fn derivative(&self, kind: InstrumentKind, expiry: NaiveDate, monthly: bool, id: u32) -> Contract {
        Contract {
            key: InstrumentKey { segment: self.derivatives.segment, security_id: SecurityId(id) },
            kind,
            underlying: self.underlying.name.into(),
            trading_symbol: self.underlying.name.into(),
            display_name: self.underlying.name.into(),
            isin: "NA".into(),
            lot_size: LotSize::new(self.derivatives.lot).unwrap_or(LotSize::ONE),
            tick: Price::from_paise(5),
            freeze_quantity: Some(Quantity::new(self.derivatives.freeze)),
            expiry: Some(expiry),
            monthly,
            option: None,
            path: self.path,
        }
    }
}
