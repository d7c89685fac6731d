"""The simulator must satisfy a client nobody here wrote: the official SDK, through an order's whole life."""

import json
import threading
import time
import urllib.request

import pytest
from dhanhq import OrderUpdate

PATIENCE_S = 120


def succeeded(answer):
    assert answer["status"] == "success", answer
    return answer["data"]


def place(dhan, option, tag, price_factor, **changes):
    """Places one lot; a factor above 1 fills at once, one below rests."""
    order = {
        "security_id": option["security_id"],
        "exchange_segment": dhan.NSE_FNO,
        "transaction_type": dhan.BUY,
        "quantity": option["lot"],
        "order_type": dhan.LIMIT,
        "product_type": dhan.MARGIN,
        "price": round(option["last_price"] * price_factor),
        "tag": tag,
    }
    return dhan.place_order(**{**order, **changes})


@pytest.fixture
def resting(dhan, option):
    order_id = succeeded(place(dhan, option, "sdk-resting", 0.8))["orderId"]
    yield order_id
    dhan.cancel_order(order_id)


def test_an_order_is_placed_and_listed(dhan, option, resting):
    row = next(row for row in succeeded(dhan.get_order_list()) if row["orderId"] == resting)
    assert row["orderStatus"] == "PENDING"
    assert row["securityId"] == option["security_id"]
    assert row["quantity"] == row["remainingQuantity"] == option["lot"]
    assert row["correlationId"] == "sdk-resting"


def test_the_first_answer_is_transit(dhan, option):
    answer = succeeded(place(dhan, option, "sdk-transit", 0.8))
    assert answer["orderStatus"] == "TRANSIT"
    succeeded(dhan.cancel_order(answer["orderId"]))


def test_an_order_is_found_by_id(dhan, resting):
    rows = succeeded(dhan.get_order_by_id(resting))
    assert [row["orderId"] for row in rows] == [resting]
    assert succeeded(dhan.get_order_by_id("999999999999999")) == []


def test_an_order_is_found_by_correlation_id(dhan, option):
    order_id = succeeded(place(dhan, option, "sdk-by-tag", 0.8))["orderId"]
    assert succeeded(dhan.get_order_by_correlationID("sdk-by-tag"))["orderId"] == order_id
    succeeded(dhan.cancel_order(order_id))
    unknown = dhan.get_order_by_correlationID("sdk-no-such-tag")
    assert unknown["status"] == "failure"
    assert unknown["remarks"]["error_code"] == "DH-906"


def test_an_order_is_modified(dhan, option, resting):
    price = round(option["last_price"] * 0.85)
    answer = dhan.modify_order(
        order_id=resting,
        order_type=dhan.LIMIT,
        leg_name="ENTRY_LEG",
        quantity=2 * option["lot"],
        price=price,
        trigger_price=0,
        disclosed_quantity=0,
        validity=dhan.DAY,
    )
    assert succeeded(answer)["orderId"] == resting
    row = succeeded(dhan.get_order_by_id(resting))[0]
    assert (row["quantity"], row["price"]) == (2 * option["lot"], price)


def test_an_order_is_cancelled_once(dhan, option):
    order_id = succeeded(place(dhan, option, "sdk-cancel", 0.8))["orderId"]
    assert succeeded(dhan.cancel_order(order_id))["orderId"] == order_id
    assert succeeded(dhan.get_order_by_id(order_id))[0]["orderStatus"] == "CANCELLED"
    again = dhan.cancel_order(order_id)
    assert again["status"] == "failure"
    assert again["remarks"]["error_code"] == "DH-906"


def test_a_fill_shows_in_trades_positions_and_funds(dhan, option):
    before = succeeded(dhan.get_fund_limits())
    order_id = succeeded(place(dhan, option, "sdk-fill", 1.1))["orderId"]

    trades = succeeded(dhan.get_trade_book(order_id))
    assert sum(trade["tradedQuantity"] for trade in trades) == option["lot"]
    assert order_id in [trade["orderId"] for trade in succeeded(dhan.get_trade_book())]
    position = next(
        row for row in succeeded(dhan.get_positions()) if row["securityId"] == option["security_id"]
    )
    assert (position["positionType"], position["netQty"]) == ("LONG", option["lot"])
    after = succeeded(dhan.get_fund_limits())
    assert after["availabelBalance"] < before["availabelBalance"]

    flat = place(dhan, option, "sdk-flat", 0.9, transaction_type=dhan.SELL)
    succeeded(flat)
    position = next(
        row for row in succeeded(dhan.get_positions()) if row["securityId"] == option["security_id"]
    )
    assert (position["positionType"], position["netQty"]) == ("CLOSED", 0)


def positions_of(dhan, option):
    rows = [row for row in succeeded(dhan.get_positions()) if row["securityId"] == option["security_id"]]
    return {row["productType"]: row for row in rows}


