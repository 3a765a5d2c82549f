"""The learning loop: from what customers wrote to better training data, a better model, and its promotion."""
