"""Risk: what is odd about an order is said in words, before anything is authorised."""
