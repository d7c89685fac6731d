//! The price process: a spot path for each underlying, and every other price as a pure function of it.
//!
//! Integers only. A spot's next value is the last one plus a hashed step; a derivative's price is computed when
//! somebody asks. The same seed and dates give the same prices to the last unit, whatever orders are placed.

use chrono::{Days, NaiveDate};
use tandem_domain::instrument::{InstrumentKind, OptionContract, OptionType};
use tandem_domain::price::Price;
use tandem_domain::time::Timestamp;

use super::calendar::Calendar;
use super::settings::Session;
use super::universe::{Contract, UNDERLYINGS};

/// A second of a session, from 0 at the open.
pub(super) type Tick = u32;

/// Spots never leave this band around the previous close, in percent.
const SPOT_BAND_PERCENT: i64 = 8;
/// Orders on shares and futures must stay within this band of the previous close, in percent.
const CIRCUIT_PERCENT: i64 = 10;
/// Seconds in a 365-day year.
const YEAR_SECONDS: i64 = 31_536_000;
const YEAR_SECONDS_ROOT: i64 = 5615;

/// All spot paths at one moment.
#[derive(Debug, Clone)]
pub(super) struct Market {
    seed: u64,
    calendar: Calendar,
    session: Session,
    /// The trading day the paths are in, the last one that opened; before that the first one.
    day: NaiveDate,
    /// The last tick that happened on `day`; none before the open of the first day.
    tick: Option<Tick>,
    paths: Vec<SpotPath>,
}

/// One underlying's spot today, in 1/10,000 rupee.
#[derive(Debug, Clone, Copy)]
pub(super) struct SpotPath {
    pub(super) spot: i64,
    pub(super) previous_close: i64,
    open: i64,
    high: i64,
    low: i64,
}

impl Market {
    /// The market before the open of `first_day`.
    pub(super) fn new(seed: u64, calendar: Calendar, session: Session, first_day: NaiveDate) -> Self {
        let paths = UNDERLYINGS
            .iter()
            .map(|underlying| {
                let base = underlying.base_units;
                SpotPath { spot: base, previous_close: base, open: base, high: base, low: base }
            })
            .collect();
        let day = calendar.on_or_after(first_day);
        Self { seed, calendar, session, day, tick: None, paths }
    }

    pub(super) fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// Day and tick of the last price.
    pub(super) fn position(&self) -> (NaiveDate, Option<Tick>) {
        (self.day, self.tick)
    }

    pub(super) fn path(&self, contract: &Contract) -> &SpotPath {
        &self.paths[contract.path]
    }

    /// Ticks in a session.
    pub(super) fn session_ticks(&self) -> Tick {
        u32::try_from((self.session.close - self.session.open).num_seconds()).unwrap_or(0)
    }

    pub(super) fn is_open(&self, at: Timestamp) -> bool {
        let ist = at.ist();
        self.calendar.is_trading_day(ist.date())
            && ist.time() >= self.session.open
            && ist.time() < self.session.close
    }

    /// The last tick on the day of `at` that is not after it; none before the open and on days without a session.
    fn tick_at(&self, at: Timestamp) -> Option<Tick> {
        let ist = at.ist();
        let since_open = (ist.time() - self.session.open).num_seconds();
        let seconds = u32::try_from(since_open).ok().filter(|_| self.calendar.is_trading_day(ist.date()))?;
        Some(seconds.min(self.session_ticks().saturating_sub(1)))
    }

    /// Walks all paths up to `at`; sessions in between are walked through. Never backwards.
    pub(super) fn advance(&mut self, at: Timestamp) {
        let date = at.ist().date();
        let tick = self.tick_at(at);
        let last_session = if tick.is_some() { date } else { date - Days::new(1) };
        while self.day < last_session {
            self.walk_to(self.session_ticks().saturating_sub(1));
            let next = self.calendar.on_or_after(self.day + Days::new(1));
            if next > last_session {
                return;
            }
            self.day = next;
            self.tick = None;
        }
        match tick {
            Some(tick) if self.day == date => self.walk_to(tick),
            None if self.day < date => self.walk_to(self.session_ticks().saturating_sub(1)),
            _ => {}
        }
    }

    fn walk_to(&mut self, tick: Tick) {
        let from = self.tick.map_or(0, |last| last + 1);
        let day = day_number(self.day);
        for now in from..=tick {
            for (index, path) in self.paths.iter_mut().enumerate() {
                let draw = hash(&[self.seed, SALT_SPOT, index as u64, day, now.into()]);
                path.step(draw, now == 0);
            }
            self.tick = Some(now);
        }
    }

    /// The last price of a contract.
    pub(super) fn last(&self, contract: &Contract) -> Price {
        self.price_at(contract, self.path(contract).spot, self.tick.unwrap_or(0))
    }

    /// First, highest and lowest price of the day. A derivative's are those at the spot's, as they would be now.
    pub(super) fn day_range(&self, contract: &Contract) -> (Price, Price, Price) {
        let path = self.path(contract);
        let now = self.tick.unwrap_or(0);
        let open = self.price_at(contract, path.open, 0);
        let seen = [
            open,
            self.last(contract),
            self.price_at(contract, path.high, now),
            self.price_at(contract, path.low, now),
        ];
        let high = seen.iter().copied().max().unwrap_or(open);
        let low = seen.iter().copied().min().unwrap_or(open);
        (open, high, low)
    }

    /// Price at the previous close.
    pub(super) fn previous_close(&self, contract: &Contract) -> Price {
        self.price_at(contract, self.path(contract).previous_close, 0)
    }

