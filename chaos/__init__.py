"""Proof of "exactly once" on real parts: breaks a whole instance on purpose and counts the mails.

    python -m chaos --row kill-sender --n 20 --seed 1
    python -m chaos --list
    make chaos

`run` begins and ends one run, `story` tells it. `rig` is the instance (database, broker, web,
workers, beat, mail server), `crowd` the people who use it meanwhile, `faults` and `mail_faults`
what breaks, `rows` which of it a run takes, `evidence` what is known afterwards and `invariants`
what must hold of it.
docs/develop/chaos.md explains it to a person.
"""
