"""Leaf helpers without a domain word: clock, ids, links, errors, bells, the embedded broker."""
