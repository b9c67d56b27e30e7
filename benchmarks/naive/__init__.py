"""What a competent developer writes in an afternoon: a model, a job per picture, a poll loop."""
