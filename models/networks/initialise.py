"""Drawing the weights that training begins with."""

from torch import nn

from cisdl_bench.models.networks.backbone import Backbone


def he_initialise(network: nn.Module) -> None:
    """Draw every convolution as He et al. (ICCV 2015): deviation sqrt(2 / fan-in), bias 0.

    A backbone keeps the weights that it has, drawn or published.
    """
    kept = {
        inner
        for module in network.modules()
        if isinstance(module, Backbone)
        for inner in module.modules()
    }
    for module in network.modules():
        if isinstance(module, nn.Conv2d) and module not in kept:
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
