"""What a model costs: parameters and multiply-adds of each stage."""
