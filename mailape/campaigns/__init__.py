"""What is said: messages and their compiled revisions.

Django's own app has the label `messages`, hence the name.
"""
