//! What the options held cover of a sale that opens, for the estimate of its margin.
//!
//! On the safe side: an estimate that is too high skips an entry, one that is too low the broker refuses. Options cover a
//! sale if they are calls (puts) of the same underlying, expiry and product, held because of copies; those that are being
//! bought count where the sale waits for them. The furthest of them tells the width, and every other sale in the group,
//! the owner's too, takes its units first.

use super::FollowerBook;
use super::gatekeeping::may_fill;
use super::waiting::hedges;
use crate::gates::Cover;
use crate::gates::entry::MarginCheck;
use crate::ids::BrokerOrderId;
use crate::instrument::{InstrumentKey, OptionContract, OptionType};
use crate::mirror::{Child, Mirror};
use crate::order::{OrderTerms, Product, Side};
use crate::pacing::Purpose;
use crate::policy::MissingCover;
use crate::price::Price;
use crate::quantity::Quantity;

impl FollowerBook {
    /// What covers a sale by a mirror, beside so many units more that are sold already.
    pub(super) fn cover(&self, terms: &OrderTerms, mirror: &BrokerOrderId, sold: i64) -> Option<Cover> {
        let waits = self.settings.spread.on_missing_cover == MissingCover::Skip;
        self.cover_of(terms, mirror, sold, waits)
    }

    /// Whether what is held covers all that a child would sell.
    pub(super) fn is_covered(&self, mirror: &Mirror, child: &Child, units: Quantity) -> bool {
        let entries = mirror.children.iter().filter(|of| of.is_live() && of.purpose == Purpose::Entry);
        let under_way = entries.map(|of| i64::from(waiting_or_out(of))).sum::<i64>();
        let others = under_way - i64::from(units.get());
        let cover = self.cover_of(&child.terms, &mirror.leader.broker_order_id, others, false);
        cover.is_some_and(|cover| cover.units >= u64::from(units.get()))
    }

    fn cover_of(
        &self,
        terms: &OrderTerms,
        mirror: &BrokerOrderId,
        sold: i64,
        counts_bought: bool,
    ) -> Option<Cover> {
        if terms.side != Side::Sell || self.settings.entry.margin == MarginCheck::Off {
            return None;
        }
        let instrument = self.lines.get(&terms.instrument)?.instrument.as_deref()?;
        let sale = instrument.option?;
        let (mut long, mut short, mut width) = (0, sold, Price::ZERO);
        for (key, line) in &self.lines {
            let Some(other) = line.instrument.as_deref().filter(|other| hedges(instrument, other)) else {
                continue;
            };
            short -= line.held().min(line.net()).min(0);
            short += self.opening(*key, Side::Sell, None, mirror);
            if *key == terms.instrument {
                continue;
            }
            let in_product = line.by_product.get(&terms.product).copied().unwrap_or(0).max(0);
            let mut covers = line.closable().max(0).min(in_product);
            if counts_bought {
                covers += self.opening(*key, Side::Buy, Some(terms.product), mirror);
            }
            if let Some(option) = other.option.filter(|_| covers > 0) {
                long += covers;
                width = width.max(beyond(sale, option));
            }
        }
        Some(Cover { units: u64::try_from(long - short.max(0)).unwrap_or(0), width })
    }

    /// Units that entries on one side may yet open in a line, but for those of one mirror.
    fn opening(
        &self,
        instrument: InstrumentKey,
        side: Side,
        product: Option<Product>,
        but: &BrokerOrderId,
    ) -> i64 {
        let mirrors = self.mirrors.live(instrument).filter(|mirror| mirror.leader.broker_order_id != *but);
        let entries = mirrors.flat_map(|mirror| &mirror.children).filter(|child| {
            child.is_live()
                && child.terms.side == side
                && child.purpose == Purpose::Entry
                && product.is_none_or(|product| child.terms.product == product)
        });
        entries.map(|child| i64::from(waiting_or_out(child))).sum()
    }
}

/// Units that a child may yet fill, what waits of it counted in.
fn waiting_or_out(child: &Child) -> u32 {
    may_fill(child).max(child.at_most().saturating_sub(child.cumulative)).get()
}

/// How far the strike of an option lies beyond that of one sold, on the side on which that loses.
fn beyond(sale: OptionContract, option: OptionContract) -> Price {
    let (sold, bought) = (sale.strike.units(), option.strike.units());
    let distance = match sale.option_type {
        OptionType::Call => bought - sold,
        OptionType::Put => sold - bought,
    };
    Price::from_units(distance).unwrap_or_default()
}
