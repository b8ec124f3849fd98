"""An ordinary newsletter program in Django and Celery, as a good tutorial would have it.

It is what `benchmarks.naive` compares us with: one task per recipient, each with an SMTP connection
and an UPDATE of its own. Nothing in it is slower than it has to be in that form: the tables have
the keys that are needed, templates are cached, no result is stored, and nothing but warnings is
logged. All that is not named in its settings is the default of Django and of Celery.
"""
