"""Random histories of everything at once, on the real mongod: I1 to I9 after every one of them."""

from __future__ import annotations

import logging
import os
from datetime import timedelta

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from speechai.operation.recovery import PARTS
from speechai.retell.errors import UnknownResult
from tests.integration.operation.exchange import HISTORY_ENDS, refusals
from tests.integration.operation.world import DEBT, World

EXAMPLES = int(os.environ.get("STATEFUL_EXAMPLES", "60"))
STEPS = int(os.environ.get("STATEFUL_STEPS", "30"))
# Shrinking one history takes minutes: asked for by hand.
PHASES = [Phase.generate, *([Phase.shrink] if "STATEFUL_SHRINK" in os.environ else [])]

WORKER = st.integers(0, 1)
ANY = st.integers(0, 5)
STARTS = st.sampled_from(["now", "now", "next_wave", "draft"])


class Histories(RuleBasedStateMachine):
    """Its rules are what may happen; `address` is where."""

    address: tuple[str, str]

    def __init__(self) -> None:
        super().__init__()
        self.world = World(*self.address)
        self._open = self.world.open()
        self._open.__enter__()
        logging.getLogger().addHandler(self.world.judge.overheard)

    @initialize(who=st.integers(1, 7), start=STARTS, knows_keys=st.booleans())
    def begin(self, who, start, knows_keys):
        self.world.provider.knows_keys = knows_keys
        self.world.top_up(0, 1000)
        self.world.upload(0, who, start=start)

    # -- operators ------------------------------------------------------------------------------

    @rule(
        by=WORKER,
        who=st.integers(1, 7),
        start=STARTS,
        again=st.booleans(),
        duplicates=st.sampled_from(["merge", "allow", "skip"]),
    )
    def upload(self, by, who, **options):
        self.world.upload(by, who, **options)

    @rule(by=WORKER, which=ANY, order=st.sampled_from(["now", "next_wave", "pause", "resume", "cancel"]))
    def order_batch(self, by, which, order):
        self.world.order_batch(by, which, order)

    @rule(by=WORKER, which=ANY, order=st.sampled_from(["retry", "cancel", "call_back"]))
    def order_job(self, by, which, order):
        self.world.order_job(by, which, order)

    @rule(by=WORKER, which=ANY)
    def list_somebody(self, by, which):
        self.world.list_somebody(by, which)

    @rule(by=WORKER, which=ANY)
    def undo_listing(self, by, which):
        self.world.undo_listing(by, which)

    @rule(by=WORKER, which=ANY, amount=st.sampled_from([1000, DEBT]), is_complete=st.booleans())
    def pay(self, by, which, amount, is_complete):
        self.world.pay(by, which, amount, is_complete)

    @rule(by=WORKER, what=st.sampled_from(["stop", "go on", "suspend", "activate"]))
    def switch(self, by, what):
        self.world.switch(by, what)

    @rule(by=WORKER, cents=st.sampled_from([100, 500]))
    def top_up(self, by, cents):
        self.world.top_up(by, cents)

    @rule(by=WORKER, slots=st.sampled_from([1, 2, None]))
    def limit(self, by, slots):
        self.world.limit(by, slots)

    # -- calls and messages ---------------------------------------------------------------------

    @rule(by=WORKER, which=ANY, twice=st.booleans())
    def deliver(self, by, which, twice):
        self.world.deliver(by, which, twice=twice)

    @rule(by=WORKER, most=st.integers(1, 6))
    def work(self, by, most):
        self.world.work(by, most)

    @rule(by=WORKER, stage=st.integers(1, 4), is_told=st.booleans())
    def hang_up(self, by, stage, is_told):
        self.world.hang_up(by, stage, is_told=is_told)

    @rule(by=WORKER, end=st.sampled_from(sorted(HISTORY_ENDS)), is_told=st.booleans())
    def a_call(self, by, end, is_told):
        """From the tick to the end of whatever rings, however it ends."""
        self.world.provider.default = end
        self.world.work(by, 4)
        self.world.hang_up(by, 2, is_told=is_told)
        self.world.work(by, 4)

    @rule(which=ANY)
    def lose(self, which):
        self.world.lose(which)

    @rule(end=st.sampled_from(sorted(HISTORY_ENDS)))
    def calls_end_as(self, end):
        self.world.provider.default = end

    @rule(which=st.integers(0, 2), stages=st.integers(1, 4))
    def call_goes_on(self, which, stages):
        self.world.call_goes_on(which, stages)

    @rule(by=WORKER, which=st.integers(0, 2), stage=st.integers(0, 4))
    def webhook(self, by, which, stage):
        self.world.webhook(by, which, stage)

    @rule(how=st.sampled_from(sorted(refusals())))
    def refuse_next(self, how):
        self.world.refuse_next(how)

    @rule()
    def lose_next_reply(self):
        self.world.provider.lose_replies.append(UnknownResult("read timed out"))

    @rule(by=WORKER, then=st.none() | st.sampled_from(sorted(refusals())))
    def an_answer_is_lost(self, by, then):
        self.world.an_answer_is_lost(by, then)

    @rule(looks=st.integers(1, 5))
    def looks_fail(self, looks):
        self.world.provider.failing_looks += looks

    # -- time, deaths, others -------------------------------------------------------------------

    @rule(minutes=st.sampled_from([1, 5, 30, 61]))
    def later(self, minutes):
        self.world.clock.advance(timedelta(minutes=minutes))

    @rule(hour=st.sampled_from([9, 12, 15, 17, 23]))
    def until(self, hour):
        self.world.until(hour)

    @rule()
    def end_leases(self):
        self.world.end_leases()

    @rule(by=WORKER)
    def tick(self, by):
        self.world.tick(by)

    @rule(by=WORKER)
    def sweep(self, by):
        self.world.sweep(by)

    @rule(by=WORKER, part=st.sampled_from(sorted(PARTS)))
    def sweep_part(self, by, part):
        self.world.sweep(by, part)

    @rule(after=st.integers(0, 24))
    def die(self, after):
        self.world.points.kill(after)

    @rule(
        after=st.integers(0, 24),
        which=ANY,
        what=st.sampled_from(["deliver", "sweep", "webhook", "pause", "cancel", "retry", "stop", "list"]),
    )
    def meet(self, after, which, what):
        world = self.world
        acts = {
            "deliver": lambda: world.deliver(1, which),
            "sweep": lambda: world.sweep(1),
            "webhook": lambda: world.webhook(1, which, 4),
            "pause": lambda: world.order_batch(1, which, "pause"),
            "cancel": lambda: world.order_batch(1, which, "cancel"),
            "retry": lambda: world.order_job(1, which, "retry"),
            "stop": lambda: world.switch(1, "stop"),
            "list": lambda: world.list_somebody(1, which),
        }
        world.points.meet(after, acts[what])

    @invariant()
    def everything_holds(self):
        self.world.judge.check()

    def teardown(self):
        try:
            self.world.come_to_rest()
            self.world.judge.check()
        finally:
            logging.getLogger().removeHandler(self.world.judge.overheard)
            self._open.__exit__(None, None, None)
            self.world.close()


def test_nothing_breaks_a_promise(mongo_uri, database):
    class Here(Histories):
        address = (mongo_uri, database)

    logging.getLogger("speechai").setLevel(logging.DEBUG)
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=PHASES,
            derandomize="STATEFUL_EXAMPLES" not in os.environ,
            suppress_health_check=list(HealthCheck),
        ),
    )
