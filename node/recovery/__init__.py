"""Brings a community back on a new machine: with its recovery words, from what peers keep (PROTOCOL.md section 25).

`stranger` asks peers for the key box, `marker` remembers how far it came, `fetching` brings lanes and sealed parts
back, `opening` closes the epoch of the lost machine, `recovering` does one after the other.
"""
