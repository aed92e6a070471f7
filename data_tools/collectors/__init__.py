"""Collect free photos from public archives with Scrapy.

``sources`` describes the archives, ``spider`` walks through their results, ``middlewares`` keeps
the crawl polite and safe, ``album`` stores the photos, ``crawl`` runs it all. ``licences`` decides
what may be used. ``demo`` and ``demo_server`` are the archive of the lesson. Only the modules that
crawl import Scrapy.
"""

SOURCE_NAMES = ("loc", "commons", "internet-archive", "smithsonian", "europeana", "flickr")
"""Names of the archives; ``collectors.sources`` holds the spider of each."""
