"""Stands for the paper's file, where a test needs its name and what it imports."""


class Autoregressive: ...
