"""What the package costs, beside its limits and its peers."""
