"""The test house: provides what the tests need (servers, browser, people) and runs them.

`python -m tests.house` is what `make test` calls; docs/develop/testing.md tells how to use it.
"""
