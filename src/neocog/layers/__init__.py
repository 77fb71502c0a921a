"""The layer language: text <-> layers, and each layer's shape, cost and torch module from one definition."""

from neocog.layers.language import parse
from neocog.layers.layer import WORDS, Layer, Shape
from neocog.layers.stack import Layers, Row

__all__ = ["WORDS", "Layer", "Layers", "Row", "Shape", "parse"]
