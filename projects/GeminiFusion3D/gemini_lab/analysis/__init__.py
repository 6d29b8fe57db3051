"""What predictions get right and wrong: breakdowns, comparisons, ensembles."""
