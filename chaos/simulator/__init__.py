"""A simulator of the sender's core: seeded schedules of everything that may go wrong.

The real code runs: tasks, claims, leases, looks and writes, journal and recovery, and the whole
wire from the blocking transport down to the protocol core. What it stands on is simulated:

  choices   every decision of a schedule, drawn from its seed, written down and played again
  machine   processes, the time, who goes on next, deaths
  loop      an event loop per process, on the simulated time
  seams     where the simulation is put under the code: clock, database, journal's file, network
  stage     the tables as a schedule finds them: SQLite in memory, with the real SQL
  server    mail servers that write down what they take, and the line to them
  faults    what happens to processes, disks, lines, clocks and the database
  people    who pauses, cancels, leaves or decides in the middle of it
  record    what really happened, as seen at the seams
  checks    what must hold when all is over
  schedule  one schedule from beginning to end
  quick     what Django works out anew each time and is kept instead
  shrink    the smallest schedule that still fails
  broken    variants of the code that are wrong on purpose: the simulator has to find them

`python -m chaos.simulate --schedules 1000 --seed 1` runs them; docs/develop/chaos.md says more.
"""
