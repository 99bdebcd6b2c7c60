"""What an operator watches: counts, times and standings, and the traces of single requests."""
