//! The capital of the day: what ratios are taken of, and what there is to trade with.

use std::collections::BTreeMap;

use anyhow::bail;
use tandem_domain::account::Funds;
use tandem_domain::ids::{DhanClientId, FollowerId};
use tandem_domain::price::Money;
use tandem_domain::sizing::{CapitalBasis, DayCapital, Strategy};
use thiserror::Error;

use super::day::LeaderDay;
use crate::settings::Settings;

/// Capital that a person tells: with the command, or at the head of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// The leader's.
    pub leader: Option<Money>,
    /// Followers', by their ids.
    pub followers: BTreeMap<String, Money>,
}

/// A text that tells no capital.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GivenError {
    /// It is no amount above zero.
    #[error("{0:?} is no amount of rupees above zero, such as 500000 or 500000.50")]
    Amount(String),
    /// It names nobody.
    #[error("{0:?} does not say whose: write FOLLOWER=RUPEES, such as asha=500000")]
    Nobody(String),
}

impl Given {
    /// An amount of rupees above zero.
    pub fn amount(text: &str) -> Result<Money, GivenError> {
        let amount = text.trim().parse::<Money>().ok().filter(|amount| *amount > Money::ZERO);
        amount.ok_or_else(|| GivenError::Amount(text.trim().to_owned()))
    }

    /// Whose, and how much.
    pub fn of_follower(text: &str) -> Result<(String, Money), GivenError> {
        let (follower, amount) = text.split_once('=').ok_or_else(|| GivenError::Nobody(text.to_owned()))?;
        Ok((follower.trim().to_owned(), Self::amount(amount)?))
    }
}

/// What every account has.
#[derive(Debug)]
pub(super) struct Means {
    pub(super) leader: Option<Money>,
    /// Capital, and money free to trade with at the start.
    followers: BTreeMap<FollowerId, (Money, Money)>,
}

impl Means {
    /// What is told with the command counts first, then what the settings fix, then what the recording has.
    pub(super) fn find(given: &Given, day: &LeaderDay, settings: &Settings) -> anyhow::Result<Self> {
        refuse_what_counts_for_nothing(given, day, settings)?;
        let recorded = |account: &DhanClientId, basis: CapitalBasis, fixed: Option<Money>| {
            let funds = day.funds.iter().find(|row| row.account == *account).map(|row| &row.funds);
            let figure = |funds: &Funds| match basis {
                CapitalBasis::Total => Some(funds.total()),
                CapitalBasis::Available => Some(funds.available),
                CapitalBasis::Fixed => fixed,
            };
            let stored = || day.day_capital.get(account).copied();
            (funds.and_then(figure).or_else(stored), funds.map(|funds| funds.available))
        };
        let mut missing = Vec::new();
        let mut followers = BTreeMap::new();
        for follower in settings.enabled_followers() {
            let policy = follower.sizing.policy();
            let fixed = policy.fixed_capital.filter(|_| policy.capital == CapitalBasis::Fixed);
            let (stored, free) = recorded(&follower.client_id, policy.capital, fixed);
            let id = follower.id.as_str();
            let told = given.followers.get(id).or_else(|| day.told.followers.get(id)).copied();
            match fixed.or(told).or(stored) {
                Some(capital) => {
                    let free = free.filter(|_| told.is_none()).unwrap_or_else(|| told.unwrap_or(capital));
                    followers.insert(follower.id.clone(), (capital, free));
                }
                None => missing.push(format!("--capital {id}=RUPEES")),
            }
        }
        let leader = &settings.leader;
        let (stored, _) = recorded(&leader.client_id, leader.capital, leader.fixed_capital());
        let fixed = leader.fixed_capital().filter(|_| leader.capital == CapitalBasis::Fixed);
        let leader = fixed.or(given.leader).or(day.told.leader).or(stored);
        let is_needed = |strategy| strategy == Strategy::CapitalProportional;
        if leader.is_none() && settings.enabled_followers().any(|of| is_needed(of.sizing.policy().strategy)) {
            missing.insert(0, "--leader-capital RUPEES".to_owned());
        }
        if !missing.is_empty() {
            bail!("{} does not tell every capital; give {}", day.source, missing.join(" "));
        }
        Ok(Self { leader, followers })
    }

    /// What a follower's ratio is taken of, and what he has free.
    pub(super) fn of(&self, follower: &FollowerId) -> (DayCapital, Money) {
        let known = self.followers.get(follower);
        let capital = DayCapital { leader: self.leader, follower: known.map(|known| known.0) };
        (capital, known.map_or(Money::ZERO, |known| known.1))
    }
}

fn refuse_what_counts_for_nothing(given: &Given, day: &LeaderDay, settings: &Settings) -> anyhow::Result<()> {
    for id in given.followers.keys().chain(day.told.followers.keys()) {
        if !settings.enabled_followers().any(|follower| follower.id.as_str() == id) {
            let known: Vec<&str> =
                settings.enabled_followers().map(|follower| follower.id.as_str()).collect();
            bail!(
                "capital is given for {id:?}, and no such follower is enabled; there are: {}",
                known.join(", ")
            );
        }
    }
    let is_fixed = |id: &str| {
        let mut of = settings.enabled_followers().filter(|follower| follower.id.as_str() == id);
        of.any(|follower| follower.sizing.policy().capital == CapitalBasis::Fixed)
    };
    if let Some(id) = given.followers.keys().find(|id| is_fixed(id)) {
        bail!(
            "--capital {id}: the settings fix it (sizing.capital = \"fixed\"); change sizing.capital_rupees instead"
        );
    }
    if given.leader.is_some() && settings.leader.capital == CapitalBasis::Fixed {
        bail!(
            "--leader-capital: the settings fix it (leader.capital = \"fixed\"); change leader.capital_rupees instead"
        );
    }
    Ok(())
}
