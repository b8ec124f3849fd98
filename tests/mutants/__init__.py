"""Mutation testing of the sender's core: small wrong changes that a test has to notice.

    make mutants                                every module, all mutants
    make mutants ARGS="journal retry"           these
    python -m tests.mutants core --sample 40 --seed 7

Tools that exist start the tests anew for each mutant, which takes Django three seconds. Here each
module's tests are collected and run once, with the lines that each of them reaches noted; then a
fork of that very process gets one wrong function and runs the tests that reach the line, the quick
ones first, up to the first that fails. docs/develop/mutation.md has the results and the survivors.
"""
