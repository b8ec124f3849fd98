"""The instance looked at from within: for its administrator, for monitors, for the public.

| module | tells |
|---|---|
| processes | web, workers, beat: their last sign of life, what nobody serves |
| queues | what waits in the broker and in the database, and how fast it goes out |
| sweeps | when the periodic tasks ran last, and how long that took |
| failures | tasks that failed, with their traces, and ringing again |
| disk | the data folder, the database, the journal |
| versions | of everything, and migrations that are missing |
| log | the end of the log's file |
| watch | how the parts are, noted every few seconds; incidents |
| status | what the public may see of it |

Headless: pages and API show what is gathered here. Nothing here changes the instance, but for the
notes of `watch`, the switch of the public page, and a bell.
"""
