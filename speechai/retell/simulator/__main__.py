"""`python -m speechai.retell.simulator`."""

from speechai.retell.simulator.command import simulator

simulator()
