"""Benchmarks: one command each, every figure beside its bar."""
