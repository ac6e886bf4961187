"""What is being done and was done: `campaigns` on `calling` on `records` on `services`, arrows down only.

`recovery` stands above the three: its sweep finishes what any of them left half done.
"""
