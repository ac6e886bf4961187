"""What a call costs, by the reference's arithmetic: cents per second, and a flat price for the analysis."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

# product → cents per second; about 17 cents a minute together (reference/retell-api.md, section 6)
PER_SECOND = {
    "retell_voice_engine": Decimal("0.0916667"),
    "elevenlabs_tts": Decimal("0.0666667"),
    "gpt_4_1": Decimal("0.075"),
    "us_twilio_telephony": Decimal("0.025"),
}
ANALYSIS = Decimal("1.5")
_ROUND = Decimal("0.0001")


def grown(cost: dict[str, Any]) -> dict[str, Any]:
    """The same call's cost after one more product was charged: half as much again."""
    more = float((Decimal(str(cost["combined_cost"])) / 2).quantize(_ROUND))
    products = [*cost["product_costs"], {"product": "late_charge", "cost": more}]
    return {**cost, "product_costs": products, "combined_cost": cost["combined_cost"] + more}


def cost_of(talk_s: float, *, analysed: bool) -> dict[str, Any]:
    """The `call_cost` of a call that was answered for `talk_s` seconds; one never answered costs nothing."""
    if talk_s <= 0:
        return {"product_costs": [], "combined_cost": 0}  # without the total_* keys, as the real one
    seconds = math.ceil(talk_s)
    products: list[dict[str, Any]] = []
    combined = Decimal(0)
    for product, price in PER_SECOND.items():
        cost = (price * seconds).quantize(_ROUND)
        combined += cost
        products.append({"product": product, "unit_price": float(price), "cost": float(cost)})
    if analysed:
        combined += ANALYSIS
        products.append({"product": "post_call_analysis", "cost": float(ANALYSIS)})
    return {
        "product_costs": products,
        "total_duration_seconds": seconds,
        "total_duration_unit_price": float(sum(PER_SECOND.values(), Decimal(0))),
        "combined_cost": float(combined),
    }
