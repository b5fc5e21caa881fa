"""What a report consists of: a module per section or kind of section, each an object that says what it needs, shows and tells.

Change here what a report shows: a section is one file, and its name in `reports/report.py`; a template beside the others where it has words of its own.
May import whatever shows; knows neither where a report goes nor who made the runs: a section is there if the runs have what it needs.
"""
