"""How good a search is: judged questions, and the figures that compare rankings with them."""
