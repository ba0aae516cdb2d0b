"""What the PSPs list day by day, as frames and then as tables; late data re-opens its day."""
