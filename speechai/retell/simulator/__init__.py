"""Retell's API as its users know it, on this machine: nobody is rung and nothing is charged.

`world` holds the `calls` and runs their lives on a heap of timed events; `outcomes` says what they can come
to; `conversation` and `costs` fill in what was said and charged; `faults` and `delivery` do what goes wrong
on the way; `api` is the HTTP in front, and `door` what it listens at. `/_simulator/ledger` is the judge: what
really rang, whatever the API said.
"""
