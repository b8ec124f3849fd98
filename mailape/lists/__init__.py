"""To whom, with whose consent: lists, subscribers, subscriptions, consent records, suppressions."""
