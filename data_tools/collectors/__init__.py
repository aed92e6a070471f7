"""Collect free photos from public archives: one small spider for each archive, on Scrapy.

Scrapy is imported by the modules that crawl, not here: ``licences``, ``names`` and ``album`` work
without it.
"""

SOURCE_NAMES = ("loc", "commons", "internet-archive", "smithsonian", "europeana", "flickr")
"""The archives by name; ``collectors.sources`` holds the spider of each."""