    /// Lowest and highest price an order may carry today.
    pub(super) fn circuit(&self, contract: &Contract) -> (Price, Price) {
        let close = self.previous_close(contract);
        let tick = contract.tick.units().max(1);
        let (low, high) = if contract.kind == InstrumentKind::IndexOption {
            let reach = self.path(contract).previous_close * SPOT_BAND_PERCENT / 100;
            (tick, close.units() * 3 / 2 + reach)
        } else {
            (close.units() * (100 - CIRCUIT_PERCENT) / 100, close.units() * (100 + CIRCUIT_PERCENT) / 100)
        };
        (on_tick(low.max(tick) + tick - 1, tick), on_tick(high, tick))
    }

    /// What an option or future is worth when it expires with the spot where it is.
    pub(super) fn settlement(&self, contract: &Contract) -> Price {
        let spot = self.path(contract).spot;
        let units = contract.option.map_or(spot, |option| intrinsic(option, spot));
        Price::from_units(units).unwrap_or(Price::ZERO)
    }

    fn price_at(&self, contract: &Contract, spot: i64, tick: Tick) -> Price {
        let step = contract.tick.units().max(1);
        let units = match contract.option {
            Some(option) => {
                let left = self.seconds_left(contract, tick);
                let noise = i64::try_from(self.draw(contract, SALT_NOISE, tick) % 5).unwrap_or(0) - 2;
                intrinsic(option, spot) + time_value(option, spot, left) + noise * step
            }
            None if contract.kind == InstrumentKind::IndexFuture => {
                // Carry of 6.5 % a year, in 1/10,000 of the spot at a time to stay within the range.
                spot + spot / 10_000 * (650 * self.seconds_left(contract, tick) / 1000)
                    / (YEAR_SECONDS / 1000)
            }
            None => spot,
        };
        on_tick(units.max(step), step)
    }

    fn seconds_left(&self, contract: &Contract, tick: Tick) -> i64 {
        let days = contract.expiry.map_or(0, |expiry| (expiry - self.day).num_days());
        (days * 86_400 + i64::from(self.session_ticks()) - i64::from(tick)).max(0)
    }

    /// A number drawn for one contract at one tick of today.
    pub(super) fn draw(&self, contract: &Contract, salt: u64, tick: Tick) -> u64 {
        let key = (contract.key.segment as u64) << 32 | u64::from(contract.key.security_id.0);
        hash(&[self.seed, salt, key, day_number(self.day), tick.into()])
    }
}

impl SpotPath {
    /// One second: the sum of eight hashed bytes, about 0.005 % of the spot either way; the open jumps further.
    fn step(&mut self, draw: u64, opening: bool) {
        if opening {
            self.previous_close = self.spot;
        }
        // Mean 0, standard deviation about 209.
        let bell: i64 = draw.to_le_bytes().iter().map(|byte| i64::from(*byte)).sum::<i64>() - 1020;
        let scale = if opening { 125_000 } else { 4_000_000 };
        let next = self.spot + self.spot * bell / scale;
        let reach = self.previous_close * SPOT_BAND_PERCENT / 100;
        let inside = next.clamp(self.previous_close - reach, self.previous_close + reach);
        self.spot = inside;
        if opening {
            (self.open, self.high, self.low) = (self.spot, self.spot, self.spot);
        }
        self.high = self.high.max(self.spot);
        self.low = self.low.min(self.spot);
    }
}

/// Rounds down to the tick; never below one tick.
pub(super) fn on_tick(units: i64, tick: i64) -> Price {
    Price::from_units((units - units.rem_euclid(tick)).max(tick)).unwrap_or(Price::ZERO)
}

fn intrinsic(option: OptionContract, spot: i64) -> i64 {
    let strike = option.strike.units();
    match option.option_type {
        OptionType::Call => spot - strike,
        OptionType::Put => strike - spot,
    }
    .max(0)
}

/// About what 12 % volatility gives at the money (0.4 x spot x volatility x root of time), falling off with the
/// distance to the strike.
fn time_value(option: OptionContract, spot: i64, seconds_left: i64) -> i64 {
    // Roots in thousandths. The largest product is a spot of 100,000 rupees and a year: far within the range.
    let root = u64::try_from(seconds_left).unwrap_or(0).saturating_mul(1_000_000).isqrt();
    let root = i64::try_from(root).unwrap_or(i64::MAX);
    let at_the_money = spot.saturating_mul(48).saturating_mul(root) / (YEAR_SECONDS_ROOT * 1_000_000);
    // The width at which a quarter is left is three times the value at the money. Squares are of 1/20 rupee.
    let width = at_the_money * 3 / 500;
    let distance = (spot - option.strike.units()) / 500;
    let (width, distance) = (width.saturating_mul(width), distance.saturating_mul(distance));
    let whole = width.saturating_add(distance).max(1);
    let left = at_the_money.saturating_mul(width) / whole;
    left.saturating_mul(width) / whole
}

const SALT_SPOT: u64 = 1;
const SALT_NOISE: u64 = 2;
/// Salt of the synthetic depth.
pub(super) const SALT_DEPTH: u64 = 3;

fn day_number(day: NaiveDate) -> u64 {
    u64::try_from((day - NaiveDate::default()).num_days()).unwrap_or(0)
}

/// `SplitMix64` over the parts in turn: fast, and the same on every machine.
pub(super) fn hash(parts: &[u64]) -> u64 {
    parts
        .iter()
        .fold(0x9E37_79B9_7F4A_7C15, |state, part| mix(state ^ part.wrapping_mul(0xD6E8_FEB8_6659_FD93)))
}

fn mix(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
