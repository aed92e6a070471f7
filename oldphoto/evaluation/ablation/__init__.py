"""What each part of the method is worth: train without it and measure."""
