"""站务: the administrator's part of a station. Each module is one thing he does; desk.py puts them together, routes.py
says what the TV page may ask of them, and ``tv/desk*.js`` shows them.

What is kept here stands in the station's own book (book.py): tables of a module are made by ``Book.have``.
"""
