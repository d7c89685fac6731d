//! Holds the shares that were cut with orders set aside to those of the whole day, at every step of every test.

use std::collections::BTreeMap;

use super::super::aside::Totals;
use super::super::holdings::{Credits, credit_of};
use super::super::shares::Shares;
use super::{Cut, FollowerBook};
use crate::flaw;
use crate::ids::BrokerOrderId;
use crate::instrument::InstrumentKey;
use crate::ledger;
use crate::mirror::{Allotment, Mirror};
use crate::order::{Product, Side};

impl FollowerBook {
    pub(super) fn check_cut(&self, instrument: InstrumentKey, cut: &Cut) {
        let line = &self.lines[&instrument];
        if flaw::any() || line.aside.is_empty() {
            return;
        }
        let account = &self.settings.account;
        let unsettled = line.orders[line.settled..].iter().filter_map(|id| self.mirrors.get(id));
        let mut mirrors: Vec<&Mirror> = unsettled.filter(|mirror| !mirror.is_in(account)).collect();
        mirrors.sort_by(|one, other| one.leader.broker_order_id.cmp(&other.leader.broker_order_id));
        let entries = self.entries(&mirrors);
        let allocation = ledger::allocate(cut.before, &entries, cut.lot);
        let gap = self.settings.rules.parting.gap;
        let shares = Shares { line, lot: cut.lot, gap, account, aside: &Totals::default() };
        let shared = shares.of_allocation(&mirrors, &entries, &allocation);
        assert_eq!(shared.overshot, cut.shared.overshot, "overshot");
        assert_eq!(shared.made, cut.shared.made, "closed by others");
        assert_eq!((allocation.leader, allocation.pool), (cut.allocation.leader, cut.allocation.pool));
        let buys = entries.iter().filter(|entry| entry.side == Side::Buy);
        assert_eq!(buys.map(|entry| u64::from(entry.working)).sum::<u64>(), cut.leader_buys);
        let mut credits = line.settled_credits.clone();
        for (key, left) in
            mirrors.iter().zip(&allocation.parts).filter_map(|(mirror, part)| credit_of(mirror, part))
        {
            let known = credits.entry(key).or_default();
            *known = known.saturating_add(left);
        }
        assert_eq!(nonzero(&credits), nonzero(&cut.credits));
        let known: BTreeMap<&BrokerOrderId, &Allotment> = cut.ids.iter().zip(&cut.shared.allotted).collect();
        for (mirror, whole) in mirrors.iter().zip(&shared.allotted) {
            let id = &mirror.leader.broker_order_id;
            if let Some(known) = known.get(id) {
                assert_eq!(*known, whole, "{id}, gone through");
            } else {
                // Nothing is closed by it any more, in whatever product.
                let same = Allotment { product: None, is_armed: false, ..*whole };
                let had = mirror.allotment.map(|had| Allotment { product: None, is_armed: false, ..had });
                assert_eq!(had, Some(same), "{id}, set aside");
            }
        }
    }
}

fn nonzero(credits: &Credits) -> BTreeMap<(u8, Product), i64> {
    let place = |side: Side| u8::from(side == Side::Sell);
    let credits = credits.iter().filter(|(_, left)| !left.is_zero());
    credits.map(|((side, product), left)| ((place(*side), *product), left.billionths())).collect()
}
