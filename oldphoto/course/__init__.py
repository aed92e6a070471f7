"""What the notebooks use: set-up, diagrams, figures, widgets, exercises; their batch run."""

from oldphoto.course.setting_up import setup
from oldphoto.course.trace import trace

__all__ = ["setup", "trace"]
