"""The spiders of all archives, by the name that stands on the command line."""

from data_tools.collectors.base import PhotoSpider
from data_tools.collectors.commons import CommonsSpider
from data_tools.collectors.europeana import EuropeanaSpider
from data_tools.collectors.flickr import FlickrSpider
from data_tools.collectors.internet_archive import InternetArchiveSpider
from data_tools.collectors.loc import LocSpider
from data_tools.collectors.smithsonian import SmithsonianSpider

SPIDERS: dict[str, type[PhotoSpider]] = {
    spider.name: spider
    for spider in (
        LocSpider,
        CommonsSpider,
        InternetArchiveSpider,
        SmithsonianSpider,
        EuropeanaSpider,
        FlickrSpider,
    )
}
