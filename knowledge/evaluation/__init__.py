"""Search evaluation: datasets of judged questions and ranking metrics."""