def test_a_position_is_converted(dhan, option):
    succeeded(place(dhan, option, "sdk-convert", 1.1))
    held = positions_of(dhan, option)["MARGIN"]["netQty"]
    # The documentation promises 202 and no body; the SDK takes an empty one for a failure. The positions tell.
    dhan.convert_position(dhan.MARGIN, dhan.NSE_FNO, "LONG", option["security_id"], option["lot"], dhan.INTRA)
    rows = positions_of(dhan, option)
    assert (rows["INTRADAY"]["netQty"], rows["MARGIN"]["netQty"]) == (option["lot"], held - option["lot"])
    assert rows["INTRADAY"]["positionType"] == "LONG"
    again = dhan.convert_position(
        dhan.MARGIN, dhan.NSE_FNO, "LONG", option["security_id"], 100 * option["lot"], dhan.INTRA
    )
    assert again["remarks"]["error_code"] == "DH-906"


def test_everything_is_exited_and_the_kill_switch_turned(dhan, option, resting):
    succeeded(place(dhan, option, "sdk-exit", 1.1))
    refused = dhan.kill_switch("activate")
    assert refused["remarks"]["error_code"] == "DH-906"
    assert succeeded(dhan.exit_all_positions())["status"] == "SUCCESS"
    assert all(row["netQty"] == 0 for row in positions_of(dhan, option).values())
    assert succeeded(dhan.get_order_by_id(resting))[0]["orderStatus"] == "CANCELLED"
    succeeded(dhan.kill_switch("activate"))
    assert succeeded(dhan.status_kill_switch())["killSwitchStatus"] == "ACTIVATE"
    assert place(dhan, option, "sdk-killed", 0.8)["remarks"]["error_code"] == "DH-906"
    succeeded(dhan.kill_switch("deactivate"))
    assert succeeded(dhan.status_kill_switch())["killSwitchStatus"] == "DEACTIVATE"


@pytest.fixture
def super_order(dhan, option):
    """A super order whose entry rests; its number and the entry's price."""
    price = round(option["last_price"] * 0.8)
    answer = dhan.place_super_order(
        security_id=option["security_id"],
        exchange_segment=dhan.NSE_FNO,
        transaction_type=dhan.BUY,
        quantity=option["lot"],
        order_type=dhan.LIMIT,
        product_type=dhan.MARGIN,
        price=price,
        targetPrice=price + 20,
        stopLossPrice=price - 20,
        trailingJump=5,
        tag="sdk-super",
    )
    order_id = succeeded(answer)["orderId"]
    yield order_id, price
    dhan.cancel_super_order(order_id, "ENTRY_LEG")


def listed_super(dhan, order_id):
    row = next(row for row in succeeded(dhan.get_super_order_list()) if row["orderId"] == order_id)
    return row, {leg["legName"]: leg for leg in row["legDetails"]}


def test_a_super_order_is_listed_with_its_legs(dhan, option, super_order):
    order_id, price = super_order
    row, legs = listed_super(dhan, order_id)
    assert (row["orderStatus"], row["legName"], row["correlationId"]) == ("PENDING", "ENTRY_LEG", "sdk-super")
    assert legs["TARGET_LEG"]["price"] == price + 20
    assert legs["STOP_LOSS_LEG"]["price"] == price - 20
    assert legs["STOP_LOSS_LEG"]["trailingJump"] == 5
    assert {leg["orderStatus"] for leg in legs.values()} == {"PENDING"}


def test_the_legs_of_a_super_order_are_modified(dhan, option, super_order):
    order_id, price = super_order
    entry = dhan.modify_super_order(
        order_id,
        dhan.LIMIT,
        "ENTRY_LEG",
        quantity=2 * option["lot"],
        price=price + 1,
        targetPrice=price + 30,
        stopLossPrice=price - 30,
        trailingJump=5,
    )
    assert succeeded(entry)["orderId"] == order_id
    succeeded(dhan.modify_super_order(order_id, dhan.LIMIT, "TARGET_LEG", targetPrice=price + 40))
    succeeded(dhan.modify_super_order(order_id, dhan.LIMIT, "STOP_LOSS_LEG", stopLossPrice=price - 10))
    row, legs = listed_super(dhan, order_id)
    assert (row["quantity"], row["price"]) == (2 * option["lot"], price + 1)
    assert legs["TARGET_LEG"]["price"] == price + 40
    assert (legs["STOP_LOSS_LEG"]["price"], legs["STOP_LOSS_LEG"]["trailingJump"]) == (price - 10, 0)


def test_a_leg_of_a_super_order_is_cancelled_for_good(dhan, super_order):
    order_id, price = super_order
    succeeded(dhan.cancel_super_order(order_id, "TARGET_LEG"))
    assert listed_super(dhan, order_id)[1]["TARGET_LEG"]["orderStatus"] == "CANCELLED"
    again = dhan.modify_super_order(order_id, dhan.LIMIT, "TARGET_LEG", targetPrice=price + 40)
    assert again["remarks"]["error_code"] == "DH-906"
    succeeded(dhan.cancel_super_order(order_id, "ENTRY_LEG"))
    assert listed_super(dhan, order_id)[0]["orderStatus"] == "CANCELLED"


