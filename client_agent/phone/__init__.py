"""手机助手: the administrator's phone beside the set. A box has a remote and no keyboard or camera; a phone has both.

The TV shows a QR code. It opens a page that the station itself serves in the local network, also with the province
away: roll call on a list of names, photo, minutes, question, fault. Names stay in the station's book; what leaves the
station are counts. ``helper.py`` decides when the listener runs, ``server.py`` is it, ``routes.py`` says what a phone
may do, ``roll.py`` counts, ``people.py`` keeps, ``page/`` is what the phone shows.
"""
