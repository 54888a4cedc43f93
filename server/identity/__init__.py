"""Accounts, roles × region scope, sign-in, tokens, the audit chain, messages to people."""