def test_forever_orders_are_created_listed_modified_and_cancelled(dhan):
    share = {"security_id": "2885", "exchange_segment": dhan.NSE, "transaction_type": dhan.BUY}
    kind = {"product_type": dhan.CNC, "order_type": dhan.LIMIT, "quantity": 2, "price": 1401, "trigger_Price": 1400}
    single = succeeded(dhan.place_forever(**share, **kind, tag="sdk-gtt"))["orderId"]
    both = succeeded(
        dhan.place_forever(**share, **kind, order_flag="OCO", price1=1501, trigger_Price1=1500, quantity1=1)
    )["orderId"]

    rows = [row for row in succeeded(dhan.get_forever()) if row["orderId"] in (single, both)]
    assert [(row["orderId"], row["orderType"], row["legName"], row["quantity"]) for row in rows] == [
        (single, "SINGLE", "TARGET_LEG", 2),
        (both, "OCO", "TARGET_LEG", 2),
        (both, "OCO", "STOP_LOSS_LEG", 1),
    ]
    assert {row["orderStatus"] for row in rows} == {"CONFIRM"}

    changed = dhan.modify_forever(both, "OCO", dhan.LIMIT, "STOP_LOSS_LEG", 2, 1511, 1510, 0, dhan.DAY)
    assert succeeded(changed)["orderId"] == both
    row = [row for row in succeeded(dhan.get_forever()) if row["orderId"] == both][1]
    assert (row["quantity"], row["price"], row["triggerPrice"]) == (2, 1511, 1510)
    for order_id in (single, both):
        assert succeeded(dhan.cancel_forever(order_id))["orderStatus"] == "CANCELLED"


def test_forever_orders_are_for_shares(dhan, option):
    answer = dhan.place_forever(
        security_id=option["security_id"],
        exchange_segment=dhan.NSE_FNO,
        transaction_type=dhan.BUY,
        product_type=dhan.MARGIN,
        order_type=dhan.LIMIT,
        quantity=option["lot"],
        price=10,
        trigger_Price=9,
    )
    assert answer["status"] == "failure"
    assert answer["remarks"]["error_code"] == "DH-906"


def test_margin_is_estimated(dhan, option):
    answer = dhan.margin_calculator(
        security_id=option["security_id"],
        exchange_segment=dhan.NSE_FNO,
        transaction_type=dhan.BUY,
        quantity=option["lot"],
        product_type=dhan.MARGIN,
        price=option["last_price"],
    )
    assert succeeded(answer)["totalMargin"] == pytest.approx(option["lot"] * option["last_price"])
    leg = {
        "exchangeSegment": dhan.NSE_FNO,
        "transactionType": dhan.SELL,
        "quantity": option["lot"],
        "productType": dhan.MARGIN,
        "securityId": option["security_id"],
        "price": option["last_price"],
        "triggerPrice": 0,
    }
    several = succeeded(dhan.margin_calculator_multi([leg], include_position=True))
    assert float(several["total_margin"]) > 0


def test_empty_holdings_are_an_error_as_at_the_broker(dhan):
    answer = dhan.get_holdings()
    assert answer["status"] == "failure"
    assert answer["remarks"]["error_code"] == "DH-1111"


def test_a_refusal_carries_code_type_and_message(dhan, option):
    answer = place(dhan, option, "a-tag-of-more-than-25-chars", 0.8)
    assert answer["status"] == "failure"
    assert answer["remarks"] == {
        "error_code": "DH-905",
        "error_type": "Input_Exception",
        "error_message": "Missing required fields, bad values for parameters etc.",
    }


def test_order_updates_reach_the_callback(simulator, context, dhan, option):
    updates, traded = [], threading.Event()

    def on_update(update):
        updates.append(update["Data"])
        if update["Data"].get("status") == "Traded":
            traded.set()

    client = OrderUpdate(context)
    client.order_feed_wss = simulator["stream_url"]
    client.on_update = on_update
    threading.Thread(target=client.connect_to_dhan_websocket_sync, daemon=True).start()
    wait_for_stream(simulator, context.get_client_id())

    order_id = succeeded(place(dhan, option, "sdk-update", 1.1))["orderId"]
    assert traded.wait(PATIENCE_S), updates
    assert {update["orderNo"] for update in updates} == {order_id}
    assert [update["status"] for update in updates] == ["Transit", "Pending", "Traded"]
    assert updates[-1]["tradedQty"] == option["lot"]
    assert updates[-1]["correlationId"] == "sdk-update"


def wait_for_stream(simulator, client_id):
    """A good login is silent; the simulator knows when it has happened."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with urllib.request.urlopen(simulator["control_url"] + "/sim") as answer:
            if json.load(answer)["open_streams"][client_id] > 0:
                return
    pytest.fail("the SDK never logged in")
