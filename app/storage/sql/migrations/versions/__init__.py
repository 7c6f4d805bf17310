"""The steps, each after the one that it names. What was released is never changed again.

A step may be cut off by a kill, and MySQL keeps what of it was done: so each makes only what is not there yet.
"""
