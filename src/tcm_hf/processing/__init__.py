"""Pixels to tensors and maps to polygons. The modules beside this file travel to the Hub."""
