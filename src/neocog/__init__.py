"""neocog: from one convolution kernel to a convolutional image classifier that can be trusted."""

__version__ = "0.1.0"
