"""Who works here: users, workspaces, memberships, API tokens."""
