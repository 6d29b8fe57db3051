"""The comparison on the synthetic world: models x seeds -> trainings -> one table."""
