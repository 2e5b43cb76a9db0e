"""Drawing the weights that training begins with."""

from torch import nn


def he_initialise(network: nn.Module) -> None:
    """Draw every convolution as He et al. (ICCV 2015): deviation sqrt(2 / fan-in), bias 0."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
