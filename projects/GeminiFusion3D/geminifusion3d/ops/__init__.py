"""What is measured in microseconds: pure torch functions without parameters."""
