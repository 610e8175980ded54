"""The operator's browser: one module per screen, and the HTTP APIs in `api`."""
