//! Positions as a whole: brought in from before, moved to another product, closed by the broker or all at once.

use tandem_domain::ids::DhanClientId;
use tandem_domain::instrument::InstrumentKind;
use tandem_domain::order::{BrokerStatus, OrderForm, OrderTerms, OrderType, Product, Side, TimeInForce};
use tandem_domain::price::{Money, Price};
use tandem_domain::quantity::Quantity;

use super::Exchange;
use super::account::{Account, SimPosition};
use super::checks::{OFFLINE, product_fits};
use super::clock::is_intraday_only;
use super::request::{ApiError, Conversion, PlaceRequest, Source};
use super::settings::CarriedPosition;

impl Exchange {
    /// Gives an account a position brought in from earlier days. False when account or instrument is not known, when the
    /// instrument cannot be held in that product, or when the account has a position of today there already.
    pub fn carry(&mut self, account: &DhanClientId, held: &CarriedPosition) -> bool {
        let today = self.now.ist().date();
        let fits = self.universe.get(held.instrument).is_some_and(|contract| {
            let lots = u64::from(contract.lot_size.get());
            product_fits(held.product, contract, false)
                && contract.kind != InstrumentKind::Index
                && contract.expiry.is_none_or(|expiry| expiry >= today)
                && held.units.unsigned_abs().is_multiple_of(lots)
        });
        let Ok(owner) = self.account_of(account) else { return false };
        let positions = &mut self.accounts[owner].positions;
        let key = (held.instrument, held.product);
        // Deliveries of earlier days are holdings.
        let free = fits && held.units != 0 && held.product != Product::Cnc && !positions.contains_key(&key);
        if free {
            positions.insert(key, SimPosition::brought_in(held));
        }
        free
    }

    /// Moves a position, or part of it, to another product at its cost (`POST /positions/convert`, `dhanhq-v2.md` section
    /// 4.6). Counts as an order write. Rules and texts are ours: only the request is documented.
    pub fn convert_position(
        &mut self,
        account: &DhanClientId,
        source: Source,
        conversion: &Conversion,
    ) -> Result<(), ApiError> {
        let owner = self.account_of(account)?;
        self.admit_write(owner, source)?;
        self.refuse_conversion(owner, conversion)?;
        let Conversion { instrument, from, to, quantity, .. } = *conversion;
        let before = self.accounts[owner].positions.clone();
        let held = self.utilised(&self.accounts[owner]);
        let account = &mut self.accounts[owner];
        let mut left = *account.position(instrument, from);
        left.hand_over(quantity.get().into(), account.position(instrument, to));
        *account.position(instrument, from) = left;
        let account = &self.accounts[owner];
        let needed = self.utilised(account);
        let missing = needed.minus(account.money());
        if needed > held && missing > Money::ZERO {
            self.accounts[owner].positions = before;
            let text = format!("You have insufficient funds. Please add Rs.{missing} to trade.");
            return Err(ApiError::order(text));
        }
        Ok(())
    }

    fn refuse_conversion(&self, owner: usize, conversion: &Conversion) -> Result<(), ApiError> {
        let Conversion { instrument, from, to, side, quantity } = *conversion;
        if !self.is_open() {
            return Err(ApiError::order(OFFLINE));
        }
        let contract = self.universe.get(instrument).ok_or_else(|| ApiError::input("Invalid SecurityId"))?;
        let net = self.accounts[owner].net(instrument, from);
        let on_side = if side == Side::Buy { net } else { -net };
        let whole_lots = quantity.get().is_multiple_of(contract.lot_size.get());
        let possible = from != to
            && product_fits(to, contract, false)
            && whole_lots
            && !quantity.is_zero()
            && i64::from(quantity.get()) <= on_side;
        if !possible || (is_intraday_only(to) && self.is_past_square_off()) {
            return Err(ApiError::order(ApiError::INCORRECT_REQUEST));
        }
        Ok(())
    }

    /// Cancels all orders and closes all positions at the market (`DELETE /positions`, `dhanhq-v2.md` section 3.6).
    pub fn exit_all(&mut self, account: &DhanClientId, source: Source) -> Result<(), ApiError> {
        let owner = self.account_of(account)?;
        self.admit_write(owner, source)?;
        if !self.is_open() {
            return Err(ApiError::order(OFFLINE));
        }
        self.close_out(owner, |_| true);
        Ok(())
    }

    /// The broker cancels the INTRADAY orders of one account, or of all, and closes their INTRADAY positions now, whatever
    /// the time. False when the account is not known.
    pub fn square_off_now(&mut self, account: Option<&DhanClientId>) -> bool {
        match account.map(|client_id| self.account_of(client_id)) {
            None => self.square_off(),
            Some(Ok(owner)) => self.close_out(owner, is_intraday_only),
            Some(Err(_)) => return false,
        }
        true
    }

    /// The broker's own closing of INTRADAY positions.
    pub(super) fn square_off(&mut self) {
        for account in 0..self.accounts.len() {
            self.close_out(account, is_intraday_only);
        }
    }

    /// Cancels an account's orders in some products, then closes its positions in them at the market.
    fn close_out(&mut self, owner: usize, concerns: impl Fn(Product) -> bool) {
        let open: Vec<usize> = self.accounts[owner].open.iter().copied().collect();
        for index in open {
            let order = &self.orders[index];
            if concerns(order.terms.product) && !order.is_terminal() {
                self.take_out(index, BrokerStatus::Cancelled, "Order cancelled by the broker");
            }
        }
        let held = |account: &Account| -> Vec<SimPosition> {
            account
                .positions
                .values()
                .filter(|row| concerns(row.product) && row.net() != 0)
                .copied()
                .collect()
        };
        for row in held(&self.accounts[owner]) {
            let terms = closing(&row);
            for quantity in self.slices(row.instrument, terms.quantity) {
                let slice = OrderTerms { quantity, ..terms.clone() };
                self.submit(owner, Source::Broker, &PlaceRequest::new(slice));
            }
        }
    }

    /// Turns the owner's kill switch at the broker (`POST /killswitch`, section 3.4): on only with nothing held and nothing
    /// working, and then until the end of the day. The refusal's text is ours.
    pub fn set_kill_switch(&mut self, account: &DhanClientId, on: bool) -> Result<(), ApiError> {
        let owner = self.account_of(account)?;
        let account = &mut self.accounts[owner];
        let idle = account.open.is_empty() && account.positions.values().all(|row| row.net() == 0);
        if on && !idle {
            return Err(ApiError::order("Close all positions and pending orders to activate Kill Switch"));
        }
        account.kill_switch = on;
        Ok(())
    }

    /// Whether the owner's kill switch is on. False for an unknown account.
    pub fn kill_switch(&self, account: &DhanClientId) -> bool {
        self.find(account).is_some_and(|account| account.kill_switch)
    }
}

/// A market order that closes a position whole.
fn closing(row: &SimPosition) -> OrderTerms {
    let net = row.net();
    OrderTerms {
        instrument: row.instrument,
        side: if net > 0 { Side::Sell } else { Side::Buy },
        product: row.product,
        order_type: OrderType::Market,
        time_in_force: TimeInForce::Day,
        quantity: Quantity::new(u32::try_from(net.unsigned_abs()).unwrap_or(u32::MAX)),
        disclosed: Quantity::ZERO,
        price: Price::ZERO,
        trigger: Price::ZERO,
        after_market: false,
        form: OrderForm::Ordinary,
    }
}
