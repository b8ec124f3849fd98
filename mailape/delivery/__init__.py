"""The engine: from a fact in the database to a mail on the wire, and the record of it.

    1. `build`    a message that was sent off, or a confirmation asked for, becomes deliveries
    2. `compile`  what its writer wrote becomes templates, once, kept as a revision
    3. `claim`    a worker leases a batch, or a few single deliveries, each lease with a fence;
                  `aside` puts off the single ones of a paused message
    4. `watch`    who left, who is suppressed, what is paused: looked at once a second
    5. `letters`  one person's bytes: a newsletter's by its program (`mime`), others by `render`
    6. `send`     the loop over what leases hold; `pace` and `turns` say when each may go,
                  `signing` who signs it, and `journal` keeps what cannot be taken back
    7. `transports`  the ways out: mails in, outcomes out, named by what happens next
    8. `retry`    decides what an outcome means for the delivery
    9. `status`   writes it, under the lease's fence; `tally` counts; `progress` ends the message;
                  `recover` settles, by its journal, what a dead sender left; `set_back` makes due
                  what a clock that was ahead had put off
   10. `tasks`    the bells that start all this, and the sweep that finds what no bell announced

    queued ──claimed──▶ sending ──taken──────────────────────▶ sent
      ▲                  │  │ │ └─refused, or tried too often─▶ failed
      │    lease ended   │  │ └───left, suppressed, cancelled─▶ skipped
      ├──────────────────┘  │└────in doubt (a newsletter)─────▶ unknown
      │ due                 │└────its worker died three times─▶ quarantined
    deferred ◀──try later───┘
      queued ◀──sent again, by a person── unknown
      queued ◀──tried again, by a person── failed

While a batch is leased its deliveries stay `queued`; only single ones become `sending`. `notices`
is the door for mail of MailApe itself, `preview` for looking at a message before it goes, `access`
for looking at what became of it, `doubt` and `try_again` for a person's word on what is unknown or
has failed.
"""
