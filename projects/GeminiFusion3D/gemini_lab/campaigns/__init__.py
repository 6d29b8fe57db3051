"""Attacks that are too long for the tests: each is a command that ends with figures and an exit code."""
