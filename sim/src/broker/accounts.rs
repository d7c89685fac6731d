//! Tokens and addresses of the accounts: who may call, and from where. Pure.

use std::net::IpAddr;
use std::time::Duration;

use tandem_domain::ids::DhanClientId;
use tandem_domain::time::Timestamp;

use super::tokens;
use crate::settings::SimSettings;

/// One account as the broker's door knows it.
#[derive(Debug, Clone)]
pub(crate) struct AccountEntry {
    pub(crate) client_id: DhanClientId,
    pub(crate) name: String,
    pub(crate) token: String,
    /// When the token dies; never when none.
    pub(crate) expires: Option<Timestamp>,
    pub(crate) addresses: Addresses,
    renewals: u32,
    /// The last part of each token.
    signature: String,
    proof: Option<Proof>,
    /// Whether the death of the token has been noticed.
    buried: bool,
}

/// What a token is minted with.
#[derive(Debug, Clone)]
struct Proof {
    pin: String,
    totp_secret: String,
    /// The step of the last code taken: each is taken once.
    last_step: u64,
}

/// The whitelisted addresses; order writes come from anywhere when there are none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Addresses {
    pub(crate) primary: Option<IpAddr>,
    pub(crate) secondary: Option<IpAddr>,
}

impl Addresses {
    /// Whether an order may come from there.
    pub(crate) fn allow(&self, from: Option<IpAddr>) -> bool {
        let listed = [self.primary, self.secondary];
        listed.iter().all(Option::is_none) || from.is_some_and(|from| listed.contains(&Some(from)))
    }
}

/// All accounts.
#[derive(Debug)]
pub(crate) struct Accounts {
    entries: Vec<AccountEntry>,
    token_life: Option<Duration>,
}

impl Accounts {
    pub(crate) fn new(settings: &SimSettings) -> Self {
        let token_life = settings.token_life();
        let entries = settings
            .accounts
            .iter()
            .map(|account| AccountEntry {
                client_id: account.client_id.clone(),
                name: account.name.clone(),
                token: settings.first_token(account),
                signature: account.token(),
                proof: account.pin.clone().zip(account.totp_secret.clone()).map(|(pin, totp_secret)| Proof {
                    pin,
                    totp_secret,
                    last_step: 0,
                }),
                expires: token_life.map(|life| settings.start.plus(life)),
                addresses: Addresses { primary: account.whitelisted_ip, secondary: None },
                renewals: 0,
                buried: false,
            })
            .collect();
        Self { entries, token_life }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &AccountEntry> {
        self.entries.iter()
    }

    pub(crate) fn get(&self, client_id: &str) -> Option<&AccountEntry> {
        self.entries.iter().find(|entry| entry.client_id.as_str() == client_id)
    }

    pub(crate) fn get_mut(&mut self, client_id: &DhanClientId) -> Option<&mut AccountEntry> {
        self.entries.iter_mut().find(|entry| entry.client_id == *client_id)
    }

    /// The account a token stands for at this moment; none when it is unknown or dead.
    pub(crate) fn by_token(&self, token: &str, now: Timestamp) -> Option<&AccountEntry> {
        let entry = self.entries.iter().find(|entry| entry.token == token)?;
        entry.expires.is_none_or(|expires| now < expires).then_some(entry)
    }

    /// Accounts whose token has died of age since the last call.
    pub(crate) fn newly_dead(&mut self, now: Timestamp) -> Vec<DhanClientId> {
        let mut dead = Vec::new();
        for entry in &mut self.entries {
            if !entry.buried && entry.expires.is_some_and(|expires| expires <= now) {
                entry.buried = true;
                dead.push(entry.client_id.clone());
            }
        }
        dead
    }

    /// Whether PIN and code are the account's and the code was not used before; else what is said to them.
    pub(crate) fn proves(
        &mut self,
        client_id: &DhanClientId,
        pin: &str,
        code: &str,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let proof =
            self.get_mut(client_id).and_then(|entry| entry.proof.as_mut()).ok_or("TOTP is not enabled")?;
        if proof.pin != pin {
            return Err("Invalid Pin");
        }
        let step = tokens::totp_step(&proof.totp_secret, code, now).ok_or("Invalid TOTP")?;
        if step <= proof.last_step {
            return Err("Invalid TOTP");
        }
        proof.last_step = step;
        Ok(())
    }

    /// Gives the account a new token; the old one is dead from now on (`dhanhq-v2.md` section 1.4 e).
    pub(crate) fn renew(&mut self, client_id: &DhanClientId, now: Timestamp) -> Option<String> {
        let expires = self.token_life.map(|life| now.plus(life));
        let entry = self.get_mut(client_id)?;
        entry.renewals += 1;
        let signature = format!("{}-{}", entry.signature, entry.renewals);
        entry.token = tokens::jwt(&entry.client_id, "SELF", now, expires, &signature);
        entry.expires = expires;
        entry.buried = false;
        Some(entry.token.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_lives_its_hours_and_dies_of_its_successor() {
        let settings = SimSettings::default();
        let mut accounts = Accounts::new(&settings);
        let leader = settings.accounts[0].client_id.clone();
        let owner = |accounts: &Accounts, token: &str, hours: u64| {
            accounts.by_token(token, settings.start.plus(Duration::from_hours(hours))).is_some()
        };
        assert!(owner(&accounts, "sim-token-1000000101", 23));
        assert!(!owner(&accounts, "sim-token-1000000101", 24));
        assert!(accounts.newly_dead(settings.start.plus(Duration::from_hours(23))).is_empty());
        let renewed = accounts.renew(&leader, settings.start.plus(Duration::from_hours(23))).unwrap();
        assert!(owner(&accounts, &renewed, 40));
        assert_eq!(
            accounts.newly_dead(settings.start.plus(Duration::from_hours(40))).len(),
            2,
            "not the renewed one"
        );
        assert!(accounts.newly_dead(settings.start.plus(Duration::from_hours(40))).is_empty(), "told once");
        assert!(!owner(&accounts, "sim-token-1000000101", 1));
    }

    #[test]
    fn a_token_is_minted_by_pin_and_a_code_used_once() {
        let mut settings = SimSettings { jwt_tokens: true, ..SimSettings::default() };
        settings.accounts[1].pin = Some("123456".to_owned());
        settings.accounts[1].totp_secret = Some("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_owned());
        let mut accounts = Accounts::new(&settings);
        let [leader, asha] = [0, 1].map(|at: usize| settings.accounts[at].client_id.clone());
        let at = Timestamp::from_micros(59_000_000);
        assert_eq!(accounts.proves(&leader, "123456", "287082", at), Err("TOTP is not enabled"));
        assert_eq!(accounts.proves(&asha, "654321", "287082", at), Err("Invalid Pin"));
        assert_eq!(accounts.proves(&asha, "123456", "287083", at), Err("Invalid TOTP"));
        assert_eq!(accounts.proves(&asha, "123456", "287082", at), Ok(()));
        assert_eq!(accounts.proves(&asha, "123456", "287082", at), Err("Invalid TOTP"));
    }

    #[test]
    fn orders_come_from_listed_addresses_only() {
        let home: IpAddr = "127.0.0.1".parse().unwrap();
        let away: IpAddr = "127.0.0.2".parse().unwrap();
        assert!(Addresses::default().allow(Some(away)));
        let listed = Addresses { primary: Some(home), secondary: None };
        assert!(listed.allow(Some(home)));
        assert!(!listed.allow(Some(away)));
        assert!(!listed.allow(None));
    }
}
