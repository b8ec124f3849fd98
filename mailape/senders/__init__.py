"""As whom and by which way: From identities and transport accounts."""
