"""What a station prints: the week's listing for the wall, and a month of the log. HTML made for A4, printed by a browser:
a box has no room for a PDF maker, and a computer that has a printer has a browser."""
